"""The projection: reads the log from the database's position and inserts its events, in bounded transactions.

Each transaction inserts events and moves the position, so a crash neither loses nor doubles an event. The projection
runs once a second, and before each read, which must see all events that were accepted before the read was requested.
Between two runs it rolls up what was inserted (`rollups.py`), packs reports (`insert.py`) and deletes old errors
(`retention.py`), in small steps. After an upgrade this takes minutes; the log is copied once a second meanwhile, too.
"""

import datetime as dt
import logging
import threading
import time
from typing import Final

import duckdb
import msgspec

from exporter.events.event import ErrorEvent, decode_batch
from exporter.log import REPAIR, LogDamagedError, LogError
from exporter.log.embedded import EmbeddedLog
from exporter.log.files import free_bytes
from exporter.store import DiskFullError, StoreError
from exporter.store.assignments import Assignments
from exporter.store.database import Database
from exporter.store.insert import Inserter
from exporter.store.pattern_states import PatternStates
from exporter.store.retention import Retention
from exporter.store.rollups import Rollups
from exporter.store.sql import named
from exporter.store.state import log_position
from exporter.store.summaries import Summaries
from exporter.store.write_ahead import WriteAhead

INTERVAL_SECONDS: Final = 1.0
BATCH_BYTES: Final = 2**24  # of log records in one transaction
LONG_SECONDS: Final = 0.1  # of CPU, for computing families
PAUSE_FACTOR: Final = 9  # computing families that take longer is done for a tenth of the time at most
RETRY_SECONDS: Final = 60.0  # after a failure to compute them
ROLL_FROM: Final = 32_768  # errors; fewer are not rolled up yet, and reads count them one by one
FULL_SECONDS: Final = 0.5  # after an insertion that found no room, reads do not try again for so long,
FULL_BYTES: Final = 2**22  # unless so much is free
STEP_PAUSE_SECONDS: Final = 0.001  # between two steps of rolling up or packing, in which a read gets the lock
_WRITE: Final = named("write.sql")
_log = logging.getLogger(__name__)


