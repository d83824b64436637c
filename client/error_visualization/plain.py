"""Converts any Python object to what JSON has. Raises nothing but `TooLargeError`, whatever the objects do."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import numbers
from collections.abc import Mapping
from typing import Any

from error_visualization.cut import cut

MAX_ITEMS = 10_000  # of a list or an object; further ones are left out
MAX_NODES = 20_000  # values of a report: about 20 ms
MAX_DEPTH = 30
MAX_BITS = 4_096  # of a whole number; a larger one becomes a text, since Python refuses to print it in decimal
_LISTS = (list, tuple, set, frozenset)


class TooLargeError(Exception):
    """The object has more values than a report may have."""


class Conversion:
    """Converts the values of one report, at most `nodes`. A text longer than `most` characters is cut, a list or an
    object with more than `items` items, too."""

    def __init__(self, most: int, nodes: int = MAX_NODES, items: int = MAX_ITEMS) -> None:
        self._most, self._left, self._items = most, nodes, items

    def plain(self, value: Any, depth: int = 0) -> Any:
        """Returns `value` as JSON types: NaN and infinity become None, numbers of NumPy and PyTorch Python's own, other
        objects their `str()`. Raises `TooLargeError`."""
        self._left -= 1
        if self._left < 0:
            raise TooLargeError
        if value is None or value is True or value is False:
            return value
        if type(value) is str:
            return readable(cut(value, self._most))
        try:
            return self._converted(value, depth)
        except TooLargeError:
            raise
        except (Exception, RecursionError):
            return self.plain(f"<{type(value).__name__}>", depth)

    def _converted(self, value: Any, depth: int) -> Any:
        if isinstance(value, numbers.Number) or hasattr(value, "dtype"):
            value = python_number(value)
        if isinstance(value, bool):
            return bool(value)
        if isinstance(value, int):
            return int(value) if value.bit_length() <= MAX_BITS else readable(cut(f"{int(value):#x}", self._most))
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else None
        if isinstance(value, str):
            return readable(cut(str.__str__(value), self._most))
        if isinstance(value, (dt.datetime, dt.date)):
            return value.isoformat()
        if isinstance(value, (bytes, bytearray, memoryview)):
            return readable(cut(bytes(value).decode(errors="replace"), self._most))
        if depth > MAX_DEPTH:
            return "…"
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, _LISTS):
            return [self.plain(item, depth + 1) for item in itertools.islice(value, self._items)]
        return readable(cut(text_of(value), self._most))

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        """Returns what can be read of a mapping, which may fail in the middle."""
        result: dict[str, Any] = {}
        try:
            for key, item in itertools.islice(value.items(), self._items):
                result[readable(cut(text_of(key), self._most))] = self.plain(item, depth + 1)
        except TooLargeError:
            raise
        except (Exception, RecursionError):
            if not result:
                raise
        return result


def readable(text: str) -> str:
    """Returns `text` with U+FFFD for lone surrogates, which UTF-8 does not have."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def text_of(value: Any) -> str:
    """Returns `str(value)`, also of an object whose own conversion to text fails."""
    for convert in (str, repr):
        try:
            return str.__str__(convert(value))
        except (Exception, RecursionError):
            continue
    return f"<{type(value).__name__}>"


def python_number(value: Any) -> Any:
    """Returns a number of NumPy or PyTorch, or an array with one item, as Python's own; anything else as it is."""
    if isinstance(value, (bool, int, float)):
        return value
    try:
        if isinstance(value, numbers.Integral):
            return int(value)
        if isinstance(value, numbers.Real):
            return float(value)
        item = value.item()
    except Exception:  # an array of several items, or another library's object
        return value
    return item if isinstance(item, (bool, int, float)) else value
