"""The embedded engine: one DuckDB file, written by one thread, read by a few.

Rows go in through an appender that stays open. Once a second the same transaction that stores a batch also adds the
errors since the watermark to the minute rollup and to the counters; readers take the rollup up to the watermark and
single rows behind it, so what they see is exact at every moment.
"""

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb
import msgspec

from exporter.dedupe import REMEMBERED
from exporter.event import ErrorEvent
from exporter.store import Count, CounterKey, Outcome, State, StoreError, read
from exporter.store.filters import Filters
from exporter.store.sql import migrations, named

CONDITIONS: Final = ("overheating", "memory_pressure", "throttling")
ROLL_SECONDS: Final = 1.0
_WRITE: Final = named("write.sql")
_READ: Final = named("read.sql")
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


def row(id_: int, event: ErrorEvent) -> tuple[Any, ...]:
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
        msgspec.json.encode(event.reasons).decode(),
        event.fingerprint,
        event.message,
        event.is_recurring,
        event.is_system_critical,
        event.hardware_error,
        event.hardware_type,
        cpu and cpu.percent,
        memory and memory.used_percent,
        disk and disk.used_percent,
        max((d.temperature for d in devices if d.temperature is not None), default=None) if devices else None,
        ",".join(name for name in CONDITIONS if getattr(status, name)) or None if status else None,
        event.body,
    )


