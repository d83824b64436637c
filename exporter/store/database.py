"""The connection to the DuckDB file: opening, migrating, transactions, a cursor for each reading thread, and recovery
from an engine that invalidated itself (a checkpoint on a full disk does that)."""

import contextlib
import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb

from exporter.store import StoreError
from exporter.store.file_kind import check_kind
from exporter.store.sql import migrations, named
from exporter.store.wire import MEMORY_LIMIT

CLOSING_SECONDS: Final = 5.0
POLITE_SECONDS: Final = 5.0  # for which a hold waits for a moment without older reads, before insertions wait for it
BUSY_SECONDS: Final = 0.01
MAX_SPILL_BYTES: Final = 2**30
COPIED_BEFORE: Final = 7  # version of the schema: a migration to it copies all errors
COPIED_A_SECOND: Final = 80_000  # errors; to estimate how long a migration takes
COUNTED_A_SECOND: Final = 1_000_000
_WRITE: Final = named("write.sql")
_EACH_DAY: Final = "-- EACH DAY\n"  # begins the last part of a migration, which is run for each day with errors
_DAYS: Final = "SELECT DISTINCT time_bucket(INTERVAL 1 day, t) AS day FROM time_minute ORDER BY day"
_CONFIG: Final[dict[str, Any]] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_U = TypeVar("_U")


