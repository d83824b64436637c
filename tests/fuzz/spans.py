"""What the OpenAPI document cannot say about times, for schemathesis: a generated time is moved to where it has a meaning.

A span begins before it ends and before now, and is given as `time_range` or as `from`; a mute or a drained worker ends
ahead, and a mute has an end or a number of errors. Values that are no times stay as they are: they must be refused.
The ids of a run and of its sender, and a note, have a character that can be printed, which no pattern of JSON Schema can demand.
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


def _printable(holder: Any, name: str) -> None:
    """Begins a text of characters that cannot be printed with one that can. An empty text must be refused."""
    if isinstance(holder, dict) and isinstance(text := holder.get(name), str) and text.strip():
        holder[name] = text if any(one.isprintable() and not one.isspace() for one in text) else f"x{text}"


@schemathesis.hook
def before_call(context: Any, case: Any, **kwargs: Any) -> None:
    if isinstance(case.query, dict):
        _span(case.query)
    if isinstance(case.body, dict):
        _end(case.body, case.operation.path)
        if case.operation.path == "/api/patterns/{id}/note":
            _printable(case.body, "text")
        if case.operation.path == "/api/runs":
            _printable(case.body.get("run"), "id")
            _printable(case.body, "worker_id")
