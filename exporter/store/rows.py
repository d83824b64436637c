"""Error events as rows of the tables `errors` and `patterns`, in the order of their columns. Times are naive UTC."""

import datetime as dt

import msgspec

from exporter.events.event import ErrorEvent
from exporter.ingest.category import stored_category

Row = tuple[
    int, str, dt.datetime, dt.datetime, str, str, str, str, str, str, str, bool, bool, bool, str | None, float | None,
    float | None, float | None, float | None, str | None, str, str | None, str | None, bool, str | None,
]  # fmt: skip
PatternRow = tuple[str, str, str, dt.datetime, str | None]
_json = msgspec.json.Encoder().encode


def row(event: ErrorEvent) -> Row:
    return (
        event.id,
        event.event_id,
        event.timestamp.replace(tzinfo=None),
        event.received_at.replace(tzinfo=None),
        event.worker_id,
        event.type,
        stored_category(event.category),
        event.severity,
        _json(event.reasons).decode(),
        event.fingerprint,
        event.message,
        event.is_recurring,
        event.is_system_critical,
        event.hardware_error,
        event.hardware_type,
        event.cpu_percent,
        event.memory_percent,
        event.disk_percent,
        event.gpu_celsius,
        event.conditions,
        event.body,
        _json(event.warnings).decode() if event.warnings else None,
        event.reported_at,
        event.imported,
        None if event.pattern_id == event.fingerprint else event.pattern_id or None,
    )


def pattern_row(event: ErrorEvent) -> PatternRow:
    return (event.fingerprint, event.pattern, event.type, event.timestamp.replace(tzinfo=None), event.scope)
