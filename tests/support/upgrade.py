"""Unpacks the database and the journal that commit 8633bc7 wrote (`fixtures/upgrade`). All times are moved into the
last hour, because the service would delete errors older than the retention."""

import datetime as dt
import json
import re
import struct
import tarfile
import zlib
from pathlib import Path
from typing import Any

import duckdb
from conftest import ROOT

from exporter.store.sql import named

FIXTURE = ROOT / "tests/fixtures/upgrade"
AGE = dt.timedelta(minutes=30)  # of the newest error
# Layout of that commit's journal file: a mark and its checksum, then frames. A frame has the mark, the length and the
# checksum of the payload, and the payload. The payload has times as texts of 26 characters.
_MARK = struct.Struct("!8sI")
_FRAME = struct.Struct("!8sII")
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")


def unpack(folder: Path) -> list[dict[str, Any]]:
    """Returns the acknowledged reports ordered by id: each `report`, and the data of its `answer`."""
    with tarfile.open(FIXTURE / "8633bc7.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    journals = sorted(folder.glob("errors.duckdb.journal.*"))
    times = [time for journal in journals for time in _TIME.findall(journal.read_bytes())]
    newest = dt.datetime.fromisoformat(max(times).decode())
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    delta = dt.timedelta(minutes=(now - AGE - newest) // dt.timedelta(minutes=1))  # whole: the rollup is by minute
    for journal in journals:
        journal.write_bytes(_moved(journal.read_bytes(), delta))
    _move_database(folder / "errors.duckdb", delta)
    acknowledged: list[dict[str, Any]] = json.loads((FIXTURE / "acknowledged.json").read_text("utf-8"))
    return acknowledged


def _moved(content: bytes, delta: dt.timedelta) -> bytes:
    """Returns a journal file with shifted times. Bytes after the last complete frame do not change."""

    def later(found: re.Match[bytes]) -> bytes:
        return (dt.datetime.fromisoformat(found.group().decode()) + delta).isoformat(timespec="microseconds").encode()

    mark, _ = _MARK.unpack_from(content)
    moved = bytearray(content)
    place = _MARK.size
    while place + _FRAME.size <= len(content):
        frame_mark, length, checksum = _FRAME.unpack_from(content, place)
        payload = content[place + _FRAME.size : place + _FRAME.size + length]
        if frame_mark != mark or zlib.crc32(payload) != checksum:
            break
        payload = _TIME.sub(later, payload)
        moved[place : place + _FRAME.size + length] = _FRAME.pack(mark, length, zlib.crc32(payload)) + payload
        place += _FRAME.size + length
    return bytes(moved)


def _move_database(path: Path, delta: dt.timedelta) -> None:
    """Shifts every time of every table. The changes stay in the write-ahead log, where the newest errors were."""
    with duckdb.connect(str(path)) as db:
        db.execute("PRAGMA disable_checkpoint_on_shutdown")
        columns = db.execute(
            "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND data_type LIKE 'TIMESTAMP%'"
        ).fetchall()
        for table, column in columns:
            db.execute(f'UPDATE "{table}" SET "{column}" = "{column}" + ?', [delta])
    assert path.with_name(f"{path.name}.wal").stat().st_size


def roll_up_without_imports(db: duckdb.DuckDBPyConnection) -> None:
    """Fills the rollup and the counters of a database whose schema is older than imported errors."""
    for statement in ("roll_minutes", "roll_counters"):
        db.execute(named("write.sql")[statement].replace(" AND NOT coalesce(imported, false)", ""), {"projected": 0})
