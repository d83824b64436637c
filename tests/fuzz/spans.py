"""What the OpenAPI document cannot say about times, for schemathesis: a generated time is moved to where it has a meaning.

A span begins before it ends and before now, and is given as `time_range` or as `from`; a mute or a drained worker ends
ahead, and a mute has an end or a number of errors. Values that are no times stay as they are: they must be refused.
"""

import datetime as dt
import zlib
from typing import Any

import schemathesis

LONGEST = 30 * 24 * 3600  # seconds


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and dt.datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _away(value: str) -> dt.timedelta:
    """A distance of a minute to a month, always the same for the same text."""
    return dt.timedelta(seconds=60 + zlib.crc32(value.encode(errors="replace")) % LONGEST)


def _span(query: dict[str, Any]) -> None:
    """Moves the span of a read into the month before now."""
    begin = dt.datetime.now(dt.UTC)
    if _is_time(query.get("from")):
        begin -= _away(query["from"])
        query.pop("time_range", None)
        query["from"] = begin.isoformat()
    if _is_time(query.get("to")):
        query["to"] = (begin + _away(query["to"])).isoformat()


def _end(body: dict[str, Any], path: str) -> None:
    """Moves the end of a mute or of a drained worker into the month from now."""
    if _is_time(body.get("until")):
        body["until"] = (dt.datetime.now(dt.UTC) + _away(body["until"])).isoformat()
    if path.endswith("/mute") and body.get("until") is None and body.get("errors") is None:
        body["errors"] = 1


@schemathesis.hook
def before_call(context: Any, case: Any, **kwargs: Any) -> None:
    if isinstance(case.query, dict):
        _span(case.query)
    if isinstance(case.body, dict):
        _end(case.body, case.operation.path)
