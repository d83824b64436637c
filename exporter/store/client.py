"""The store as the HTTP process sees it: typed reads with a timeout, and the supervision of the store's process.

    inspect ──► open ──► up ──(ended, unreadable, silent for PING_SECONDS)──► down ──(with backoff)──► inspect ──► …

Accepting a report does not need this module, unless only the database can tell whether the report is a repeat.
"""

import asyncio
import contextlib
import datetime as dt
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import msgspec

from exporter.backoff import Backoff
from exporter.exported.part import Part, decode_part
from exporter.ingest.past import Reassigned
from exporter.log import REPAIR, LogError
from exporter.log.embedded import EmbeddedLog
from exporter.store import DatabaseInfo, State, StoreError, queries
from exporter.store.answers import Version
from exporter.store.connection import Connection
from exporter.store.decisions import Decide, Decided, Refused
from exporter.store.deletions import Begin, Delete, Matching, Pin, Step
from exporter.store.flights import Flights
from exporter.store.states import Act, AddNote, ChangeState, NoteSilence, StateOfPattern, StateOfWorker, StatesChanged
from exporter.store.wire import Pong, StoreSettings

READ_SECONDS: Final = 30.0
OPEN_SECONDS: Final = 600.0  # a long log to catch up with
CLOSE_SECONDS: Final = 5.0
DELETE_SECONDS: Final = 120.0  # for one step of a deletion
HOLD_SECONDS: Final = 50.0  # catching up and a checkpoint
PING_INTERVAL: Final = 1.0
PING_SECONDS: Final = 10.0  # without an answer to a ping, the process is replaced
_R = TypeVar("_R")
_log = logging.getLogger(__name__)


