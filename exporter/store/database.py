"""The connection to the DuckDB file: opening, migrating, transactions, a cursor for each reading thread, and recovery
from an engine that invalidated itself (a checkpoint on a full disk does that)."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb

from exporter.log.files import free_bytes, has_no_room
from exporter.store import DamagedError, DiskFullError, StoreError
from exporter.store.faults import first_line, is_damage
from exporter.store.file_kind import check_kind
from exporter.store.migrate import migrate
from exporter.store.sql import migrations, named, number
from exporter.store.wire import MEMORY_LIMIT

CLOSING_SECONDS: Final = 5.0
POLITE_SECONDS: Final = 5.0  # for which a hold waits for a moment without older reads, before insertions wait for it
BUSY_SECONDS: Final = 0.01
CHECKPOINT_SECONDS: Final = 2.0  # after a checkpoint that found no room, before another one is allowed
MAX_SPILL_BYTES: Final = 2**30
_WRITE: Final = named("write.sql")
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
        self.damage = ""  # what a read found to be damaged since the file was opened
        self._telling = threading.Lock()
        self.position = 0  # of the log, as of the last commit
        self._postponed = 0.0  # monotonic time of the last checkpoint that found no room; 0.0 if there was none
        self._generation: object = None  # of the connection; the cursors of an earlier one are not used
        self._local = threading.local()
        self._second = futures.ThreadPoolExecutor(thread_name_prefix="store-second")
        self._cursors: list[duckdb.DuckDBPyConnection] = []

    def connect(self, *, again: bool = False) -> None:
        """Opens the file, or makes it with mode 0600, and brings its schema up to date. With `again`, it must exist: a
        new file would hide that the one that was open is gone. Raises `StoreError`."""
        if again and not self.path.exists():
            raise StoreError("the file of the database was deleted or moved")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            check_kind(self.path)
            self.db = duckdb.connect(str(self.path), config=self._config)
            self._remove_spilled()
        except (duckdb.Error, OSError) as error:
            raise self._unopened(error) from error
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
            raise error if isinstance(error, StoreError) else self._unopened(error) from error
        self.damage = ""
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
            _log.error("the database broke and is opened again: %s", first_line(error))
            self.disconnect()
            self.connect(again=True)
            if has_no_room(self.path.parent, error):
                self._postpone_checkpoints()
            if position is None or self.position < position:
                raise self.failed(error) from error
        except Exception as error:
            self._roll_back()
            raise self.failed(error) from error
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
            raise self.failed(error) from error

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
            raise self.failed(error) from error

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
            raise self.failed(error) from error
        return True

    def release(self) -> None:
        """Ends a hold, also one that another thread waits for. Raises `StoreError`."""
        self.hold_wanted = False
        with self.writing:
            try:
                self.db.execute(_WRITE["release"])
            except duckdb.Error as error:
                raise self.failed(error) from error

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

    def failed(self, error: Exception) -> StoreError:
        """Returns the error for a statement that failed."""
        if isinstance(error, StoreError):
            return error
        if has_no_room(self.path.parent, error):
            return DiskFullError()
        if is_damage(error):
            damaged = DamagedError()
            with self._telling:  # two threads of one read fail at the same time
                told, self.damage = bool(self.damage), str(damaged)
            if not told:  # logged once; what fails because of it has its own line
                _log.warning("%s: %s", self.path, first_line(error))
            return damaged
        if not isinstance(error, duckdb.OutOfMemoryException):
            return StoreError(str(error))
        _log.error("%s", first_line(error))
        return StoreError(
            f"the database needs more memory for this than db_memory_limit allows ({self._memory_limit / 2**20:g} MiB)"
        )

    def _unopened(self, error: Exception) -> StoreError:
        """Returns the error for a file that could not be opened."""
        if has_no_room(self.path.parent, error):
            return DiskFullError()
        said = first_line(error)
        if "extension" in said.lower():  # DuckDB would open a SQLite file, say, with an extension
            said = "the file is not a DuckDB database: choose another --db-path"
        elif is_damage(error):
            said += ": run `error-visualization check`"
        return StoreError(f"{self.path}: {said}")

    def _postpone_checkpoints(self) -> None:
        """Lets commits go on without a checkpoint, which found no room: each would break the instance again."""
        self._postponed = time.monotonic()
        self.db.execute(_WRITE["hold"])

    def resume_checkpoints(self) -> None:
        """Allows checkpoints again when there may be room for one. The caller must hold `writing`. Raises
        `StoreError`."""
        if not self._postponed or self.hold_wanted or time.monotonic() < self._postponed + CHECKPOINT_SECONDS:
            return
        try:
            waiting = wal(self.path).stat().st_size
        except FileNotFoundError:
            waiting = 0
        if free_bytes(self.path.parent) > 2 * waiting:
            self._postponed = 0.0
            try:
                self.db.execute(_WRITE["release"])
            except duckdb.Error as error:
                raise self.failed(error) from error

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
        except duckdb.TransactionException:  # a failed commit has rolled back by itself
            pass
        except duckdb.Error as error:
            _log.error("rollback: %s", error)


def _end(cursor: duckdb.DuckDBPyConnection) -> None:
    """Ends the transaction of a read. A read is interrupted once at most, but that may hit the ROLLBACK itself: DuckDB
    then leaves the transaction open, and every later read with this cursor would fail."""
    try:
        cursor.execute("ROLLBACK")
    except duckdb.InterruptException:
        cursor.execute("ROLLBACK")


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
