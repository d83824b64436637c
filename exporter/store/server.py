"""The store's process: opens the database, keeps the projection running, and answers requests until its parent is gone.

Threads: the main one reads the socket, answers pings and cancels reads; `WORKERS` threads answer all other requests;
one runs the projection. The process never writes the log and holds no lock that an append needs.
"""

import contextlib
import ctypes
import datetime as dt
import gc
import logging
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import duckdb
import msgspec

from exporter import logs
from exporter.log import LogError
from exporter.log.embedded import EmbeddedLog
from exporter.store import DiskFullError, State, StoreError, delete, queries, read, state
from exporter.store.assignments import Assignments
from exporter.store.database import Database
from exporter.store.decide import decide
from exporter.store.decisions import Decide, Decided, Refused
from exporter.store.deletions import Begin, Delete, Pin
from exporter.store.faults import has_fault
from exporter.store.journal_upgrade import take_over_journal
from exporter.store.pin import pin
from exporter.store.projection import Projection
from exporter.store.sql import named
from exporter.store.states import ChangeState
from exporter.store.wire import LENGTH, MAX_FRAME, PARENTS_SIGNALS, Pong, Request, Response, StoreSettings, frame

WORKERS: Final = 2
SWITCH_SECONDS: Final = (
    0.0005  # GIL switch interval; the default of 5 ms adds up to 5 ms to a read while the projection holds the GIL
)
PR_SET_PDEATHSIG: Final = 1
NICE: Final = 10  # a tenth of the weight of a process of normal priority, where both want the same core
_WRITE: Final = named("write.sql")
_decode_request = msgspec.msgpack.Decoder(Request).decode
_json = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)


