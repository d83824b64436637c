"""The error object: one error event as the API's lists and the live updates show it."""

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from exporter.events.cursor import cursor_after
from exporter.events.event import MAX_MESSAGE, ErrorEvent, Severity, isoformat
from exporter.events.groups import GroupName, groups_of
from exporter.events.listed import CONTEXTS, Listed, listed
from exporter.events.plain_text import plain_text

MAX_LISTED_TRACEBACK: Final = 32_768  # characters

Timestamp = Annotated[
    str, Meta(description="ISO 8601 in UTC, with milliseconds", extra_json_schema={"format": "date-time"})
]
Truncated = Literal[
    "message", "traceback", "system_context", "hardware_context", "error_frequency", "run", "test", "devices"
]


class ErrorObject(Struct, kw_only=True):
    """One error. `timestamp` is when it happened, `received_at` when it was received. `reasons` are the texts of the
    severity rules that matched. `pattern_id` is the id of the pattern that the error counts for now. `warnings` name
    the values of the report that were not read or not believed; `reported_at` is the timestamp as it was sent, if it
    was not believed. `imported`: an old error that was sent as an import. `groups` names the groups that count the
    error. `cursor` starts the page of `/api/errors/list` that follows it. `type`, `message` and `traceback` lack
    terminal control sequences. The contexts, `run`, `test` and `devices` are as they were sent, but each known field
    has its type, and is null if it could not be read. `device_names` are the names by which devices are ranked and
    filtered.

    In lists and live updates a message ends after 8,192 characters, a traceback is its last 32,768 characters, and a
    context of more than 32,768 bytes is null; `truncated` names the fields concerned."""

    id: Annotated[int, Meta(ge=1)]
    event_id: str
    timestamp: Timestamp
    received_at: Timestamp
    worker_id: str
    type: str
    error_category: str
    message: str
    severity: Severity
    reasons: list[str]
    fingerprint: str
    pattern_id: str
    warnings: list[str]
    reported_at: str | None
    imported: bool
    is_recurring: bool
    is_system_critical: bool
    is_hardware_error: bool
    is_critical: bool
    groups: tuple[GroupName, ...]
    cursor: str
    traceback: str | None
    # These are values, or `msgspec.Raw`, which only msgspec's JSON encoder can write.
    system_context: Any
    hardware_context: Any
    error_frequency: Any
    run: Any
    test: Any
    devices: Any
    device_names: list[str]
    truncated: list[Truncated] | UnsetType = UNSET


def of_event(event: ErrorEvent) -> ErrorObject:
    """Returns the error object of a stored event."""
    shown, truncated = _shown(event.body)
    return ErrorObject(
        id=event.id,
        event_id=event.event_id,
        timestamp=isoformat(event.timestamp),
        received_at=isoformat(event.received_at),
        worker_id=event.worker_id,
        type=event.type,
        error_category=event.category,
        message=plain_text(event.message),  # earlier releases stored it as it was sent
        severity=event.severity,
        reasons=list(event.reasons),
        fingerprint=event.fingerprint,
        pattern_id=event.pattern_id,
        warnings=list(event.warnings),
        reported_at=event.reported_at,
        imported=event.imported,
        is_recurring=event.is_recurring,
        is_system_critical=event.is_system_critical,
        is_hardware_error=event.hardware_error,
        is_critical=event.severity == "critical",
        groups=groups_of(event.category, hardware_error=event.hardware_error, recurring=event.is_recurring),
        cursor=cursor_after(event.timestamp, event.id),
        traceback=shown.traceback,
        system_context=shown.system_context,
        hardware_context=shown.hardware_context,
        error_frequency=shown.error_frequency,
        run=shown.run,
        test=shown.test,
        devices=shown.devices,
        device_names=list(event.devices),
        truncated=truncated,
    )


def error_object(columns: dict[str, Any], body: str) -> ErrorObject:
    """Returns the error object of an event's `columns` (the fields of `ErrorObject` up to `is_hardware_error`, and
    `device_names`, with times as datetimes) and its `body`, the report as JSON. Long texts and contexts are cut."""
    shown, truncated = _shown(body)
    contexts = {name: getattr(shown, name) for name in CONTEXTS}
    columns["message"] = plain_text(columns["message"])  # earlier releases stored it as it was sent
    return ErrorObject(**derived(columns), **contexts, traceback=shown.traceback, truncated=truncated)


def derived(columns: dict[str, Any]) -> dict[str, Any]:
    """Returns the columns of an event as fields of `ErrorObject`, with those that follow from them."""
    return columns | {
        "timestamp": isoformat(columns["timestamp"]),
        "received_at": isoformat(columns["received_at"]),
        "is_critical": columns["severity"] == "critical",
        "groups": groups_of(
            columns["error_category"],
            hardware_error=columns["is_hardware_error"],
            recurring=columns["is_recurring"],
        ),
        "cursor": cursor_after(columns["timestamp"], columns["id"]),
    }


def _shown(body: str) -> tuple[Listed, list[Truncated] | UnsetType]:
    """Returns what is shown of a report, and the names of the fields that were cut."""
    shown, too_long = listed(body)
    truncated: list[Any] = [*too_long]
    traceback = shown.traceback and plain_text(shown.traceback)
    if traceback and len(traceback) > MAX_LISTED_TRACEBACK:
        traceback = "…" + traceback[-MAX_LISTED_TRACEBACK:]  # the innermost frame is at the end
        truncated.append("traceback")
    shown.traceback = traceback
    if len(plain_text(shown.message or "")) > MAX_MESSAGE:
        truncated.append("message")
    return shown, truncated or UNSET
