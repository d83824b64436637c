"""The lock files pin what `pyproject.toml` asks for, with hashes; the audit judges licences and vulnerabilities."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "release"))
from audit import is_allowed, refused, vulnerabilities  # noqa: E402  # a script beside the package

pytestmark = pytest.mark.dashboard
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = (PROJECT["name"], "error-visualization-client")  # installed from this repository
EXTRAS = PROJECT["optional-dependencies"]
DEVELOPMENT = [*PROJECT["dependencies"], *EXTRAS["test"], *EXTRAS["dashboards"], *EXTRAS["sounds"]]


def locked(name: str) -> dict[str, list[Requirement]]:
    """The pinned requirements of a lock file by name. One may have several versions, for different versions of Python."""
    found: dict[str, list[Requirement]] = {}
    for block in re.findall(r"^([a-z].*?)(?=^[a-z]|\Z)", (ROOT / name).read_text(), re.MULTILINE | re.DOTALL):
        text, *rest = block.split("\\\n")
        one = Requirement(text)
        assert any("--hash=sha256:" in line for line in rest), one
        found.setdefault(canonicalize_name(one.name), []).append(one)
    return found


@pytest.mark.parametrize(
    ("file", "wanted"), [("requirements.lock", PROJECT["dependencies"]), ("requirements-dev.lock", DEVELOPMENT)]
)
def test_the_lock_has_every_requirement(file: str, wanted: list[str]) -> None:
    pinned = locked(file)
    for one in map(Requirement, wanted):
        if one.name in OURS:
            continue
        versions = [str(found.specifier).removeprefix("==") for found in pinned.get(canonicalize_name(one.name), [])]
        assert versions, f"{one} is not in {file}: run make lock"
        assert all(one.specifier.contains(version, prereleases=True) for version in versions), (
            f"{one}, {versions}: run make lock"
        )


def test_development_has_the_versions_of_the_image() -> None:
    development = locked("requirements-dev.lock")
    for name, pinned in locked("requirements.lock").items():
        assert {one.specifier for one in development[name]} == {one.specifier for one in pinned}


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True), ("Apache-2.0 OR GPL-3.0-only", True), ("Apache-2.0 AND BSD-2-Clause", True),
        ("Apache Software License; MIT License", True), ("GPL-3.0-only", False), ("MIT AND GPL-3.0-only", False),
        ("UNKNOWN", False), ("", False),
    ],
)  # fmt: skip
def test_licences(licence: str, allowed: bool) -> None:
    assert is_allowed(licence) is allowed
    assert bool(refused([{"Name": "x", "Version": "1", "License": licence}])) is not allowed


def test_vulnerabilities_fail_the_audit_and_what_was_not_looked_up_is_told() -> None:
    flaw = {"id": "PYSEC-1", "fix_versions": ["1.1"]}
    looked_up = {
        "dependencies": [{"name": "a", "version": "1.0", "vulns": [flaw]}, {"name": "b", "version": "2", "vulns": []}]
    }
    assert vulnerabilities(looked_up) == ["a 1.0: PYSEC-1, mended in 1.1"]
    (note,) = vulnerabilities(
        {"dependencies": [{"name": "a", "skip_reason": "not found"}, {"name": "b", "version": "2", "vulns": []}]}
    )
    assert note.startswith("note") and "1 of 2" in note
    (note,) = vulnerabilities(None)
    assert note.startswith("note")
