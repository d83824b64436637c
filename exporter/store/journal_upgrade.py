"""Takes over the journal files of releases before the log existed (`<database>.journal.0` and `.1`).

    file    turn mark (8 random bytes), CRC-32 of the mark (4 bytes), frames
    frame   turn mark (8 bytes), payload length (4 bytes), CRC-32 of the payload (4 bytes), payload
    payload msgpack: [rows of `errors`, rows of `patterns`]

Integers are big-endian. Files were written over, so what follows the last frame of the file's own turn is older and is
ignored. A file of zero bytes, or one whose mark is zero, holds nothing.
"""

import datetime as dt
import logging
import zlib
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Final

import msgspec

from exporter.events.event import ErrorEvent, Severity
from exporter.store import StoreError
from exporter.store.database import Database
from exporter.store.insert import Inserter
from exporter.store.sql import named

_MARK: Final = Struct("!8sI")
_FRAME: Final = Struct("!8sII")
OldRow = tuple[
    int, str, dt.datetime, dt.datetime, str, str, str, Severity, str, str, str, bool, bool, bool, str | None,
    float | None, float | None, float | None, float | None, str | None, str,
]  # fmt: skip
OldPatternRow = tuple[str, str, str, dt.datetime]
_decode = msgspec.msgpack.Decoder(tuple[list[OldRow], list[OldPatternRow]]).decode
_reasons = msgspec.json.Decoder(tuple[str, ...]).decode
_READ: Final = named("read.sql")
_log = logging.getLogger(__name__)


def take_over_journal(database: Database) -> None:
    """Inserts what the journal files hold and the database does not, then deletes the files. Raises `StoreError` for a
    damaged file, and for one that does not continue this database; then both files are left as they are."""
    files = [database.path.with_name(f"{database.path.name}.journal.{number}") for number in (0, 1)]
    files = [file for file in files if file.exists()]
    if not files:
        return
    events: list[ErrorEvent] = []
    templates: dict[str, str] = {}
    for file in files:
        for payload in frames(file):
            rows, patterns = _decode(payload)
            events += [_event(one) for one in rows]
            templates |= {fingerprint: pattern for fingerprint, pattern, *_ in patterns}
    events.sort(key=lambda event: event.id)
    before = database.position
    _check(database, events, files)
    events = [event for event in events if event.id > before]
    if events:
        _mark_new(database, events, templates)
        with database.writing:
            Inserter(database).insert(events)
        _log.warning("took over %d errors from the journal of an earlier release", len(events))
    for file in files:
        file.unlink()


def frames(path: Path) -> Iterator[bytes]:
    """Yields the payload of every whole frame. A last one that a crash cut off was never acknowledged and is left out.
    Raises `StoreError` if a whole frame follows one that is damaged."""
    content = path.read_bytes()
    if not any(content[: _MARK.size]):
        return
    mark, checksum = _MARK.unpack_from(content.ljust(_MARK.size, b"\0"))
    if zlib.crc32(mark) != checksum:
        raise StoreError(f"{path} is damaged at byte 0; restore it from a backup")
    place = _MARK.size
    while (payload := _payload(content, place, mark)) is not None:
        yield payload
        place += _FRAME.size + len(payload)
    other = place
    while (other := content.find(mark, other + 1)) >= 0:
        if _payload(content, other, mark) is not None:
            raise StoreError(f"{path} is damaged at byte {place}; restore it from a backup")


def _payload(content: bytes, place: int, mark: bytes) -> bytes | None:
    if place + _FRAME.size > len(content):
        return None
    found, length, checksum = _FRAME.unpack_from(content, place)
    payload = content[place + _FRAME.size : place + _FRAME.size + length]
    whole = found == mark and 0 < length == len(payload) and zlib.crc32(payload) == checksum
    return payload if whole else None


def _check(database: Database, events: list[ErrorEvent], files: list[Path]) -> None:
    """Raises `StoreError` unless `events` continue the database without a gap and agree with it."""
    names = " and ".join(str(file) for file in files)
    following = [event.id for event in events if event.id > database.position]
    for expected, id_ in enumerate(following, database.position + 1):
        if id_ != expected:
            raise StoreError(
                f"{names} go on with error {id_} where error {expected} is expected after error {expected - 1}: they "
                "belong to another database, or the database is an older copy; put the files back that belong together"
            )
    for event in [event for event in events if event.id <= database.position][-1:]:
        values = {"id": event.id}
        stored = database.read(lambda cursor: cursor.execute(_READ["event_id"], values).fetchone())  # noqa: B023
        if stored is None or stored[0] != event.event_id:
            raise StoreError(
                f"{names} hold another error {event.id} than the database: they belong to another database"
            )


def _event(old: OldRow) -> ErrorEvent:
    (
        id_, event_id, timestamp, received_at, worker_id, type_, category, severity, reasons, fingerprint, message,
        is_recurring, is_system_critical, hardware_error, hardware_type, cpu, memory, disk, gpu, conditions, report,
    ) = old  # fmt: skip
    return ErrorEvent(
        id=id_, event_id=event_id, timestamp=timestamp.replace(tzinfo=dt.UTC),
        received_at=received_at.replace(tzinfo=dt.UTC), worker_id=worker_id, type=type_, category=category,
        message=message, severity=severity, reasons=_reasons(reasons), fingerprint=fingerprint, pattern="",
        is_recurring=is_recurring, is_system_critical=is_system_critical, hardware_type=hardware_type,
        hardware_error=hardware_error, body=report, cpu_percent=cpu, memory_percent=memory, disk_percent=disk,
        gpu_celsius=gpu, conditions=conditions,
    )  # fmt: skip


def _mark_new(database: Database, events: list[ErrorEvent], templates: dict[str, str]) -> None:
    """Marks the first event of each fingerprint that the database does not know, so that its template is stored."""
    known = {one for (one,) in database.read(lambda cursor: cursor.execute(_READ["known_patterns"]).fetchall())}
    for event in events:
        if event.fingerprint in templates and event.fingerprint not in known:
            known.add(event.fingerprint)
            event.is_new_fingerprint = True
            event.pattern = templates[event.fingerprint]
