"""Events as rows of the tables `errors` and `patterns`, and as a batch of the journal."""

import datetime as dt
from collections.abc import Sequence
from typing import Final

import msgspec

from exporter.events.event import ErrorEvent

CONDITIONS: Final = ("overheating", "memory_pressure", "throttling")
Row = tuple[
    int, str, dt.datetime, dt.datetime, str, str, str, str, str, str, str, bool, bool, bool, str | None, float | None,
    float | None, float | None, float | None, str | None, str,
]  # fmt: skip
PatternRow = tuple[str, str, str, dt.datetime]
Batch = tuple[list[Row], list[PatternRow]]

encode_batch = msgspec.msgpack.Encoder().encode
decode_batch = msgspec.msgpack.Decoder(Batch).decode
_json = msgspec.json.Encoder().encode


def row(id_: int, event: ErrorEvent) -> Row:
    """The event, stored as `id_`, in the order of the columns of `errors`."""
    report = event.report
    system, hardware = report.system_context, report.hardware_context
    metrics = system.metrics if system else None
    cpu, memory, disk = (metrics.cpu, metrics.memory, metrics.disk) if metrics else (None, None, None)
    devices = system.gpu_metrics.devices if system and system.gpu_metrics else None
    status = hardware.hardware_status if hardware else None
    return (
        id_,
        event.event_id,
        event.timestamp.replace(tzinfo=None),
        event.received_at.replace(tzinfo=None),
        event.worker_id,
        event.type,
        event.category,
        event.severity,
        _json(event.reasons).decode(),
        event.fingerprint,
        event.message,
        event.is_recurring,
        event.is_system_critical,
        event.hardware_error,
        event.hardware_type,
        cpu.percent if cpu else None,
        memory.used_percent if memory else None,
        disk.used_percent if disk else None,
        max([d.temperature for d in devices if d.temperature is not None], default=None) if devices else None,
        ",".join([name for name in CONDITIONS if getattr(status, name)]) or None if status else None,
        event.body,
    )


def first_of_patterns(events: Sequence[ErrorEvent], known: set[str]) -> list[ErrorEvent]:
    """The first event of each pattern that is not `known`."""
    return list({event.fingerprint: event for event in reversed(events) if event.fingerprint not in known}.values())


def pattern_row(event: ErrorEvent) -> PatternRow:
    return (event.fingerprint, event.pattern, event.type, event.timestamp.replace(tzinfo=None))
