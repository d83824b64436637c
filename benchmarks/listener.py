"""A WebSocket client that costs little: it counts messages, and decodes nothing but the times that it measures."""

import asyncio
import base64
import datetime as dt
import json
import os
import time
from array import array
from collections.abc import Callable
from typing import Final, cast

_RECEIVED: Final = b'"received_at":"'
_OMITTED: Final = b'"omitted":'
_INIT: Final = {"type": "error_visualization_init", "time_range": 24}
TEXT: Final = 1
PING: Final = 9
PONG: Final = 10


class Listener(asyncio.Protocol):
    """One connection to the live updates.

    `batch`: several updates in one message; `most`: the same, and at most so many, as the page asks for; `omitted` says
    whether others were left out. `deflate`: offers compression, as browsers do. `measures`: `lags` gets the seconds
    from the receipt of the first error of each message by the service to the arrival of the message here, so they
    include the commit. `heard` is called for each chunk of bytes.
    """

    def __init__(
        self,
        host: str,
        *,
        since: int | None = None,
        batch: bool = False,
        most: int | None = None,
        deflate: bool = False,
        measures: bool = False,
        heard: Callable[[], None] = lambda: None,
    ) -> None:
        self.messages = 0
        self.bytes = 0
        self.lags = array("d")
        self.times = array("d")  # monotonic, of the arrivals in `lags`
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed = False
        self._host = host
        self.omitted = False
        self._init = _INIT | {"since": since, "batch": batch or most is not None, "most": most}
        self._most = most
        self._deflate = deflate
        self._measures = measures
        self._heard = heard
        self._is_open = False
        self._buffer = bytearray()
        self._skip = 0  # bytes of the current message that are still to come and not looked at

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        more = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" if self._deflate else ""
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET /ws/error-visualization HTTP/1.1\r\nHost: {self._host}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{more}\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self.bytes += len(data)
        if self._skip >= len(data):
            self._skip -= len(data)
            return
        self._buffer += data[self._skip :]
        self._skip = 0
        if not self._is_open:
            head = self._buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            if not self._buffer.startswith(b"HTTP/1.1 101"):
                self.transport.close()
                return
            del self._buffer[: head + 4]
            self._is_open = True
            self._send(TEXT, json.dumps(self._init).encode())
        while self._take():
            pass
        self._heard()

    def connection_lost(self, _: Exception | None) -> None:
        self.closed = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("the service closed the connection"))

    def _take(self) -> bool:
        """Takes one message from the buffer. Returns whether there may be another one."""
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        size, start = buffer[1] & 127, 2
        if size >= 126:
            start = 4 if size == 126 else 10
            if len(buffer) < start:
                return False
            size = int.from_bytes(buffer[2:start], "big")
        kind = buffer[0] & 15
        is_whole = len(buffer) >= start + size
        is_looked_at = self._measures or self._most or kind >= 8 or not self.ready.done()
        if is_looked_at and not is_whole:
            return False
        if is_looked_at:
            self._look(kind, bytes(buffer[start : start + size]))
        if kind == TEXT:
            self.messages += 1
        self._skip = max(0, start + size - len(buffer))
        del buffer[: start + size]
        return bool(buffer)

    def _look(self, kind: int, payload: bytes) -> None:
        if kind == PING:
            self._send(PONG, payload)
        elif kind == TEXT and not self.ready.done():
            self.messages = -1  # the confirmation does not count
            self.ready.set_result(None)
        elif kind == TEXT and self._most:
            at = payload.rfind(_OMITTED) + len(_OMITTED)
            self.omitted = self.omitted or not payload.startswith(b"0", at)
        elif kind == TEXT and self._measures:
            at = payload.find(_RECEIVED)
            if at >= 0:
                moment = payload[at + len(_RECEIVED) : at + len(_RECEIVED) + 24].decode()
                self.lags.append(time.time() - dt.datetime.fromisoformat(moment).timestamp())
                self.times.append(time.monotonic())

    def _send(self, kind: int, payload: bytes) -> None:
        """Sends a message with the mask 0, which the protocol requires of clients."""
        size = bytes([128 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
        self.transport.write(bytes([128 | kind]) + size + bytes(4) + payload)


async def listen(url: str, **options: object) -> Listener:
    """Connects a `Listener` to the service at `url`, and returns it when its subscription is confirmed."""
    host = url.removeprefix("http://")
    name, _, port = host.partition(":")
    make = lambda: Listener(host, **options)  # type: ignore[arg-type]  # noqa: E731
    _, listener = await asyncio.get_running_loop().create_connection(make, name, int(port))
    await asyncio.wait_for(asyncio.shield(listener.ready), 30)
    return listener