class Database:
    """The DuckDB file at `path`. `writing` guards the write connection; `read` may be called from any thread.

    DuckDB uses at most `memory_limit` bytes of memory. What a query needs beyond that it writes to the folder
    `<path>.tmp`, at most `MAX_SPILL_BYTES`."""

    def __init__(self, path: Path, memory_limit: int = MEMORY_LIMIT, threads: int = 1) -> None:
        self.path = path
        self._memory_limit = memory_limit
        self._spill = spill(path)
        # For `connect`, not for a SET after it: replaying DuckDB's write-ahead log happens while connecting.
        self._config = limits(path, memory_limit, threads)
        self.writing = threading.RLock()
        self.hold_wanted = False
        self.connected = False
        self.position = 0  # of the log, as of the last commit
        self._generation: object = None  # of the connection; the cursors of an earlier one are not used
        self._local = threading.local()
        self._second = futures.ThreadPoolExecutor(thread_name_prefix="store-second")
        self._cursors: list[duckdb.DuckDBPyConnection] = []

    def connect(self) -> None:
        """Opens the file, or makes it with mode 0600, and brings its schema up to date. Raises `StoreError`."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            check_kind(self.path)
            self.db = duckdb.connect(str(self.path), config=self._config)
            self._remove_spilled()
        except (duckdb.Error, OSError) as error:
            raise StoreError(f"{self.path}: {error}") from error
        try:
            self.db.execute(_WRITE["settings"])
            # Not for `connect`, which names the folder for temporary files.
            self.db.execute("SET enable_external_access = false")
            migrate(self.db, migrations())
            self.position = number(self.db, "SELECT position FROM log_position")
            self.errors = self.db.appender("errors")
            self.patterns = self.db.appender("patterns")
            self.singles = self.db.appender("single_reports")
        except (duckdb.Error, StoreError) as error:
            # An instance that a failed statement invalidated lives as long as a connection to it: close this one, or
            # every later attempt gets the same broken instance.
            self.db.close()
            raise error if isinstance(error, StoreError) else StoreError(f"{self.path}: {error}") from error
        self._generation = object()
        self.connected = True

    def transact(self, write: Callable[[], object], *, position: int | None = None) -> None:
        """Runs `write` in a transaction. `position` is the log position that it commits; with it, a database that broke
        during the commit is asked after reopening whether the commit was kept. Raises `StoreError`."""
        try:
            self.db.execute("BEGIN")
            write()
            if position is not None:
                self.db.execute(_WRITE["set_position"], {"position": position})
            self.db.execute("COMMIT")
        except duckdb.FatalException as error:
            # A checkpoint that runs out of disk breaks the instance after the commit is durable.
            _log.error("the database broke and is opened again: %s", error)
            self.disconnect()
            self.connect()
            if position is None or self.position < position:
                raise StoreError(str(error)) from error
        except Exception as error:
            self._roll_back()
            raise self._failed(error) from error
        else:
            if position is not None:
                self.position = position

    def read(self, query: Callable[[duckdb.DuckDBPyConnection], _T]) -> _T:
        """Runs `query` in one snapshot of the database. Raises `StoreError`."""
        try:
            cursor = self._cursor()
            try:
                cursor.execute("BEGIN")
                return query(cursor)
            finally:
                _end(cursor)
        except duckdb.Error as error:
            raise self._failed(error) from error

    def read_together(
        self, one: Callable[[duckdb.DuckDBPyConnection], _T], two: Callable[[duckdb.DuckDBPyConnection], _U]
    ) -> tuple[_T, _U]:
        """Runs two queries at the same time, in one snapshot of the database. Raises `StoreError`."""
        try:
            with contextlib.ExitStack() as ended:
                begun = []
                with self.writing:  # no commit in between: a transaction sees the state of its first statement
                    for cursor in (self._cursor(place) for place in (0, 1)):
                        cursor.execute("BEGIN")
                        ended.callback(_end, cursor)
                        begun.append(cursor)
                        number(cursor, "SELECT position FROM log_position")
                second = self._second.submit(two, begun[1])
                try:
                    first = one(begun[0])
                except BaseException:
                    begun[1].interrupt()  # a cancelled read is interrupted in the first query only
                    raise
                finally:
                    futures.wait([second])
                return first, second.result()
        except duckdb.Error as error:
            raise self._failed(error) from error

    def hold(self) -> int:
        """Brings the main file up to date and then keeps it as it is: later commits go to the write-ahead log and to
        blocks of the file that nothing refers to yet. Returns the log position of the file. This ends with `release`,
        with the connection, or when the write-ahead log is longer than the statement `hold` allows; DuckDB then writes
        another header to the file. The caller has to set `hold_wanted` before. Raises `StoreError`."""
        polite_until = time.monotonic() + POLITE_SECONDS
        while self.hold_wanted:
            with self.writing:
                while self.hold_wanted:
                    if self._try_hold():
                        return self.position
                    late = time.monotonic() - polite_until
                    if late > CLOSING_SECONDS:
                        raise StoreError("reads that take long keep the database from a checkpoint; try again later")
                    if late < 0:
                        break
                    time.sleep(BUSY_SECONDS)  # nothing is inserted meanwhile, so that only the present reads matter
            time.sleep(BUSY_SECONDS)
        raise StoreError("the hold was given up")

    def _try_hold(self) -> bool:
        """Returns False while a read runs that began before the last insertion: DuckDB then refuses a checkpoint."""
        try:
            self.db.execute("CHECKPOINT")
            self.db.execute(_WRITE["hold"])
        except duckdb.TransactionException:
            return False
        except duckdb.Error as error:
            raise self._failed(error) from error
        return True

    def release(self) -> None:
        """Ends a hold, also one that another thread waits for. Raises `StoreError`."""
        self.hold_wanted = False
        with self.writing:
            try:
                self.db.execute(_WRITE["release"])
            except duckdb.Error as error:
                raise self._failed(error) from error

    def current_cursor(self) -> duckdb.DuckDBPyConnection:
        """Returns the calling thread's cursor, so that another thread can interrupt it."""
        return self._cursor()

    def disconnect(self) -> None:
        """Closes every connection. A busy one refuses to close, so its statement is interrupted. Raises `StoreError`
        when one stays busy for five seconds."""
        self.connected = False
        for connection in (*self._cursors, self.db):
            deadline = time.monotonic() + CLOSING_SECONDS
            while True:
                connection.interrupt()
                try:
                    connection.close()
                    break
                except duckdb.Error as error:
                    if time.monotonic() > deadline:
                        raise StoreError(f"{self.path}: {error}") from error
                    time.sleep(0.001)
        self._cursors.clear()

    def _cursor(self, place: int = 0) -> duckdb.DuckDBPyConnection:
        """Returns a cursor of the calling thread; each has two."""
        local = self._local
        if not self.connected:
            raise StoreError("the database is not open")
        if getattr(local, "generation", None) is not self._generation:
            with self.writing:  # not while the connections are being replaced
                local.cursors, local.generation = [self.db.cursor(), self.db.cursor()], self._generation
                self._cursors += local.cursors
        cursor: duckdb.DuckDBPyConnection = local.cursors[place]
        return cursor

    def _failed(self, error: Exception) -> StoreError:
        """Returns the error for a statement that failed."""
        if not isinstance(error, duckdb.OutOfMemoryException):
            return StoreError(str(error))
        _log.error("%s", str(error).partition("\n")[0])
        return StoreError(
            f"the database needs more memory for this than db_memory_limit allows ({self._memory_limit / 2**20:g} MiB)"
        )

    def _remove_spilled(self) -> None:
        """Deletes the temporary files that an earlier process left. To be called while the database is open: its lock
        makes sure that no other process uses them. DuckDB itself deletes them only when it needs the folder again."""
        with contextlib.suppress(OSError):  # the folder may be missing, or hold something else
            for left in self._spill.glob("duckdb_temp_*"):
                left.unlink()
            self._spill.rmdir()

    def _roll_back(self) -> None:
        try:
            # Rows buffered before a failure would otherwise become part of the next transaction.
            for appender in (self.errors, self.patterns, self.singles):
                appender.clear()
            self.db.execute("ROLLBACK")
        except duckdb.Error as error:
            _log.error("rollback: %s", error)