class StoreClient:
    """Starts, watches and asks the store's process. `position` is the log position that the database had at the last
    answered ping; `failure` says why it does not follow the log, "" if it does. At most `max_waiting` reads and as many
    changes wait for it at one time."""

    def __init__(
        self, settings: StoreSettings, log: EmbeddedLog, *, process: bool = True, max_waiting: int = 100
    ) -> None:
        self.position = 0
        self.failure = "the database is not open yet"
        self.restarts = 0
        self.on_position: Callable[[int], None] = lambda _: None
        self.on_reassigned: Callable[[Reassigned], None] = lambda _: None
        self.on_states: Callable[[StatesChanged], None] = lambda _: None
        self._settings = settings
        self._log = log
        self._process = process
        self._connection: Connection | None = None
        self._generation = 0
        self._deletions = 0
        self._flights = Flights(self._ask, lambda: Version(self._generation, self._log.last), max_waiting)
        self._max_waiting = max_waiting
        self._changing = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._exporting = asyncio.Lock()
        self._stopping = False
        self._was_open = False
        self._answered = time.monotonic()

    @property
    def process_id(self) -> int | None:
        """The id of the store's process, None if it is a thread or not started."""
        return self._connection.process_id if self._connection else None

    async def inspect(self, *, again: bool = False) -> DatabaseInfo:
        """Starts the process, which opens the database file, and returns what the database says of its log. With
        `again`, the file must exist. Raises `StoreError`."""
        self._connection = Connection(self._settings, shared_log=None if self._process else self._log)
        await self._connection.open()
        payload = await self._opening("inspect", b"again" if again else b"")
        return msgspec.msgpack.decode(payload, type=DatabaseInfo)

    async def open(self) -> State:
        """Binds the database to the log, lets it catch up, starts the pings, and returns the `State` of the database;
        its `behind` says why the database could not catch up. To be called after `inspect`. Raises `StoreError`."""
        payload = await self._opening("open", self._log.identity.encode())
        state = msgspec.msgpack.decode(payload, type=State)
        assert self._connection
        self._connection.lost = self._lost
        if self._connection.closed:
            raise StoreError("the process of the database ended as soon as it was open")
        self._was_open = True
        self.outdate()
        self._on_pong(Pong(state.position, state.behind, state.past.assigned, states=state.states))
        self._start(self._ping(self._connection))
        return state

    async def state(self) -> State:
        """Returns the `State` when the database has caught up with the log. Raises `StoreError` if it cannot."""
        state = msgspec.msgpack.decode(await self._call("state", b"", OPEN_SECONDS), type=State)
        self.outdate()
        return state

    async def read(self, query: queries.Read[_R], max_age: float = 0.0) -> queries.Encoded[_R]:
        """Returns the answer to `query` as JSON. The answer includes all changes before the last `outdate`, and all
        events that were accepted before this call; an answer that is at most `max_age` seconds old may lack newer
        events. Raises `StoreError`, at the latest after `READ_SECONDS`, or twice that if an equal read has to end
        first."""
        keep = isinstance(query, queries.POLLED)
        answer = await self._flights.join(queries.key(query), queries.encode(query), keep=keep, max_age=max_age)
        return queries.Encoded(query, answer)

    async def read_at(self, query: queries.Read[_R], at: int) -> bytes:
        """Returns the answer to `query`, which includes the events up to the position `at`, and perhaps later ones.
        Raises `StoreError`, at the latest after `READ_SECONDS`."""
        return await self._ask(queries.encode(query), at)

    async def export(self, query: queries.ExportErrors) -> Part:
        """Returns the next part of an export. Only one is read at a time, so that other reads have a thread of the
        database's process. Raises `StoreError`."""
        async with self._exporting:
            return decode_part(await self.read_at(query, query.until))

    def outdate(self) -> None:
        """Makes later reads see the data as it is now. To be called after each change of the data that is no event in
        the log."""
        self._generation += 1

    async def reset_counts(self, at: dt.datetime) -> None:
        """Saves the mark from which the page counts. Raises `StoreError`."""
        await self._change("reset_counts", msgspec.msgpack.encode(at), READ_SECONDS)

    async def decide(self, asked: Decide) -> Decided | Refused:
        """Makes or undoes a decision by hand. When it returns, `on_reassigned` has been called with its changes. Raises
        `StoreError`."""
        decided = await self._change("decide", msgspec.msgpack.encode(asked), READ_SECONDS)
        made, answer = msgspec.json.decode(decided, type=tuple[bool, msgspec.Raw])
        self._on_pong(msgspec.msgpack.decode(await self._call("ping", b"", READ_SECONDS), type=Pong))
        kind: Any = Decided if made else Refused
        result: Decided | Refused = msgspec.json.decode(answer, type=kind)
        return result

    async def delete(self, matching: Matching, address: str) -> tuple[int, int]:
        """Deletes the errors that match, and returns the number of the deletion and of the deleted errors. `address`
        is that of who asked for it. Raises `StoreError`; some errors may be deleted then."""
        begun = await self._change("delete", msgspec.msgpack.encode(Begin(matching, address)), READ_SECONDS)
        number = msgspec.msgpack.decode(begun, type=int)
        step, deleted = Step(0, None, done=False), 0
        try:
            while not step.done:
                payload = msgspec.msgpack.encode(Delete(number, matching, step.after))
                step = msgspec.msgpack.decode(await self._call("delete", payload, DELETE_SECONDS), type=Step)
                deleted += step.deleted
        finally:
            self.outdate()
        return number, deleted

    async def pin(self, asked: Pin) -> bool:
        """Pins or unpins an error or a pattern. Returns false if there is no such error or pattern. Raises
        `StoreError`."""
        found = await self._change("pin", msgspec.msgpack.encode(asked), READ_SECONDS)
        return msgspec.msgpack.decode(found, type=bool)

    async def change_state(self, asked: ChangeState) -> StateOfPattern | StateOfWorker | Refused | None:
        """Changes the state of a pattern or a worker. When it returns, `on_states` has been called with it. Raises
        `StoreError`."""
        changed = await self._change("change_state", msgspec.msgpack.encode(asked), READ_SECONDS)
        made, answer = msgspec.json.decode(changed, type=tuple[bool, msgspec.Raw])
        if made:
            self._on_pong(msgspec.msgpack.decode(await self._call("ping", b"", READ_SECONDS), type=Pong))
        if isinstance(asked, NoteSilence):
            return None
        kind: Any = (StateOfPattern if isinstance(asked, Act | AddNote) else StateOfWorker) if made else Refused
        result: StateOfPattern | StateOfWorker | Refused = msgspec.json.decode(answer, type=kind)
        return result

    async def hold(self) -> int:
        """Keeps the file of the database as it is until `release`, or until another process opens the database. Returns
        the log position of the file, which includes all accepted events. Raises `StoreError`."""
        return int(msgspec.msgpack.decode(await self._call("hold", b"", HOLD_SECONDS)))

    def release(self) -> None:
        """Ends a hold, also one that was asked for and not answered. Does not wait: a process that does not answer is
        replaced, and the next one begins without a hold."""
        if self._connection:
            _, future = self._connection.request("release")
            future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def set_log_level(self, level: str) -> None:
        """Changes the least severe level that the process logs, and those that replace it. Does not wait."""
        self._settings = msgspec.structs.replace(self._settings, log_level=level)
        if self._connection:
            _, future = self._connection.request("log_level", level.encode())
            future.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def close(self) -> None:
        """Closes the database and ends the process, within about `CLOSE_SECONDS`."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._connection is None:
            return
        try:
            await self._call("close", b"", CLOSE_SECONDS)
        except StoreError as error:
            level = logging.ERROR if self._was_open else logging.DEBUG  # the start has failed, which says why
            _log.log(level, "the database was not closed; the log keeps what the database does not have: %s", error)
        self._connection.close()
        await self._connection.end(1.0)

    async def _change(self, kind: Any, payload: bytes, seconds: float) -> bytes:
        """As `_call`, for what changes the data by hand. Raises `StoreError` if too many changes wait."""
        if self._changing >= self._max_waiting:
            raise StoreError(f"{self._changing} other changes wait for the database")
        self._changing += 1
        try:
            return await self._call(kind, payload, seconds)
        finally:
            self._changing -= 1
            self.outdate()  # also after a failure: the change may have been made

    async def _call(self, kind: Any, payload: bytes, seconds: float) -> bytes:
        assert self._connection
        _, future = self._connection.request(kind, payload)
        try:
            return await _within(future, seconds)
        except TimeoutError:
            raise StoreError(f"the database did not answer within {seconds:g} s") from None

    async def _opening(self, kind: Any, payload: bytes) -> bytes:
        assert self._connection
        try:
            return await self._call(kind, payload, OPEN_SECONDS)
        except StoreError as error:
            if self._connection.closed:
                raise StoreError(f"the process of the database ended when it opened the files: {REPAIR}") from error
            raise

    async def _ask(self, payload: bytes, at: int) -> bytes:
        """Sends a read and waits for its answer. Cancelling this call cancels the read, too. Raises `StoreError`."""
        connection = self._connection
        assert connection
        id_, future = connection.request("read", payload, at)
        try:
            return await _within(future, READ_SECONDS)
        except TimeoutError:
            connection.cancel(id_)
            raise StoreError(f"the database did not answer within {READ_SECONDS:g} s") from None
        except asyncio.CancelledError:
            connection.cancel(id_)
            raise

    async def _ping(self, connection: Connection) -> None:
        """Pings the process once a second until it ends, and replaces it when it does not answer for
        `PING_SECONDS`."""
        self._answered = time.monotonic()
        while not connection.closed:
            _, future = connection.request("ping")
            try:
                payload = await _within(future, PING_SECONDS)
                if connection.closed:  # it ended just after its answer
                    return
                self._on_pong(msgspec.msgpack.decode(payload, type=Pong))
            except (TimeoutError, msgspec.MsgspecError) as error:
                reason = str(error) or f"no answer for {PING_SECONDS:g} s"
                _log.error("the process of the database does not answer a ping and is replaced: %s", reason)
                connection.kill()
                connection.close()
                self._lost()
                return
            except StoreError:
                return  # the connection is closed; if the process was lost, the connection calls `_lost`
            await asyncio.sleep(PING_INTERVAL)

    def _on_pong(self, pong: Pong) -> None:
        self._answered = time.monotonic()
        if self.failure and not pong.failure:
            self.outdate()  # answers that were given meanwhile may lack events
        self.failure = pong.failure
        self.position = pong.position
        if pong.deletions != self._deletions:
            self._deletions = pong.deletions
            self.outdate()
        if pong.changed:
            self.outdate()
            self.on_reassigned(pong.changed)
        if pong.states:
            self.outdate()
            self.on_states(pong.states)
        self._log.release_summaries(pong.summaries)
        self.on_position(pong.position)

    def silent_seconds(self) -> float:
        """For how long the process has not answered a ping."""
        return time.monotonic() - self._answered

    def _lost(self) -> None:
        if not self._stopping:
            self.failure = "its process ended and is started again"
            self.restarts += 1
            self._start(self._renew())

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine until it ends or the client is closed."""
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(asyncio.create_task(coroutine))

    def _check_same(self, found: DatabaseInfo) -> None:
        """Raises `StoreError` if another database than before was opened."""
        same = not found.identity or found.identity == self._log.identity
        if not same or not self._log.first - 1 <= found.position <= self._log.last:
            raise StoreError("the file of the database was replaced by another one")

    async def _renew(self) -> None:
        """Starts a new process, with backoff, until one has opened the database."""
        backoff = Backoff(0.2, 15.0)
        while True:
            old = self._connection
            assert old
            old.close()
            await old.end(0.5)
            try:
                self._check_same(await self.inspect(again=True))
                await self.open()
                return
            except Exception as error:
                failure = f"it does not start: {error}"
                if failure != self.failure:
                    expected = isinstance(error, StoreError | LogError | OSError)
                    _log.error("the database does not start: %s", error, exc_info=None if expected else error)
                self.failure = failure
                await asyncio.sleep(backoff.next())
            except asyncio.CancelledError:
                with contextlib.suppress(Exception):
                    if self._connection:
                        self._connection.close()
                raise


async def _within(future: "asyncio.Future[bytes]", seconds: float) -> bytes:
    """The result of `future`. Raises TimeoutError. Python 3.11's `asyncio.wait_for` loses the cancellation of a task
    whose future is done at that moment; the task would then go on for good."""
    async with asyncio.timeout(seconds):
        return await future
