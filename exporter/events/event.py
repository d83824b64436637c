"""The error event: one report after it was parsed, fingerprinted and classified. The log and the database store it."""

import datetime as dt
from collections.abc import Iterable
from typing import Final, Literal

import msgspec
from msgspec import Struct

Severity = Literal["critical", "warning", "info"]
SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "warning", "info")

MAX_MESSAGE: Final = 8_192  # characters of a message that an event keeps; its `body` has the whole message


class ErrorEvent(Struct, array_like=True, gc=False):
    """One error event. `id` is its position in the log, 0 before it is appended. Times are aware and in UTC. `body` is
    the report's JSON as it was sent, with marks for secrets, or rewritten if only Python's lenient `json` could read
    it. The field order is the format of the log: add fields only at the end, with a default."""

    id: int
    event_id: str
    timestamp: dt.datetime
    received_at: dt.datetime
    worker_id: str
    type: str
    category: str
    message: str
    severity: Severity
    reasons: tuple[str, ...]
    fingerprint: str
    pattern: str
    is_recurring: bool
    is_system_critical: bool
    hardware_type: str | None
    hardware_error: bool
    is_new_pattern: bool = False  # the first event of its pattern since the database was created
    body: str = ""
    cpu_percent: float | None = None
    memory_percent: float | None = None
    disk_percent: float | None = None
    gpu_celsius: float | None = None  # of the hottest GPU
    conditions: str | None = None  # overheating, memory_pressure, throttling: those reported, joined by commas
    pattern_id: str = ""  # the pattern's id when the event was appended: of its family, else its fingerprint
    warnings: tuple[str, ...] = ()  # what of the report was not read, or not believed, and what was done instead
    reported_at: str | None = None  # the timestamp as it was sent, if `timestamp` is not what it says
    imported: bool = False  # an old error that was sent as an import: no alert, no counter, no sound
    is_new_fingerprint: bool = False  # the first event with this fingerprint; its pattern may be known
    scope: str | None = None  # of a new fingerprint: what templates of one family share
    alias: str | None = None  # of a new fingerprint: the known fingerprint that version 1 gives the same report
    run: str | None = None  # the id of the run; with its job, suite, branch, commit and user
    job: str | None = None
    suite: str | None = None
    branch: str | None = None
    commit: str | None = None
    user: str | None = None
    test: str | None = None  # the id of the test
    devices: tuple[str, ...] = ()  # their names (`origin.py`), sorted, each once
    clock_offset: int = 0  # seconds by which `timestamp` is known to be wrong, negative if it is in the past


_SECONDS: Final = len('"2026-01-31T12:00:00')
_MILLISECONDS: Final = _SECONDS + len(".000")
_encode_json = msgspec.json.Encoder().encode
_encode_batch = msgspec.msgpack.Encoder().encode
_decode_batch = msgspec.msgpack.Decoder(list[ErrorEvent]).decode
_decode_items = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_decode_event = msgspec.msgpack.Decoder(ErrorEvent).decode


def encode_batch(events: list[ErrorEvent]) -> bytes:
    """Returns the payload of a batch. The ids in it are ignored: `decode_batch` derives them from the log position."""
    return _encode_batch(events)


def decode_batch(payload: bytes, first: int) -> list[ErrorEvent]:
    """Unpacks what `encode_batch` packed; the events get consecutive ids from `first`. Raises msgspec.DecodeError."""
    events = _decode_batch(payload)
    for id_, event in enumerate(events, first):
        event.id = id_
    return events


def decode_events(payload: bytes, first: int, ids: Iterable[int]) -> list[ErrorEvent]:
    """Unpacks the events with these ids of a batch that begins at `first`."""
    items = _decode_items(payload)
    events = []
    for id_ in ids:
        event = _decode_event(items[id_ - first])
        event.id = id_
        events.append(event)
    return events


def isoformat(moment: dt.datetime) -> str:
    """Returns ISO 8601 in UTC with milliseconds, with `Z` at the end. A moment without an offset is UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    elif moment.tzinfo is not dt.UTC:
        moment = moment.astimezone(dt.UTC)
    text = _encode_json(moment).decode()  # takes less time than `datetime.isoformat`
    return text[1:_MILLISECONDS] + "Z" if text[_SECONDS] == "." else text[1:_SECONDS] + ".000Z"
