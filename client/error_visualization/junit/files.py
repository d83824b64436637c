"""Which files the arguments of the command name."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

STDIN = "-"
_HEAD = 65_536  # bytes of a file that are searched for its first element


def named(arguments: Iterable[str]) -> tuple[list[str], list[str]]:
    """Returns the files that `arguments` name, each once, and those arguments that name none.

    An argument is a file, a pattern (`**` for any folders), `-` for the standard input, or a folder: of that all
    `*.xml` below it that have test suites."""
    files: dict[str, None] = {}
    empty = []
    for argument in arguments:
        found = list(_found(argument))
        files.update(dict.fromkeys(found))
        if not found:
            empty.append(argument)
    return list(files), empty


def _found(argument: str) -> Iterable[str]:
    path = Path(argument)
    if argument == STDIN or path.is_file():
        return [argument]
    if path.is_dir():
        return [str(file) for file in sorted(path.rglob("*.xml")) if _has_suites(file)]
    matches = sorted(glob.glob(argument, recursive=True))
    return [match for match in matches if Path(match).is_file()]


def _has_suites(file: Path) -> bool:
    """Returns whether the file looks like JUnit XML; also if it cannot be read, so that the error is shown."""
    try:
        with file.open("rb") as opened:
            return b"<testsuite" in opened.read(_HEAD).replace(b"\0", b"")
    except OSError:
        return True
