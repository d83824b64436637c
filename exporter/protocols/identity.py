"""Finds out which run, test and commit a message of another protocol is about."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from exporter.protocols.json_value import text_of

MAX_NAME: Final = 256  # characters of one field of `run` and `test`
_COMMIT: Final = re.compile(r"(?:.*[@+:/-])?([0-9a-fA-F]{7,64})")
RUN: Final = ("id", "job", "suite", "commit", "branch", "user", "url")


def commit_of(release: str) -> str:
    """Returns the commit that a release is named by, as in `trainer@1f3a9c2…`; "" if it does not look like one: 7, 8,
    10 to 12 digits or a whole hash, one of them a letter or all forty."""
    found = _COMMIT.fullmatch(release[:MAX_NAME])
    if not found:
        return ""
    digits = found[1].lower()
    if len(digits) not in (7, 8, 9, 10, 11, 12, 40, 64) or (digits.isdecimal() and len(digits) < 40):
        return ""
    return digits


def named(names: Mapping[str, tuple[str, ...]], look_up: Callable[[str], Any]) -> dict[str, str]:
    """Returns the fields that are known. `names` maps a field to the names under which `look_up` may find its value,
    the best one first."""
    found = {}
    for field, sources in names.items():
        for source in sources:
            if value := text_of(look_up(source)).strip()[:MAX_NAME]:
                found[field] = value
                break
    return found


def without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields that have a value."""
    return {name: value for name, value in fields.items() if value not in (None, "", {}, [])}
