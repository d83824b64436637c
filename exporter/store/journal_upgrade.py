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

from exporter.ingest.category import stored_category
from exporter.store import StoreError
from exporter.store.database import Database
from exporter.store.rows import PatternRow, Row
from exporter.store.sql import named

_MARK: Final = Struct("!8sI")
_FRAME: Final = Struct("!8sII")
OldRow = tuple[
    int, str, dt.datetime, dt.datetime, str, str, str, str, str, str, str, bool, bool, bool, str | None, float | None,
    float | None, float | None, float | None, str | None, str,
]  # fmt: skip
OldPatternRow = tuple[str, str, str, dt.datetime]
_decode = msgspec.msgpack.Decoder(tuple[list[OldRow], list[OldPatternRow]]).decode
_WRITE: Final = named("write.sql")
_READ: Final = named("read.sql")
_log = logging.getLogger(__name__)


def take_over_journal(database: Database) -> None:
    """Inserts what the journal files hold and the database does not, then deletes the files. Raises `StoreError` for a
    damaged file, and for one that does not continue this database; then both files are left as they are."""
    files = [database.path.with_name(f"{database.path.name}.journal.{number}") for number in (0, 1)]
    files = [file for file in files if file.exists()]
    if not files:
        return
    rows: list[Row] = []
    patterns: list[PatternRow] = []
    for file in files:
        for payload in frames(file):
            batch_rows, batch_patterns = _decode(payload)
            rows += [(*one[:6], stored_category(one[6]), *one[7:], None, None, False, None) for one in batch_rows]
            patterns += [(*one, None) for one in batch_patterns]
    rows.sort()
    before = database.position
    _check(database, rows, files)
    rows = [one for one in rows if one[0] > before]
    if rows:
        _insert(database, rows, patterns, before)
        _log.warning("took over %d errors from the journal of an earlier release", len(rows))
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


def _check(database: Database, rows: list[Row], files: list[Path]) -> None:
    """Raises `StoreError` unless `rows` (id, event_id, …) continue the database without a gap and agree with it."""
    names = " and ".join(str(file) for file in files)
    following = [one[0] for one in rows if one[0] > database.position]
    for expected, id_ in enumerate(following, database.position + 1):
        if id_ != expected:
            raise StoreError(
                f"{names} go on with error {id_} where error {expected} is expected after error {expected - 1}: they "
                "belong to another database, or the database is an older copy; put the files back that belong together"
            )
    common = [one for one in rows if one[0] <= database.position][-1:]
    for id_, event_id, *_ in common:
        stored = database.read(lambda cursor: cursor.execute(_READ["outcome"], {"id": id_}).fetchone())  # noqa: B023
        if stored is None or stored[1] != event_id:
            raise StoreError(f"{names} hold another error {id_} than the database: they belong to another database")


def _insert(database: Database, rows: list[Row], patterns: list[PatternRow], before: int) -> None:
    known = database.read(lambda cursor: cursor.execute(_READ["known_patterns"]).fetchall())
    new = [one for one in patterns if (one[0],) not in known]

    def write() -> None:
        database.errors.append_rows(rows)
        database.errors.flush()
        if new:
            database.patterns.append_rows(new)
            database.patterns.flush()
        for statement in ("roll_minutes", "roll_counters"):
            database.db.execute(_WRITE[statement], {"projected": before})

    with database.writing:
        database.transact(write, position=rows[-1][0])
