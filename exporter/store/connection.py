"""One end of the socket to a store's process: requests out, responses in, matched by id. Runs on the event loop."""

import asyncio
import contextlib
import itertools
import logging
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from exporter.log.embedded import EmbeddedLog
from exporter.store import StoreError
from exporter.store.wire import LENGTH, MAX_FRAME, PARENTS_SIGNALS, Kind, Request, Response, StoreSettings, frame

GONE: Final = "the process of the database ended and is being started again"
_decode = msgspec.msgpack.Decoder(Response).decode
_log = logging.getLogger(__name__)


class Connection:
    """A started store's process (for tests: a thread) and the socket to it. `lost` is called once when it ends without
    having been closed."""

    def __init__(self, settings: StoreSettings, *, shared_log: EmbeddedLog | None = None) -> None:
        """Starts the process. With `shared_log`, starts a thread of this process instead, which reads that log object,
        because a process may not open the same LMDB file twice."""
        self.lost: Callable[[], None] = lambda: None
        self.closed = False
        self._writer: asyncio.StreamWriter | None = None  # none before `open`
        self._pending: dict[int, asyncio.Future[bytes]] = {}
        self._ids = itertools.count(1)
        self._near, far = socket.socketpair()
        self._process: subprocess.Popen[bytes] | None = None
        if shared_log is not None:
            from exporter.store.server import Server  # loads DuckDB, which this process otherwise never does

            server = Server(settings, far, shared_log)
            self._thread = threading.Thread(target=_run, args=(server, far), name="store", daemon=True)
            self._thread.start()
            return
        command = [sys.executable, "-m", "exporter.store.server", str(far.fileno())]
        with far, _blocked(PARENTS_SIGNALS):
            # In a process group of its own: Ctrl-C in a terminal reaches only the parent, which ends the child. It
            # inherits that the signals are blocked, and unblocks them when it ignores them: it is never killed by one.
            self._process = subprocess.Popen(
                command, pass_fds=[far.fileno()], stdin=subprocess.DEVNULL, process_group=0
            )
        self._near.sendall(frame(settings))

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(sock=self._near)
        self._task = asyncio.create_task(self._read())

    @property
    def process_id(self) -> int | None:
        """The id of the process, None for a thread."""
        return None if self._process is None else self._process.pid

    def request(self, kind: Kind, payload: bytes = b"", at: int = 0) -> "tuple[int, asyncio.Future[bytes]]":
        """Sends a request. The future gives the response's payload or raises `StoreError`."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        id_ = next(self._ids)
        if self.closed or self._writer is None:
            future.set_exception(StoreError(GONE))
            return id_, future
        self._pending[id_] = future
        self._writer.write(frame(Request(id_, kind, payload, at)))
        return id_, future

    def cancel(self, id_: int) -> None:
        """Tells the process that nobody waits for the read `id_` any more."""
        if self._pending.pop(id_, None) is not None and not self.closed and self._writer is not None:
            self._writer.write(frame(Request(id_, "cancel")))

    def close(self, message: str = GONE) -> None:
        """Closes the socket, which ends the process, and fails what is pending with `message`."""
        if self.closed:
            return
        self.closed = True
        if self._writer is None:
            self._near.close()
        else:
            self._task.cancel()
            self._writer.close()
        for future in self._pending.values():
            if not future.done():
                future.set_exception(StoreError(message))
                future.exception()  # marks it as retrieved, in case nobody awaits this future
        self._pending.clear()

    async def end(self, seconds: float) -> None:
        """Waits, after `close`, until the process has ended; kills it after `seconds`."""
        if self._process is None:
            await asyncio.to_thread(self._thread.join, seconds)
            return
        process = self._process
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, seconds)
            return
        _log.warning("the process of the database does not end and is killed")
        self.kill()
        await asyncio.to_thread(process.wait, 5)

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    async def _read(self) -> None:
        try:
            while True:
                (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
                if length > MAX_FRAME:
                    raise ValueError(f"a response of {length} bytes")
                response = _decode(await self._reader.readexactly(length))
                future = self._pending.pop(response.id, None)
                if future is None or future.done():
                    continue
                if response.status == "error":
                    future.set_exception(StoreError(response.payload.decode("utf-8", "replace")))
                else:
                    future.set_result(response.payload)
        except (asyncio.IncompleteReadError, OSError):
            _log.error(GONE)
        except (msgspec.MsgspecError, ValueError) as error:
            _log.error("a response of the database's process cannot be read; the process is replaced: %s", error)
            self.kill()
        self.close()
        self.lost()


@contextlib.contextmanager
def _blocked(signals: Iterable[int]) -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(server: object, far: socket.socket) -> None:
    with far:
        server.run()  # type: ignore[attr-defined]