def _end(cursor: duckdb.DuckDBPyConnection) -> None:
    """Ends the transaction of a read. A read is interrupted once at most, but that may hit the ROLLBACK itself: DuckDB
    then leaves the transaction open, and every later read with this cursor would fail."""
    try:
        cursor.execute("ROLLBACK")
    except duckdb.InterruptException:
        cursor.execute("ROLLBACK")


def migrate(db: duckdb.DuckDBPyConnection, scripts: Sequence[str]) -> None:
    """Brings the database to the schema of `scripts`; the table `schema_version` holds the version. Raises `StoreError`
    for a file of a newer version, or one that is not ours."""
    tables = {name for (name,) in db.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if "schema_version" not in tables:
        if tables:
            raise StoreError("the file is a DuckDB database of something else; choose another --db-path")
        db.execute("CREATE TABLE schema_version AS SELECT 0 AS version")
    version = number(db, "SELECT max(version) FROM schema_version")
    if version > len(scripts):
        raise StoreError(
            f"the file has schema version {version}, this release knows up to {len(scripts)}: use a newer release"
        )
    began = time.monotonic()
    upgrade = 0 < version < len(scripts)
    if upgrade:
        errors = number(db, "SELECT count(*) FROM errors")
        _log.info(
            "the database is upgraded from schema version %d to %d; %d errors take about %d s",
            version, len(scripts), errors,
            errors // (COPIED_A_SECOND if version < COPIED_BEFORE else COUNTED_A_SECOND) + 1,
        )  # fmt: skip
    for step, script in enumerate(scripts[version:], version + 1):
        once, _, each_day = script.partition(_EACH_DAY)
        db.execute("BEGIN")
        db.execute(once)
        if each_day:
            _fill(db, each_day)
        db.execute("UPDATE schema_version SET version = ?", [step])
        db.execute("COMMIT")
    if upgrade:
        _log.info("the database has schema version %d after %.1f s", len(scripts), time.monotonic() - began)


def _fill(db: duckdb.DuckDBPyConnection, script: str) -> None:
    """Runs the statements of a script for each day that the rollups have, with the parameters $from and $to."""
    statements = [one for one in script.split(";") if one.strip()]
    for (day,) in db.execute(_DAYS).fetchall():
        for statement in statements:
            db.execute(statement, {"from": day, "to": day + dt.timedelta(days=1)})


def number(db: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, object] | None = None) -> int:
    """Returns the number that a query with one row and one column finds. Raises duckdb.Error."""
    row = db.execute(query, values).fetchone()
    assert row is not None
    return int(row[0])


def limits(path: Path, memory_limit: int = MEMORY_LIMIT, threads: int = 1) -> dict[str, Any]:
    """Returns the settings with which DuckDB uses at most `memory_limit` bytes of memory, and `spill(path)` beyond."""
    return _CONFIG | {
        "memory_limit": f"{memory_limit}B",
        "threads": threads,
        "temp_directory": str(spill(path)),
        "max_temp_directory_size": f"{MAX_SPILL_BYTES}B",
    }


def read_only(path: Path) -> duckdb.DuckDBPyConnection:
    """Opens the file of a service that does not run, and writes nothing unless DuckDB has to replay its write-ahead
    log. Raises duckdb.Error."""
    return duckdb.connect(str(path), read_only=not wal(path).exists(), config=limits(path))


def spill(path: Path) -> Path:
    """Returns the folder for what queries of the database at `path` need beyond their memory."""
    return path.with_name(path.name + ".tmp")


def wal(path: Path) -> Path:
    """Returns the path of the write-ahead log of the database at `path`."""
    return path.with_name(path.name + ".wal")