class EmbeddedStore:
    """A `Store` in the DuckDB file at `path`."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._local = threading.local()
        self._cursors: list[duckdb.DuckDBPyConnection] = []
        self._known_patterns: set[str] = set()
        self._last_id = self._rolled = 0
        self._rolled_at = 0.0

    def open(self) -> State:
        """Opens or makes the file, and brings an older one up to date. Raises `StoreError`."""
        self._connect()
        self._transact(lambda: self._db.execute(_WRITE["compact"]))
        cursor = self._cursor()
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        hour, six = now - dt.timedelta(hours=1), now - dt.timedelta(hours=6)
        above = max(0, self._last_id - REMEMBERED)
        recent = cursor.execute(_READ["recent_event_ids"], {"above": above}).fetchall()
        mark = cursor.execute(_READ["reset_at"]).fetchone()
        return State(
            last_id=self._last_id,
            counters={
                CounterKey(*key): Count(errors, first.replace(tzinfo=dt.UTC), last.replace(tzinfo=dt.UTC))
                for *key, errors, first, last in cursor.execute(_READ["counters"]).fetchall()
            },
            recurrences={
                fingerprint: [time_.replace(tzinfo=dt.UTC) for time_ in times]
                for fingerprint, times in cursor.execute(_READ["recurrences"], {"since": six}).fetchall()
            },
            event_ids={event_id: (id_, received.replace(tzinfo=dt.UTC)) for event_id, id_, received in recent},
            event_ids_since=recent[0][2].replace(tzinfo=dt.UTC) if above and recent else None,
            critical_seconds=dict(cursor.execute(_READ["seconds"], {"since": hour}).fetchall()),
            received_seconds=dict(cursor.execute(_READ["received_seconds"], {"since": hour}).fetchall()),
            reset_at=mark[0].replace(tzinfo=dt.UTC) if mark and mark[0] else None,
        )

    def commit(self, events: Sequence[ErrorEvent]) -> int:
        first = self._last_id + 1
        last = self._last_id + len(events)
        due = self._clock() - self._rolled_at > ROLL_SECONDS
        new = {e.fingerprint: e for e in reversed(events) if e.fingerprint not in self._known_patterns}

        def write() -> None:
            self._appender.append_rows([row(id_, event) for id_, event in enumerate(events, first)])
            self._appender.flush()
            if new:
                self._patterns.append_rows(
                    [(e.fingerprint, e.pattern, e.type, e.timestamp.replace(tzinfo=None)) for e in new.values()]
                )
                self._patterns.flush()
            if due:
                self._roll(last)

        # One flush alone is a transaction already; every further statement waits once more for the interpreter's lock.
        self._transact(write, last_id=last, single=not new and not due)
        self._last_id = last
        self._known_patterns.update(new)
        if due:
            self._mark_rolled()
        return first

    def idle(self) -> None:
        if self._rolled < self._last_id and self._clock() - self._rolled_at > ROLL_SECONDS:
            self._transact(lambda: self._roll(self._last_id))
            self._mark_rolled()

    def reset_counts(self, at: dt.datetime) -> None:
        self._transact(lambda: self._db.execute("INSERT INTO marks VALUES (?)", [at.replace(tzinfo=None)]))

    def overview(self, hours: int, now: dt.datetime) -> dict[str, Any]:
        return self._read(lambda cursor: read.overview(cursor, hours, now))

    def errors(self, filters: Filters, now: dt.datetime) -> dict[str, Any]:
        return self._read(lambda cursor: read.errors(cursor, filters, now))

    def error(self, id_: int) -> dict[str, Any] | None:
        return self._read(lambda cursor: read.error(cursor, id_))

    def patterns(self, hours: int, now: dt.datetime, limit: int) -> list[dict[str, Any]]:
        return self._read(lambda cursor: read.patterns(cursor, read.Span.of(cursor, hours, now), limit))

    def pattern(self, fingerprint: str, hours: int, now: dt.datetime) -> dict[str, Any] | None:
        return self._read(lambda cursor: read.pattern(cursor, fingerprint, hours, now))

    def find_event(self, event_id: str, timestamp: dt.datetime) -> int | None:
        wanted = {"event_id": event_id, "timestamp": timestamp.replace(tzinfo=None)}
        found = self._read(lambda cursor: cursor.execute(_READ["find_event"], wanted).fetchone())
        return found[0] if found else None

    def outcomes(self, ids: Sequence[int]) -> list[Outcome]:
        rows = self._read(lambda cursor: cursor.execute(_READ["outcomes"], {"ids": list(ids)}).fetchall())
        return [
            Outcome(id_, event_id, severity, msgspec.json.decode(reasons), fingerprint)
            for id_, event_id, severity, reasons, fingerprint in rows
        ]

    def close(self) -> None:
        """Rolls up and checkpoints, so that the next start has no log to replay."""
        try:
            if self._rolled < self._last_id:
                self._transact(lambda: self._roll(self._last_id))
            self._db.execute("CHECKPOINT")
        except (duckdb.Error, StoreError):
            _log.exception("the last checkpoint failed; what was acknowledged is in the log beside the file")
        finally:
            self._db.close()

    def _connect(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = duckdb.connect(str(self.path))
            migrate(self._db, migrations())
            self._db.execute(_WRITE["settings"])
            self._db.execute(_WRITE["facts"])
            self._last_id = _number(self._db, "SELECT coalesce(max(id), 0) FROM errors")
            self._rolled = _number(self._db, _READ["watermark"])
            known = self._db.execute(_READ["known_patterns"]).fetchall()
        except (duckdb.Error, OSError) as error:
            raise StoreError(f"{self.path}: {error}") from error
        self._known_patterns = {fingerprint for (fingerprint,) in known}
        self._rolled_at = self._clock()
        self._generation = object()
        self._appender = self._db.appender("errors")
        self._patterns = self._db.appender("patterns")
        if self._rolled < self._last_id:
            self._transact(lambda: self._roll(self._last_id))
            self._mark_rolled()

    def _transact(self, write: Callable[[], object], *, last_id: int = 0, single: bool = False) -> None:
        """Runs `write` in a transaction of its own, which a `single` statement is by itself. `last_id` is the highest
        error id that it stores, by which a database that broke in the commit is asked whether it was kept. Raises
        `StoreError`."""
        try:
            if not single:
                self._db.execute("BEGIN")
            write()
            if not single:
                self._db.execute("COMMIT")
        except duckdb.FatalException as error:
            # A checkpoint that runs out of disk breaks the instance after the commit is durable: look before judging.
            _log.error("the database broke and is opened again: %s", error)
            self._reopen()
            if not last_id or self._last_id < last_id:
                raise StoreError(str(error)) from error
        except Exception as error:
            self._roll_back(single)
            if isinstance(error, duckdb.Error) and not isinstance(error, duckdb.DataError | duckdb.ProgrammingError):
                raise StoreError(str(error)) from error
            raise  # one row's own fault: the caller may store the others without it

    def _roll_back(self, single: bool) -> None:
        # Rows buffered before a failure would otherwise leak into the next commit.
        self._appender.clear()
        self._patterns.clear()
        if single:
            return
        try:
            self._db.execute("ROLLBACK")
        except duckdb.Error as error:
            _log.error("rollback: %s", error)

    def _reopen(self) -> None:
        # The broken instance lives as long as anything of this process is connected to it.
        for cursor in self._cursors:
            cursor.interrupt()
            cursor.close()
        self._cursors.clear()
        self._db.close()
        self._connect()

    def _roll(self, last_id: int) -> None:
        self._db.execute(_WRITE["roll_minutes"], {"rolled": self._rolled})
        self._db.execute(_WRITE["roll_counters"], {"rolled": self._rolled})
        self._db.execute(_WRITE["roll_watermark"], {"rolled": last_id})

    def _mark_rolled(self) -> None:
        self._rolled, self._rolled_at = self._last_id, self._clock()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """This thread's own cursor, made anew after the database was opened again."""
        local = self._local
        if getattr(local, "generation", None) is not self._generation:
            local.cursor, local.generation = self._db.cursor(), self._generation
            self._cursors.append(local.cursor)
        cursor: duckdb.DuckDBPyConnection = local.cursor
        return cursor

    def _read(self, query: Callable[[duckdb.DuckDBPyConnection], _T]) -> _T:
        """Runs `query` on one state of the database, so that its numbers agree. Raises `StoreError`."""
        try:
            cursor = self._cursor()
            cursor.execute("BEGIN")
            try:
                return query(cursor)
            finally:
                cursor.execute("ROLLBACK")
        except duckdb.Error as error:
            raise StoreError(str(error)) from error


def migrate(db: duckdb.DuckDBPyConnection, scripts: Sequence[str]) -> None:
    """Brings the database to the schema of `scripts`; the version stands in the table `schema_version`. Raises
    `StoreError` for a file of a newer version, or one that is not ours."""
    tables = {name for (name,) in db.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if "schema_version" not in tables:
        if tables:
            raise StoreError("the file is a DuckDB database of something else; choose another --db-path")
        db.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
        db.execute("INSERT INTO schema_version VALUES (0)")
    version = _number(db, "SELECT max(version) FROM schema_version")
    if version > len(scripts):
        raise StoreError(
            f"the file has schema version {version}, this release knows up to {len(scripts)}: use a newer release"
        )
    for number, script in enumerate(scripts[version:], version + 1):
        db.execute("BEGIN")
        db.execute(script)
        db.execute("UPDATE schema_version SET version = ?", [number])
        db.execute("COMMIT")


def _number(db: duckdb.DuckDBPyConnection, query: str) -> int:
    found = db.execute(query).fetchone()
    assert found is not None
    return int(found[0])
