"""Calls from the event loop to the process of the store, over a socket, answered in order.

The engine and the event loop would otherwise share one interpreter lock: every statement gives it up and waits to get
it back, which under load costs more than the statement.
"""

import asyncio
import logging
import pickle
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Any, Final

GONE: Final = "the process of the store is gone"
_LENGTH: Final = struct.Struct("!I")
_log = logging.getLogger(__name__)


class Channel:
    """The near end of a socket whose far end is `answer`ed. `lost` is called when that goes without being closed."""

    def __init__(self, near: socket.socket) -> None:
        self._socket = near
        self.lost: Callable[[], None] = lambda: None
        self._calls: deque[asyncio.Future[Any]] = deque()
        self.closed = False

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(sock=self._socket)
        self._task = asyncio.create_task(self._read())

    @property
    def load(self) -> int:
        """How many calls wait for their answer."""
        return len(self._calls)

    def call(self, method: str, *values: Any) -> "asyncio.Future[Any]":
        """The result of `method` over there, or what it raised; `ConnectionError` when there is nobody."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.closed:
            future.set_exception(ConnectionError(GONE))
            return future
        message = pickle.dumps((method, values), pickle.HIGHEST_PROTOCOL)
        self._calls.append(future)
        self._writer.write(_LENGTH.pack(len(message)) + message)
        return future

    def close(self) -> None:
        """Ends the far end's loop, and every call that waits."""
        if self.closed:
            return
        self.closed = True
        self._task.cancel()
        self._writer.close()
        for future in self._calls:
            if not future.done():
                future.set_exception(ConnectionError(GONE))
        self._calls.clear()

    async def _read(self) -> None:
        try:
            while True:
                (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                good, value = pickle.loads(await self._reader.readexactly(length))
                future = self._calls.popleft()
                if future.done():
                    continue
                if good:
                    future.set_result(value)
                else:
                    future.set_exception(value)
        except (asyncio.IncompleteReadError, OSError):
            _log.error(GONE)
            self.close()
            self.lost()


def answer(far: socket.socket, target: object) -> None:
    """Answers the calls of a `Channel` with the methods of `target`, until the other end is closed."""
    with far, far.makefile("rb") as stream:
        while True:
            try:
                header = stream.read(_LENGTH.size)
                if len(header) < _LENGTH.size:
                    return
                method, values = pickle.loads(stream.read(*_LENGTH.unpack(header)))
            except (EOFError, OSError, pickle.UnpicklingError):
                return
            try:
                reply = (True, getattr(target, method)(*values))
            except Exception as error:
                reply = (False, error)
            try:
                far.sendall(_packed(reply))
            except OSError:
                return


def _packed(reply: tuple[bool, Any]) -> bytes:
    """A reply as it is sent. One that cannot be is an error of this call, and must not end the next ones."""
    try:
        message = pickle.dumps(reply, pickle.HIGHEST_PROTOCOL)
        return _LENGTH.pack(len(message)) + message
    except Exception as error:
        _log.exception("a reply cannot be sent")
        return _packed((False, OSError(f"the reply cannot be sent: {error}")))
