"""Lines of JSON: reports in the schema of the service, and the objects that loggers write.

Read are bunyan, pino, winston, zap, logrus, zerolog, slog, structlog, python-json-logger, Elastic Common Schema,
Google Cloud, journald (`journalctl -o json`) and Docker's json-file, whose lines hold lines of any format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from error_visualization.pipe.entry import Entry, severity_of

LEVELS: Final = ("level", "severity", "levelname", "lvl", "loglevel", "log.level", "log_level", "PRIORITY", "s")
MESSAGES: Final = ("message", "msg", "MESSAGE", "event", "text", "short_message", "textPayload", "@message")
TIMES: Final = (
    "timestamp",
    "time",
    "ts",
    "@timestamp",
    "asctime",
    "eventTime",
    "t",
    "datetime",
    "__REALTIME_TIMESTAMP",
)
STACKS: Final = (
    "traceback",
    "stack",
    "stacktrace",
    "stack_trace",
    "exc_info",
    "exc_text",
    "error.stack_trace",
    "stackTrace",
)
ERRORS: Final = ("error", "err", "exception", "exc", "exc_info", "cause")
OURS: Final = ("type", "error_category", "traceback", "hardware_context", "system_context")
MAX_UNWRAPPED: Final = 3


def decode(line: str) -> Mapping[str, Any] | None:
    """Returns the object of the line, None if it is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def is_report(found: Mapping[str, Any]) -> bool:
    """Whether the object is a report of the service's schema: it has no level, and fields that only reports have."""
    says_what = isinstance(found.get("message"), str) or isinstance(found.get("type"), str)
    return says_what and not any(name in found for name in LEVELS) and any(name in found for name in OURS)


def unwrapped(found: Mapping[str, Any]) -> str | None:
    """Returns the line within an object of Docker's or of Kubernetes' log, None for others."""
    inner = found.get("log")
    return inner if isinstance(inner, str) and not any(name in found for name in (*MESSAGES, *LEVELS)) else None


def entry(found: Mapping[str, Any], depth: int = 0) -> Entry:
    """Returns the entry of an object that a logger wrote."""
    record = found.get("record")
    if isinstance(record, dict) and depth < MAX_UNWRAPPED and "message" in record:  # loguru
        return entry(record, depth + 1)
    error = next((found[name] for name in ERRORS if isinstance(found.get(name), (dict, str)) and found[name]), None)
    stack = _text(found, STACKS)
    type_ = None
    message = _text(found, MESSAGES) or ""
    if isinstance(error, dict):
        stack = stack or _text(error, STACKS)
        type_ = _text(error, ("type", "name", "class", "kind", "code"))
        message = _joined(message, _text(error, ("message", "msg", "reason")))
    elif isinstance(error, str):
        if "\n" in error:
            stack = stack or error
        else:
            message = _joined(message, error)
    level = next((found[name] for name in LEVELS if name in found), _nested(found, "log", "level"))
    if isinstance(level, dict):
        level = level.get("name") or level.get("no")
    known = {"type": type_ or _text(found, ("exception.type", "error.type", "exc_type")), "traceback": stack}
    identity = {"worker_id": _text(found, ("worker_id",)), "event_id": _text(found, ("event_id",))}
    return Entry(
        message or stack or json.dumps(found)[:1_000],
        severity_of(level),
        _time(found),
        found.get("_TRANSPORT") == "kernel",
        {
            **{name: value for name, value in {**known, **identity}.items() if value},
            "log_record": {name: value for name, value in found.items() if name not in (*STACKS, *MESSAGES)},
        },
    )


def _time(found: Mapping[str, Any]) -> float | str | None:
    value = next((found[name] for name in TIMES if isinstance(found.get(name), (str, int, float))), None)
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return float(value) / 1e6 if value.isdigit() and len(value) == 16 else value
    return value if isinstance(value, (str, float)) else float(value)


def _nested(found: Mapping[str, Any], *names: str) -> Any:
    value: Any = found
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(found: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        value = found.get(name)
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            value = "\n".join(value)
        if isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != "":
            return str(value)
    return None


def _joined(message: str, reason: str | None) -> str:
    return message if not reason or reason in message else f"{message}: {reason}" if message else reason
