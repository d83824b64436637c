"""Converts single values of a report to the type of their field: "68" to a number, 1 to true, 17 to the name of a
worker.

Each function takes a plain JSON value that is not null. It returns the converted value, or None if the value stands for
no value, as "N/A" does. It raises `UnreadableError` if the value cannot be converted.
"""

import json
import math
import re
from typing import Any, Final

MAX_LINES: Final = 1_000  # items of a list that become lines of a text; a list that has only texts may have more
_LEAST: Final = -(2**63)
_MOST: Final = 2**64
_EXACT: Final = 2**53  # larger whole numbers may have been rounded if the sender kept them as floating point

# Texts that stand for no value, as null does. nvidia-smi writes "[N/A]" and "[Not Supported]", pandas "<NA>" and "NaT".
_ABSENT: Final = frozenset({
    "", "-", "--", "<na>", "n/a", "na", "nan", "nat", "nil", "none", "not available", "not supported", "null",
    "undefined", "unknown",
})  # fmt: skip
_TRUE: Final = frozenset({"1", "true", "t", "yes", "y", "on", "active"})
_FALSE: Final = frozenset({"0", "false", "f", "no", "n", "off", "inactive", "not active"})
_NUMBER: Final = re.compile(r"([-+]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,4})?)\s*(.*)")
_UNITS: Final = {
    "percent": ("%",), "used_percent": ("%",), "memory_utilization": ("%",), "temperature": ("c", "°c"),
    "frequency_mhz": ("mhz",), "total_gb": ("gb", "gib"), "available_gb": ("gb", "gib"), "free_gb": ("gb", "gib"),
    "utilization": ("%",), "power_watts": ("w",), "clock_mhz": ("mhz",), "duration": ("s", "sec", "seconds"),
}  # fmt: skip


class UnreadableError(ValueError):
    """A value that cannot be converted to the type of its field. The message says what it is, such as "a string"."""


def kind(value: Any) -> str:
    """Returns the type of a JSON value in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return "a whole number"
        case float():
            return "a number" if math.isfinite(value) else "a number out of range"
        case str():
            return "a string"
        case list():
            return "an array"
    return "an object"


def is_absent(value: Any) -> bool:
    """Returns whether a value stands for no value: null, "N/A" and the like, or `[]`, which PHP writes for an empty
    object."""
    return value is None or value == [] or (isinstance(value, str) and value.strip(" []").lower() in _ABSENT)


def number(value: Any, name: str) -> float | None:
    """Converts to a number. `name` is the name of the field. A text may end with the unit of this field, as in "93.5
    %"."""
    if isinstance(value, str):
        if is_absent(value):
            return None
        match = _NUMBER.fullmatch(value.strip())
        if not match or match[2].lower() not in ("", *_UNITS.get(name, ())):
            raise UnreadableError(kind(value))
        value = int(match[1]) if match[1].lstrip("+-").isdigit() else float(match[1])
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableError(kind(value))
    if not (math.isfinite(value) if isinstance(value, float) else _fits(value)):
        raise UnreadableError("a number out of range")
    return value


def whole_number(value: Any, name: str) -> int | None:
    """Converts to a whole number. 8.0 is one, 8.5 is none."""
    read = number(value, name)
    if isinstance(read, float):
        if not read.is_integer():
            raise UnreadableError("a number with a fraction")
        read = int(read)
        if not _fits(read):
            raise UnreadableError("a number out of range")
    return read


def flag(value: Any) -> bool | None:
    """Converts to true or false, also from 1, 0 and words such as "yes"."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        if is_absent(value):
            return None
    raise UnreadableError(kind(value))


def text(value: Any) -> str:
    """Converts to a text, also from a number. A whole number is written without a fraction: 7.0 becomes "7"."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableError(kind(value))
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)
    if not (math.isfinite(value) if isinstance(value, float) else _fits(value)):
        raise UnreadableError("a number out of range")
    return str(value)


def identifier(value: Any) -> str:
    """Converts to the id of an error, as `text` does. Refuses numbers that are not whole or may have been rounded,
    because two ids could become one."""
    read = text(value)
    if isinstance(value, float) and not read.lstrip("-").isdigit():
        raise UnreadableError("a number that is not whole")
    return read


def long_text(value: Any) -> str | None:
    """Converts to a message or a traceback. A list of lines is joined; other values become their JSON. Returns None for
    an empty list or object."""
    if isinstance(value, str):
        return value
    if value in ([], {}):
        return None
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return ("" if value[0].endswith("\n") else "\n").join(value)
    if isinstance(value, list) and len(value) <= MAX_LINES:
        return "\n".join([line if isinstance(line, str) else _as_json(line) for line in value])
    return _as_json(value) if isinstance(value, list | dict | bool) else text(value)


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _fits(value: int) -> bool:
    return _LEAST <= value < _MOST