class Server:
    """Answers the requests that come over `channel`. `log` is given where both ends are in one process (tests)."""

    def __init__(self, settings: StoreSettings, channel: socket.socket, log: EmbeddedLog | None = None) -> None:
        self._settings = settings
        self._channel = channel
        self._own_log = log is None
        self._database = Database(Path(settings.db_path), settings.db_memory_limit, settings.db_threads)
        self._assignments = Assignments(self._database)
        self._log = log
        self._projection: Projection | None = None
        self._safe_position = 0  # of the log, in files that the next start finds
        self._safe_summaries = 0  # likewise
        self._sending = threading.Lock()
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._interrupting = threading.Lock()
        self._running: dict[int, duckdb.DuckDBPyConnection] = {}  # reads by id: what to interrupt
        self._cancelled: set[int] = set()
        self._threads = [
            threading.Thread(target=self._work, name=f"store-worker-{number}", daemon=True) for number in range(WORKERS)
        ]

    def run(self) -> None:
        """Returns when the other end of the channel is closed."""
        for thread in self._threads:
            thread.start()
        with contextlib.suppress(OSError), self._channel.makefile("rb") as stream:
            while (request := _next_request(stream)) is not None:
                if request.kind == "ping":
                    self._send(Response(request.id, "ok", msgspec.msgpack.encode(self._pong())))
                elif request.kind == "cancel":
                    self._cancel(request.id)
                else:
                    self._requests.put(request)
        for _ in self._threads:
            self._requests.put(None)
        if self._projection:
            self._projection.stop()

    def _pong(self) -> Pong:
        failure = self._projection.failure if self._projection else ""
        if self._projection is None or not self._projection.write_ahead.lost():
            self._safe_position = self._database.position
            self._safe_summaries = self._projection.summaries.number if self._projection else 0
        changed = self._assignments.take_changes()
        deletions = self._projection.retention.deletions if self._projection else 0
        return Pong(
            self._safe_position,
            failure or self._database.damage,
            changed if changed.ids or changed.families else None,
            deletions,
            self._safe_summaries,
            self._projection.states.take_changes() if self._projection else None,
        )

    def _work(self) -> None:
        while (request := self._requests.get()) is not None:
            try:
                payload = b"" if request.id in self._cancelled else self._answer(request)
                response = Response(request.id, "ok", payload)
            except Exception as failure:
                error = self._expected(failure)
                if not isinstance(error, StoreError | LogError):
                    _log.exception("a %s request failed", request.kind)
                response = Response(request.id, "error", str(error).encode("utf-8", "replace"))
            self._cancelled.discard(request.id)
            with contextlib.suppress(OSError):  # the parent is gone
                self._send(response)

    def _expected(self, error: Exception) -> Exception:
        """Returns the `StoreError` for what DuckDB could not read or write; other errors as they are."""
        return self._database.failed(error) if isinstance(error, duckdb.Error) and has_fault(error) else error

    def _answer(self, request: Request) -> bytes:
        if (
            request.kind in ("read", "state", "reset_counts", "decide", "delete", "pin", "change_state", "hold")
            and self._projection is None
        ):
            raise StoreError("the database is being opened")  # it may not have everything that the log has
        match request.kind:
            case "read":
                return self._read(request)
            case "inspect":
                return self._inspect(again=bool(request.payload))
            case "open":
                return self._open(request.payload.decode())
            case "state":
                assert self._projection
                self._projection.catch_up()
                return msgspec.msgpack.encode(self._state())
            case "reset_counts":
                at = msgspec.msgpack.decode(request.payload, type=dt.datetime)
                self._write("INSERT INTO marks VALUES (?)", [at.replace(tzinfo=None)])
                return b""
            case "decide":
                return self._decide(msgspec.msgpack.decode(request.payload, type=Decide))
            case "delete":
                return self._delete(msgspec.msgpack.decode(request.payload, type=Begin | Delete))
            case "pin":
                return self._pin(msgspec.msgpack.decode(request.payload, type=Pin))
            case "change_state":
                return self._change_state(msgspec.msgpack.decode(request.payload, type=ChangeState))
            case "hold":
                return msgspec.msgpack.encode(self._hold())
            case "release":
                self._database.release()
                return b""
            case "log_level":
                logs.set_level(request.payload.decode())
                return b""
            case "close":
                self._close()
                return b""
            case _:
                raise StoreError(f"no such request: {request.kind}")

    def _read(self, request: Request) -> bytes:
        query = queries.decode(request.payload)
        assert self._projection
        try:
            self._projection.catch_up(request.at)
        except DiskFullError:  # what is stored is better than no answer, unless the answer has to be complete
            if isinstance(query, queries.COMPLETE):
                raise
        with self._interrupting:
            self._running[request.id] = self._database.current_cursor()
        try:
            answer = read.answer_from(self._database, query)
        finally:
            with self._interrupting:
                self._running.pop(request.id, None)
        return answer if isinstance(answer, bytes) else _json(answer)

    def _decide(self, asked: Decide) -> bytes:
        """Makes a decision by hand, or refuses it. It sees the patterns of all accepted errors."""
        assert self._projection
        self._projection.catch_up()
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        answer = decide(self._database, self._assignments, asked, now, self._projection.states)
        return _json((isinstance(answer, Decided), answer))

    def _delete(self, asked: Begin | Delete) -> bytes:
        """Begins a deletion on request, or does one step of it."""
        assert self._projection
        self._projection.catch_up()
        with self._database.writing:
            if isinstance(asked, Begin):
                return msgspec.msgpack.encode(delete.begin(self._database, asked))
            return msgspec.msgpack.encode(
                delete.step(self._database, self._projection.rollups, self._projection.inserter, asked)
            )

    def _pin(self, asked: Pin) -> bytes:
        assert self._projection
        self._projection.catch_up()
        with self._database.writing:
            return msgspec.msgpack.encode(pin(self._database, asked, dt.datetime.now(dt.UTC).replace(tzinfo=None)))

    def _change_state(self, asked: ChangeState) -> bytes:
        """Changes the state of a pattern or a worker, or refuses to. It sees the patterns of all accepted errors."""
        assert self._projection
        self._projection.catch_up()
        with self._database.writing:
            answer = self._projection.states.change(asked, dt.datetime.now(dt.UTC).replace(tzinfo=None))
        return _json((not isinstance(answer, Refused), answer))

    def _cancel(self, id_: int) -> None:
        self._cancelled.add(id_)
        with self._interrupting:  # so that the thread cannot begin its next read, which would be interrupted instead
            if cursor := self._running.get(id_):
                with contextlib.suppress(duckdb.Error):  # closed, because the database broke and is opened again
                    cursor.interrupt()
        if len(self._cancelled) > 10_000:  # of reads that had been answered already
            self._cancelled.clear()

    def _inspect(self, *, again: bool = False) -> bytes:
        """Opens the database without touching the log, and returns its `DatabaseInfo`. With `again`, it must exist."""
        with self._database.writing:
            self._database.connect(again=again)
            take_over_journal(self._database)
        return msgspec.msgpack.encode(state.database_info(self._database))

    def _open(self, identity: str) -> bytes:
        """Binds the database to the log with `identity`, catches up with it, and returns the `State`."""
        if self._log is None:
            self._log = EmbeddedLog(
                Path(self._settings.log_path), max_bytes=self._settings.log_max_bytes, readonly=True
            )
        seconds = self._settings.retention_seconds
        self._projection = Projection(
            self._database,
            self._log,
            self._assignments,
            age=dt.timedelta(seconds=seconds) if seconds else None,
            max_bytes=self._settings.max_db_bytes,
            identity=identity,
        )
        behind = ""
        try:
            self._projection.catch_up()
            with self._database.writing:
                self._projection.assign()
        except DiskFullError as error:
            behind = self._projection.failure = str(error)
            _log.error("the database cannot catch up with the log now; reads show what it has: %s", error)
        self._assignments.take_changes()  # the state has them
        loaded = self._state()
        loaded.behind = behind
        with self._database.writing:
            loaded.states = self._projection.states.everything()
        self._projection.start()
        return msgspec.msgpack.encode(loaded)

    def _state(self) -> State:
        return state.load_state(self._database, self._settings.recurrence_times, self._settings.labels)

    def _hold(self) -> int:
        """Keeps the main file as it is, so that it can be copied, and returns its log position, which includes all
        events that were accepted before the call."""
        assert self._projection
        self._database.hold_wanted = True  # before the first step that may take long
        self._projection.catch_up()
        return self._database.hold()

    def _close(self) -> None:
        """Catches up, marks the file complete, and checkpoints, so that the file alone holds everything."""
        self._database.hold_wanted = False  # a hold that waits for reads keeps insertions back
        if self._projection:
            self._projection.stop()
            self._projection.catch_up()
            self._write(_WRITE["mark_complete"])
        with self._database.writing:
            if self._database.connected:
                if self._projection:
                    with contextlib.suppress(duckdb.Error):  # if it fails, the next start replays DuckDB's WAL
                        self._database.db.execute("CHECKPOINT")
                self._database.disconnect()
        if self._log is not None and self._own_log:
            self._log.close()

    def _write(self, sql: str, values: object = None) -> None:
        with self._database.writing:
            self._database.transact(lambda: self._database.db.execute(sql, values))

    def _send(self, response: Response) -> None:
        with self._sending:
            self._channel.sendall(frame(response))


