"""Looks for known vulnerabilities in what `requirements-dev.lock` pins, and for licences that this project may not use.

    make audit

pip-audit asks PyPI for the vulnerabilities. Where it gets no answer, this says so and goes on: a machine without access
can still check the licences. Exits with status 1 for a vulnerability or a licence that is not in `ALLOWED`.
"""

import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

LOCK: Final = Path(__file__).parents[1] / "requirements-dev.lock"
SECONDS: Final = 90  # for one program; without internet, pip-audit waits for each library
PROGRAMS: Final = Path(sysconfig.get_path("scripts"))
# Licences under which a library may be used and shipped with a program under Apache-2.0, as the libraries name them.
# Mozilla's and the lesser GPL ask only for the source of the library itself, which everybody gets from its own package.
ALLOWED: Final = frozenset({
    "0BSD", "3-Clause BSD License", "Apache", "Apache Software License", "Apache-2.0", "BSD License", "BSD-2-Clause",
    "BSD-3-Clause", "CC0-1.0", "ISC", "ISC License (ISCL)", "LGPL-3.0-or-later", "MIT", "MIT License", "MIT-0",
    "MIT-CMU", "MPL-2.0", "Mozilla Public License 2.0 (MPL 2.0)", "OLDAP-2.8", "PSF-2.0",
    "Python Software Foundation License", "The Unlicense (Unlicense)", "Unlicense", "Zlib",
})  # fmt: skip
# What the metadata of a library does not say, or says among other things, from the licence file in its package.
STATED: Final = {"promql-parser": "MIT", "pytest-timeout": "MIT"}
_AND: Final = re.compile(r" AND |; ")


def main() -> int:
    failed = False
    for sentence in vulnerabilities(
        _json("pip-audit", "--requirement", str(LOCK), "--disable-pip", "--format", "json")
    ):
        failed = failed or not sentence.startswith("note")
        print(sentence)
    for sentence in refused(_json("pip-licenses", "--python", sys.executable, "--format", "json")):
        failed = True
        print(sentence)
    print("the audit failed" if failed else "no known vulnerability was found, and every licence is allowed")
    return int(failed)


def vulnerabilities(report: Any) -> list[str]:
    """Returns a sentence for each known vulnerability, and one that begins with "note" for what could not be looked
    up. `report` is what pip-audit prints as JSON; None if it printed none."""
    if report is None:
        return ["note: pip-audit gave no result; the libraries were not looked up"]
    libraries = report["dependencies"]
    found = [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for one in libraries
        for flaw in one.get("vulns", ())
    ]
    unknown = sum("skip_reason" in one for one in libraries)
    if unknown:
        found.append(f"note: the vulnerabilities of {unknown} of {len(libraries)} libraries could not be looked up")
    return found


def refused(libraries: Iterable[Any] | None) -> list[str]:
    """Returns a sentence for each library whose licence is not allowed. `libraries` is what pip-licenses prints as
    JSON; None if it printed none."""
    if libraries is None:
        return ["pip-licenses gave no result"]
    return [
        f"{one['Name']} {one['Version']}: its licence {one['License']!r} is not in the list of release/audit.py"
        for one in libraries
        if not is_allowed(STATED.get(one["Name"], one["License"]))
    ]


def is_allowed(licence: str) -> bool:
    """Whether a library with this licence may be used: one of several that are joined by "OR" suffices; of those joined
    by "AND" or ";" each must be allowed."""
    return any(all(name in ALLOWED for name in _AND.split(choice)) for choice in licence.split(" OR "))


def _json(program: str, *arguments: str) -> Any:
    """Runs a program and returns what it prints, decoded; None if that is no JSON, or takes longer than `SECONDS`."""
    try:
        done = subprocess.run([PROGRAMS / program, *arguments], stdout=subprocess.PIPE, timeout=SECONDS, check=False)
        return msgspec.json.decode(done.stdout)
    except (msgspec.DecodeError, subprocess.TimeoutExpired):
        return None


if __name__ == "__main__":
    sys.exit(main())