class Projection:
    """Copies the log into `database`. `failure` says why the last attempt failed, "" if it did not. `age` and
    `max_bytes` are those of `Retention`."""

    def __init__(
        self,
        database: Database,
        log: EmbeddedLog,
        assignments: Assignments | None = None,
        *,
        age: dt.timedelta | None = None,
        max_bytes: int = 0,
        identity: str = "",
    ) -> None:
        """With `identity`, the database is bound to the log with this identity before anything is inserted."""
        self.failure = ""
        self.write_ahead = WriteAhead(database)
        self._database = database
        self._log = log
        self.inserter = Inserter(database)
        self.rollups = Rollups(database)
        self.summaries = Summaries(database, log, self.inserter)
        self.states = PatternStates(database)
        self.retention = Retention(database, self.inserter, self.rollups, age, max_bytes)
        self._assignments = assignments
        self._identity = identity
        self._full_until = 0.0  # monotonic time
        self._unassigned = True  # templates may lack a pattern id: new ones, and what an earlier process left
        self._assign_after = 0.0  # monotonic time
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-projection", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the transaction that it is in."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def catch_up(self, position: int | None = None) -> None:
        """Inserts the log's events up to `position`, by default the log's end when the call begins. To follow an end
        that moves while reports keep coming would mean many small transactions, each with its fixed cost. Raises
        `StoreError`."""
        if position is None:
            position = self._last()
        if self._database.connected and self._database.position >= position and not self._identity:
            if self.summaries.wait():
                with self._database.writing:
                    self.summaries.catch_up()
            return
        with self._database.writing:
            if not self._database.connected:  # it broke and could not be opened again
                self._database.connect(again=True)
            if time.monotonic() < self._full_until and free_bytes(self._database.path.parent) < FULL_BYTES:
                raise DiskFullError
            try:
                self._bind()
                while self._database.position < position:
                    events = self._read()
                    if not events:
                        break
                    self.insert(events)
                self.summaries.catch_up()
            except DiskFullError:
                self._full_until = time.monotonic() + FULL_SECONDS
                raise
            self.assign()

    def _bind(self) -> None:
        """Ties the database to the log, if it is not."""
        if not self._identity:
            return
        database, identity = self._database, self._identity
        bound = log_position(database.db)
        if bound.identity != identity or bound.complete:
            database.transact(lambda: database.db.execute(_WRITE["bind"], {"identity": identity}))
        self._identity = ""

    def _last(self) -> int:
        try:
            return self._log.refresh()
        except LogError as error:
            raise _unread(error) from error

    def _read(self) -> list[ErrorEvent]:
        """The events after the database's position, from about `BATCH_BYTES` of the log."""
        after = self._database.position
        try:
            records = self._log.read(after + 1, BATCH_BYTES)
            events = [event for record in records for event in decode_batch(record.payload, record.first)]
        except (LogError, msgspec.DecodeError) as error:
            raise _unread(error) from error
        return events if not events or events[0].id > after else [event for event in events if event.id > after]

    def insert(self, events: list[ErrorEvent]) -> None:
        """Inserts events that follow the database's position, in one transaction. Raises `StoreError`."""
        self.inserter.insert(events, lambda: self.states.on_events(events))
        new = [event.fingerprint for event in events if event.is_new_fingerprint or event.is_new_pattern]
        self._unassigned = self._unassigned or bool(new)
        if new and self._assignments is not None:
            self._assignments.send_again(new)
        self.states.note()  # last: if it fails, the events are stored all the same, and are not inserted again

    def assign(self) -> None:
        """Gives new templates their pattern ids, unless computing the families took long and was done just now: a flood
        of new templates must not delay each read. Meanwhile, and if it fails, reads show errors under their
        fingerprints. Needs `database.writing`."""
        now, began = time.monotonic(), time.thread_time()
        if not self._unassigned or self._assignments is None or now < self._assign_after:
            return
        try:
            self._unassigned = self._assignments.refresh()
            self.states.names_changed()
            self.states.note()
        except (StoreError, duckdb.Error) as error:
            _log.warning("the families of new patterns could not be computed; it is tried again: %s", error)
            self._unassigned = True
            self._assign_after = now + RETRY_SECONDS
            return
        took = time.thread_time() - began
        self._assign_after = now + took * (1 + PAUSE_FACTOR) if took > LONG_SECONDS else 0.0

    def _tidy(self) -> bool:
        """Rolls up and packs what waits for it, and deletes what is too old, for `INTERVAL_SECONDS` at most. Lets reads
        go ahead between two steps. Returns whether there may be more to do."""
        until = time.monotonic() + INTERVAL_SECONDS
        for step in (self._roll_up, self.inserter.pack_step, self.retention.step):
            while not self._stop.wait(STEP_PAUSE_SECONDS):
                if time.monotonic() >= until:
                    return True
                with self._database.writing:
                    if not step():
                        break
        return False

    def _roll_up(self) -> bool:
        return self.rollups.step(ROLL_FROM)

    def _run(self) -> None:
        pause = INTERVAL_SECONDS
        while not self._stop.wait(pause):
            began = time.monotonic()
            pause = INTERVAL_SECONDS
            try:
                self.catch_up()
                with self._database.writing:
                    self.assign()
                    self.states.end_by_time(_now())
                    self.write_ahead.keep()
                    self._database.resume_checkpoints()
                if self._tidy():
                    pause = 0.0
            except (StoreError, duckdb.Error) as error:
                self._failed(str(self._database.failed(error)))
            except Exception as error:
                self._failed(repr(error), error)
            else:
                if self.failure:
                    _log.info("the log is copied into the database again")
                self.failure = ""
                _log.debug("projected up to position %d in %.3f s", self._database.position, time.monotonic() - began)

    def _failed(self, failure: str, error: Exception | None = None) -> None:
        """Notes why the last attempt failed, and logs it once."""
        if failure != self.failure:
            _log.error("the log could not be copied into the database; it is tried again: %s", failure, exc_info=error)
        self.failure = failure


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


def _unread(error: Exception) -> StoreError:
    """Returns the error for events of the log that cannot be read."""
    damaged = isinstance(error, LogDamagedError | msgspec.DecodeError)
    return StoreError(f"{error}: {REPAIR}" if damaged else str(error))