def _next_request(stream: object) -> Request | None:
    header = _exactly(stream.read, LENGTH.size)  # type: ignore[attr-defined]
    if not header:
        return None
    body = _exactly(stream.read, min(MAX_FRAME, *LENGTH.unpack(header)))  # type: ignore[attr-defined]
    return _decode_request(body) if body else None


def _exactly(read_bytes: Callable[[int], bytes], size: int) -> bytes:
    """`size` bytes, or b"" if the stream ends before."""
    content = read_bytes(size)
    return content if len(content) == size else b""


def main(descriptor: int) -> None:
    """Runs as a process of its own, whose end of the socket pair is `descriptor`."""
    if sys.platform == "linux":  # the parent's end, however it happens, kills this process, even if suspended
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in PARENTS_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PARENTS_SIGNALS)
    os.umask(0o077)
    os.nice(NICE)  # accepting reports goes first
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    channel = socket.socket(fileno=descriptor)
    (length,) = LENGTH.unpack(_received(channel, LENGTH.size))
    settings = msgspec.msgpack.decode(_received(channel, length), type=StoreSettings)
    logs.configure(settings)
    Server(settings, channel).run()
    os._exit(0)


def _received(channel: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        part = channel.recv(size - len(content))
        if not part:
            sys.exit(0)
        content += part
    return content


if __name__ == "__main__":
    main(int(sys.argv[1]))
