"""Databases of earlier releases: what commit 8633bc7 wrote (`fixtures/upgrade`), with all times moved into the last hour,
and databases made here with the schema and the statements of an earlier version."""

import datetime as dt
import json
import re
import struct
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
from conftest import ROOT

from exporter.events.event import ErrorEvent
from exporter.store.migrate import migrate
from exporter.store.rows import pattern_row
from exporter.store.sql import migrations

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


COLUMNS = {1: 21, 2: 21, 3: 23, 4: 23, 5: 24, 6: 25}  # of `errors`, by the version of the schema
_ROLL = (
    """INSERT INTO rollup
    SELECT date_trunc('minute', timestamp), worker_id, type, error_category, severity, hardware_type, hardware_error,
           fingerprint, count(*), count(*) FILTER (is_recurring), min(timestamp), max(timestamp)
    FROM errors GROUP BY ALL""",
    """INSERT INTO counters
    SELECT worker_id, type, error_category, severity, hardware_type, count(*), min(timestamp), max(timestamp)
    FROM errors WHERE {counted} GROUP BY ALL ORDER BY min(id)""",
)


_SINCE_10 = (
    "runs", "jobs", "suites", "branches", "commits", "users", "tests", "device_sets", "run_hour", "run_day", "test_hour",
    "test_day", "device_hour", "device_day", "run_summaries", "run_tests", "summaries_read", "pattern_states", "drained_workers", "audit",
)  # fmt: skip
ORIGIN = ("run", "job", "suite", "branch", "revision", "submitter", "test", "devices")  # columns of `errors` since 10


def take_back_10(db: duckdb.DuckDBPyConnection) -> None:
    """Makes a database of schema version 9 of one of the newest schema."""
    for table in _SINCE_10:
        db.execute(f"DROP TABLE {table}")
    for column in ORIGIN:
        db.execute(f"ALTER TABLE errors DROP COLUMN {column}")
    db.execute("UPDATE schema_version SET version = 9")


def without_origin(events: Sequence[ErrorEvent]) -> None:
    """Makes events of an earlier release of these: they belong to no run, test or device."""
    for one in events:
        one.run = one.job = one.suite = one.branch = one.commit = one.user = one.test = None
        one.devices = ()


def old_row(event: ErrorEvent, version: int) -> tuple[Any, ...]:
    """Returns the row of `errors` with the schema of an earlier version; the category is written as it is."""
    columns = (
        event.id, event.event_id, event.timestamp.replace(tzinfo=None), event.received_at.replace(tzinfo=None),
        event.worker_id, event.type, event.category, event.severity, json.dumps(event.reasons), event.fingerprint,
        event.message, event.is_recurring, event.is_system_critical, event.hardware_error, event.hardware_type,
        event.cpu_percent, event.memory_percent, event.disk_percent, event.gpu_celsius, event.conditions, event.body,
        json.dumps(event.warnings) if event.warnings else None, event.reported_at, event.imported,
        None if event.pattern_id == event.fingerprint else event.pattern_id or None,
    )  # fmt: skip
    return columns[: COLUMNS[version]]


def old_pattern_row(event: ErrorEvent, version: int) -> tuple[Any, ...]:
    """Returns the row of `patterns` with the schema of an earlier version."""
    return pattern_row(event)[: 4 if version < 6 else 5]


def old_database(path: Path, version: int, events: Sequence[ErrorEvent]) -> None:
    """Makes a database as a release with the schema `version` left it after a clean stop. Its log ends at the last of
    `events`."""
    with duckdb.connect(str(path)) as db:
        migrate(db, migrations()[:version])
        _insert(db, "errors", [old_row(one, version) for one in events])
        _insert(db, "patterns", [old_pattern_row(one, version) for one in events if one.is_new_pattern])
        if version > 1 and events:
            db.execute("UPDATE log_position SET position = ?", [events[-1].id])
        for statement in _ROLL:
            db.execute(statement.format(counted="true" if version < 5 else "NOT coalesce(imported, false)"))


def _insert(db: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    appender = db.appender(table)
    appender.append_rows(rows)
    appender.flush()
