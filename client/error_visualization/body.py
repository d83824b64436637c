"""The JSON of a report or another object for the service, within the size that the service takes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from error_visualization.cut import cut
from error_visualization.plain import Conversion, TooLargeError, python_number, readable, text_of

MAX_BODY = 4_000_000  # bytes; the service takes 4 MiB, unless its `max_body_bytes` says otherwise
MAX_TEXTS = (MAX_BODY, 200_000, 20_000, 2_000)  # characters of a text; the next is tried if a report is too large
MAX_VALUES = 1_000_000  # of another request than a report
_SHORT = ("event_id", "timestamp", "worker_id", "type", "error_category", "message", "traceback")


def encoded(report: Mapping[str, Any]) -> bytes:
    """Returns `report` as JSON of at most `MAX_BODY` bytes: long texts are cut in the middle, and if that is not enough
    or it has more than 20,000 values, its contexts are left out. Raises nothing because of what it contains."""
    for most in MAX_TEXTS:
        try:
            body = _json(Conversion(most).plain(report))
        except TooLargeError:
            break
        if len(body) <= MAX_BODY:
            return body
    short = {name: _short(report.get(name)) for name in _SHORT}
    return _json({name: value for name, value in short.items() if value is not None})


def encoded_whole(body: Mapping[str, Any]) -> bytes:
    """Returns the body of another request than a report, such as the summary of a run, as JSON: with all of its values,
    of which it may have many more. Raises `TooLargeError` if it is longer than `MAX_BODY`."""
    whole = _json(Conversion(MAX_BODY, MAX_VALUES, MAX_VALUES).plain(body))
    if len(whole) > MAX_BODY:
        raise TooLargeError
    return whole


def event_id() -> str:
    """Returns a new id: unique, and in the order of time, so that ids of one process sort as its reports."""
    return f"{time.time_ns():016x}-{os.urandom(8).hex()}"


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode()


def _short(value: Any) -> Any:
    number = python_number(value)
    if number is None or isinstance(number, (int, float)):
        return Conversion(0).plain(number)
    return readable(cut(value.isoformat() if hasattr(value, "isoformat") else text_of(value), MAX_TEXTS[-1]))
