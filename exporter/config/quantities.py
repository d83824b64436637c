"""Durations and sizes as people write them: `30d`, `20GB`. Pure."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Final

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_BYTES: Final = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
_QUANTITY: Final = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?([A-Za-z]*)")
FOREVER: Final = dt.timedelta()


def duration(text: str) -> dt.timedelta:
    """Reads a number and a unit: s, m, h, d, w or y (365 days); `0` is no time. Raises ValueError."""
    if text.strip() == "0":
        return FOREVER
    try:
        return dt.timedelta(seconds=_number(text.strip(), _SECONDS))
    except (ValueError, OverflowError):
        raise ValueError(f"expected a duration as 30d, 12h or 5m, or 0, got {text!r}") from None


def size(text: str) -> int:
    """Reads a number of bytes: a number and perhaps a unit, as GB (10^9) or GiB (2^30). Raises ValueError."""
    try:
        return int(_number(text.strip().upper(), _BYTES))
    except ValueError:
        raise ValueError(f"expected a size as 20GB or 512MiB, or 0, got {text!r}") from None


def _number(text: str, units: Mapping[str, int]) -> float:
    found = _QUANTITY.fullmatch(text)
    if found is None or found[2] not in units:
        raise ValueError
    return float(found[1]) * units[found[2]]
