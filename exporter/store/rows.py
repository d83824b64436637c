"""Error events as rows of the tables `errors` and `patterns`, in the order of their columns. Times are naive UTC."""

import datetime as dt
from typing import Final

import msgspec

from exporter.events.event import ErrorEvent, Severity
from exporter.ingest.category import stored_category
from exporter.ingest.origin import SEPARATOR
from exporter.store.names import Name, Table

Row = tuple[
    int, dt.datetime, int, int, int, int, int, int | None, int, bool, bool, bool, bool, float | None, float | None,
    float | None, float | None, int, dt.datetime, str, str, str | None, str | None, str | None, str, int | None,
    int | None, int | None, int | None, int | None, int | None, int | None, int | None,
]  # fmt: skip
PatternRow = tuple[str, str, str, dt.datetime, str | None]
SEVERITY_CODES: Final[dict[Severity, int]] = {"info": 0, "warning": 1, "critical": 2}
CONDITION_BITS: Final = {"overheating": 1, "memory_pressure": 2, "throttling": 4}
_json = msgspec.json.Encoder().encode


def names(event: ErrorEvent) -> list[Name]:
    """Returns what `row` needs integers for."""
    found: list[Name] = [
        ("workers", event.worker_id),
        ("types", event.type),
        ("categories", stored_category(event.category)),
        ("fingerprints", event.fingerprint),
    ]
    if event.hardware_type is not None:
        found.append(("hardware_types", event.hardware_type))
    found += [(table, value) for table, value in _origin(event) if value is not None]
    return found


def row(event: ErrorEvent, ids: dict[Name, int], text: int) -> Row:
    """Returns the row of `errors`. `ids` has the integers of `names(event)`, `text` is that of its searched text."""
    hardware = event.hardware_type
    return (
        event.id,
        event.timestamp.replace(tzinfo=None),
        ids["workers", event.worker_id],
        ids["types", event.type],
        ids["categories", stored_category(event.category)],
        SEVERITY_CODES[event.severity],
        ids["fingerprints", event.fingerprint],
        None if hardware is None else ids["hardware_types", hardware],
        text,
        event.is_recurring,
        event.is_system_critical,
        event.hardware_error,
        event.imported,
        event.cpu_percent,
        event.memory_percent,
        event.disk_percent,
        event.gpu_celsius,
        sum(CONDITION_BITS[one] for one in event.conditions.split(",")) if event.conditions else 0,
        event.received_at.replace(tzinfo=None),
        event.event_id,
        _json(event.reasons).decode(),
        None if event.pattern_id == event.fingerprint else event.pattern_id or None,
        _json(event.warnings).decode() if event.warnings else None,
        event.reported_at,
        event.message,
        *(None if value is None else ids[table, value] for table, value in _origin(event)),  # type: ignore[return-value]
    )


def _origin(event: ErrorEvent) -> tuple[tuple[Table, str | None], ...]:
    """Returns the names of run, test and devices, in the order of their columns."""
    return (
        ("runs", event.run),
        ("jobs", event.job),
        ("suites", event.suite),
        ("branches", event.branch),
        ("commits", event.commit),
        ("users", event.user),
        ("tests", event.test),
        ("device_sets", SEPARATOR.join(event.devices) if event.devices else None),
    )


def pattern_row(event: ErrorEvent) -> PatternRow:
    return (event.fingerprint, event.pattern, event.type, event.timestamp.replace(tzinfo=None), event.scope)
