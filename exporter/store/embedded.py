"""The embedded engine: one DuckDB file, and a journal beside it.

A commit is a batch in the journal, on disk when it returns. Every second, and before a reader looks, what was committed
since is taken over into DuckDB: its rows, and in the same transaction what they add up to (the minute rollup and the
counters). So readers always see everything that was acknowledged, and no commit waits for the engine. After a crash the
batches of the journal that DuckDB does not have are taken over at start.
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

from exporter.events.event import ErrorEvent
from exporter.ingest.deduplication import REMEMBERED
from exporter.store import Count, CounterKey, Outcome, State, StoreError, read
from exporter.store.filters import Filters
from exporter.store.journal import JournalFile
from exporter.store.rows import Batch, PatternRow, Row, decode_batch, encode_batch, first_of_patterns, pattern_row, row
from exporter.store.sql import migrations, named

PROJECT_SECONDS: Final = 1.0
APPENDED_AT_ONCE: Final = 100  # rows; a longer call would keep the interpreter's lock from the commits
MAX_UNPROJECTED: Final = 500_000
CLOSING_SECONDS: Final = 5.0
_WRITE: Final = named("write.sql")
_READ: Final = named("read.sql")
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class EmbeddedStore:
    """A `Store` in the DuckDB file at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._cursors: list[duckdb.DuckDBPyConnection] = []
        self._known_patterns: set[str] = set()
        self._last_id = 0
        self._committing = threading.Lock()  # guards the two below, and which file is written
        self._rows: list[Row] = []
        self._patterns: list[PatternRow] = []
        self._projecting = threading.Lock()  # guards the database's writes and the two below
        self._taken: Batch = ([], [])  # what is on its way into the database
        self._projected = 0  # the last id that the database has
        self._failure = ""
        self._connected = False
        self._stop = threading.Event()

    def open(self) -> State:
        """Opens or makes the file, brings an older one up to date, and takes over what a crash left in the journal.
        Raises `StoreError`."""
        self._connect()
        try:
            self._journal, self._spare = (
                JournalFile(self.path.with_name(f"{self.path.name}.journal.{number}")) for number in (0, 1)
            )
            self._replay()
        except OSError as error:
            raise StoreError(f"{self.path}: {error}") from error
        self._transact(lambda: self._db.execute(_WRITE["compact"]))
        self._projector = threading.Thread(target=self._project_again_and_again, name="store-projector", daemon=True)
        self._projector.start()
        return self._state()

    def commit(self, events: Sequence[ErrorEvent]) -> int:
        with self._committing:
            if len(self._rows) > MAX_UNPROJECTED:
                raise StoreError("too much waits to be taken over into the database")
            first = self._last_id + 1
            rows = [row(id_, event) for id_, event in enumerate(events, first)]
            newcomers = first_of_patterns(events, self._known_patterns)
            patterns = [pattern_row(event) for event in newcomers]
            self._journal.append(encode_batch((rows, patterns)))
            self._last_id = rows[-1][0]
            self._rows += rows
            self._patterns += patterns
            for event in newcomers:
                event.is_new_pattern = True
                self._known_patterns.add(event.fingerprint)
            return first

    def failure(self) -> str:
        return self._failure

    def reset_counts(self, at: dt.datetime) -> None:
        with self._projecting:
            self._transact(lambda: self._db.execute("INSERT INTO marks VALUES (?)", [at.replace(tzinfo=None)]))

    def overview(self, hours: int, now: dt.datetime) -> dict[str, Any]:
        return self._read(lambda cursor: read.overview(cursor, hours, now))

    def errors(self, filters: Filters, now: dt.datetime) -> dict[str, Any]:
        return self._read(lambda cursor: read.errors(cursor, filters, now))

    def facets(self, filters: Filters, now: dt.datetime) -> dict[str, Any]:
        return self._read(lambda cursor: read.facets(cursor, filters, now))

    def error(self, id_: int) -> dict[str, Any] | None:
        return self._read(lambda cursor: read.error(cursor, id_))

    def recent_critical(self, since: dt.datetime) -> list[ErrorEvent]:
        return self._read(lambda cursor: read.recent_critical(cursor, since))

    def patterns(self, hours: int, now: dt.datetime, limit: int) -> list[dict[str, Any]]:
        return self._read(lambda cursor: read.patterns(cursor, read.Span.of(hours, now), limit))

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
        """Takes everything over and checkpoints, so that the next start has nothing to replay."""
        self._stop.set()
        self._projector.join()
        with self._projecting:
            try:
                self._project()
                self._db.execute("CHECKPOINT")
                remove = True
            except (duckdb.Error, StoreError):
                _log.exception("the last checkpoint failed; what was acknowledged is in the files beside the database")
                remove = False
            self._disconnect()
        for file in (self._journal, self._spare):
            file.close(remove=remove)

    def project(self) -> None:
        """Takes over into the database everything that was committed before this call. Raises `StoreError`."""
        with self._projecting:
            self._project()

    def _project(self) -> None:
        if not self._connected:  # it broke, and could not be opened again
            self._connect()
        if self._taken[0]:  # an earlier attempt failed
            self._take_over()
        with self._committing:
            if not self._rows:
                return
            self._taken = (self._rows, self._patterns)
            self._rows, self._patterns = [], []
            self._journal, self._spare = self._spare, self._journal
        self._take_over()

    def _take_over(self) -> None:
        """What was taken goes into the database, in one transaction; then its journal file is empty again."""
        rows, patterns = self._taken

        def write() -> None:
            for start in range(0, len(rows), APPENDED_AT_ONCE):
                self._appender.append_rows(rows[start : start + APPENDED_AT_ONCE])
            self._appender.flush()
            if patterns:
                self._pattern_appender.append_rows(patterns)
                self._pattern_appender.flush()
            for statement in ("roll_minutes", "roll_counters"):
                self._db.execute(_WRITE[statement], {"projected": self._projected})

        if rows[-1][0] > self._projected:  # else an engine that broke had kept them all the same
            self._transact(write, last_id=rows[-1][0])
            self._projected = rows[-1][0]
        self._taken = ([], [])
        try:
            self._spare.clear()
        except OSError as error:  # it is tried again before anything is written there
            _log.error("%s: %s", self._spare.path, error)

    def _replay(self) -> None:
        """Takes over the batches of both files that the database does not have."""
        rows: list[Row] = []
        patterns: list[PatternRow] = []
        for file in (self._journal, self._spare):
            for payload in file.frames():
                batch_rows, batch_patterns = decode_batch(payload)
                rows += [one for one in batch_rows if one[0] > self._projected]
                patterns += [one for one in batch_patterns if one[0] not in self._known_patterns]
        if rows:
            _log.warning("taking over %d errors from the journal", len(rows))
            self._taken = (sorted(rows), patterns)
            self._take_over()
            self._known_patterns.update(fingerprint for fingerprint, *_ in patterns)
        self._last_id = self._projected
        self._journal.clear()
        self._spare.clear()

    def _project_again_and_again(self) -> None:
        while not self._stop.wait(PROJECT_SECONDS):
            try:
                self.project()
            except (StoreError, duckdb.Error) as error:
                self._failure = str(error)
                _log.error("committed errors could not be taken over into the database, tried again: %s", error)
            else:
                self._failure = ""

    def _connect(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = duckdb.connect(str(self.path))
            migrate(self._db, migrations())
            self._db.execute(_WRITE["settings"])
            self._db.execute(_WRITE["facts"])
            self._projected = _number(self._db, "SELECT coalesce(max(id), 0) FROM errors")
            known = self._db.execute(_READ["known_patterns"]).fetchall()
        except (duckdb.Error, OSError) as error:
            raise StoreError(f"{self.path}: {error}") from error
        self._known_patterns |= {fingerprint for (fingerprint,) in known}
        self._generation = object()
        self._connected = True
        self._appender = self._db.appender("errors")
        self._pattern_appender = self._db.appender("patterns")

    def _transact(self, write: Callable[[], object], *, last_id: int = 0) -> None:
        """Runs `write` in a transaction of its own. `last_id` is the highest error id that it stores, by which a
        database that broke in the commit is asked whether it was kept. Raises `StoreError`."""
        try:
            self._db.execute("BEGIN")
            write()
            self._db.execute("COMMIT")
        except duckdb.FatalException as error:
            # A checkpoint that runs out of disk breaks the instance after the commit is durable: look before judging.
            _log.error("the database broke and is opened again: %s", error)
            self._reopen()
            if not last_id or self._projected < last_id:
                raise StoreError(str(error)) from error
        except Exception as error:
            self._roll_back()
            raise StoreError(str(error)) from error

    def _roll_back(self) -> None:
        try:
            # Rows buffered before a failure would otherwise leak into the next transaction.
            self._appender.clear()
            self._pattern_appender.clear()
            self._db.execute("ROLLBACK")
        except duckdb.Error as error:
            _log.error("rollback: %s", error)

    def _reopen(self) -> None:
        # The broken instance lives as long as anything of this process is connected to it.
        self._disconnect()
        self._connect()

    def _disconnect(self) -> None:
        """Closes every connection, and interrupts what a reader is doing on one: a busy connection refuses to close."""
        self._connected = False
        for connection in (*self._cursors, self._db):
            deadline = time.monotonic() + CLOSING_SECONDS
            while True:
                connection.interrupt()
                try:
                    connection.close()
                    break
                except duckdb.Error:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.001)
        self._cursors.clear()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """This thread's own cursor, made anew after the database was opened again."""
        local = self._local
        if getattr(local, "generation", None) is not self._generation:
            with self._projecting:  # not while the connections are closed
                local.cursor, local.generation = self._db.cursor(), self._generation
                self._cursors.append(local.cursor)
        cursor: duckdb.DuckDBPyConnection = local.cursor
        return cursor

    def _read(self, query: Callable[[duckdb.DuckDBPyConnection], _T]) -> _T:
        """Runs `query` on one state of the database that has all that was committed before, so that its numbers agree.
        Raises `StoreError`."""
        self.project()
        try:
            cursor = self._cursor()
            cursor.execute("BEGIN")
            try:
                return query(cursor)
            finally:
                cursor.execute("ROLLBACK")
        except duckdb.Error as error:
            raise StoreError(str(error)) from error

    def _state(self) -> State:
        cursor = self._cursor()
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        hour, six = now - dt.timedelta(hours=1), now - dt.timedelta(hours=6)
        above = max(0, self._last_id - REMEMBERED)
        recent = cursor.execute(_READ["recent_event_ids"], {"above": above}).fetchall()
        mark = cursor.execute(_READ["reset_at"]).fetchone()
        critical_since = max(hour, mark[0]) if mark and mark[0] else hour
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
            critical_seconds=dict(cursor.execute(_READ["seconds"], {"since": critical_since}).fetchall()),
            received_seconds=dict(cursor.execute(_READ["received_seconds"], {"since": hour}).fetchall()),
            reset_at=mark[0].replace(tzinfo=dt.UTC) if mark and mark[0] else None,
        )


def migrate(db: duckdb.DuckDBPyConnection, scripts: Sequence[str]) -> None:
    """Brings the database to the schema of `scripts`; the version stands in the table `schema_version`. Raises
    `StoreError` for a file of a newer version, or one that is not ours."""
    tables = {name for (name,) in db.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if "schema_version" not in tables:
        if tables:
            raise StoreError("the file is a DuckDB database of something else; choose another --db-path")
        db.execute("CREATE TABLE schema_version AS SELECT 0 AS version")
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
