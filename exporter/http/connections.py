"""The connections: how many there may be, how long each may keep the service waiting, and what is answered to what is
not HTTP.

    accepted ─► header ─► request is handled, its body arrives (arriving.py) ─► answer ─► idle ─► header ─► …
                header_timeout                                   idle_timeout         idle_timeout

aiohttp itself only closes idle connections, and a header that arrives at that moment with them. Here all connections
are looked at once a second. At the limit, a new one takes the place of the idle one that was used longest ago; those
that never sent a request go first.
"""

import asyncio
import contextlib
import heapq
import logging
import resource
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Final, cast

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from exporter.config import Settings
from exporter.http.responses import failure
from exporter.http.taken import untaken

MAX_HEADER_BYTES: Final = 32_768
LOOK_SECONDS: Final = 1.0
LOG_SECONDS: Final = 60.0  # between two lines about the limit
VICTIMS: Final = 64  # idle connections that are looked for at once
SPARE: Final = 16  # descriptors for files, alerts, and a new process of the database
_OWN_FILES: Final = Path("/proc/self/fd")
_REASONS: Final = {408: "Request Timeout", 431: "Request Header Fields Too Large", 503: "Service Unavailable"}
_log = logging.getLogger(__name__)


def allow_files() -> None:
    """Raises the limit of open files of this process as far as the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError) as error:  # macOS: the hard limit may be "unlimited", and the kernel's is lower
            _log.info("the limit of open files stays at %d: %s", soft, error)


class Connection(web.RequestHandler):
    """aiohttp's protocol of one connection, with deadlines. `socket` is its transport, also after it was closed."""

    socket: asyncio.Transport

    def __init__(self, connections: "Connections", server: web.Server, **options: Any) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._connections = connections
        self.header_bytes = 0  # of a header that is not complete
        self.header_since = 0.0
        self.untaken = 0  # bytes that the client had not taken at the last look
        self.taken_at = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether no request is handled: the connection is idle, or a header is arriving."""
        waiter = self._waiter
        return self._request_count == 0 if waiter is None else not waiter.done()

    @property
    def idle_since(self) -> float:
        """When it was made or the last request was answered, if it is waiting."""
        return self._next_keepalive_close_time - self._keepalive_timeout

    @property
    def has_asked(self) -> bool:
        """Whether it has ever sent a request."""
        return self._request_count > 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.socket = cast("asyncio.Transport", transport)
        if self._connections.admit(self):
            super().connection_made(transport)
            return
        self.transport = self.socket
        self.refuse(503, "too many connections; connect again later", retry_after=1)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.parse(data)
        if not self.is_waiting:
            self.header_bytes = 0
            return
        if not self.header_bytes:
            self.header_since = self._loop.time()
        self.header_bytes += len(data)
        if self.header_bytes > MAX_HEADER_BYTES:
            self.refuse(431, f"the header of the request is longer than {MAX_HEADER_BYTES} bytes")

    def parse(self, data: bytes) -> None:
        """Parses what has arrived, and wakes the task that handles requests if there is one."""
        super().data_received(data)

    def look(self) -> None:
        """Is called once a second."""

    def refuse(self, status: int, message: str, *, retry_after: int = 0) -> None:
        """Answers an error although no request has come, and closes the connection."""
        if self.transport is None:
            return
        body = msgspec.json.encode({"status": "error", "message": message, "field": ""})
        more = f"Retry-After: {retry_after}\r\n" if retry_after else ""
        self.transport.write(
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n".encode()
            + body
        )
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answers what the parser refused, and what failed outside of the application: as every error is answered,
        without the parser's words. Raises ConnectionError if an answer was begun already."""
        if status == 500:
            _log.error("%s %s", request.method, request.path, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        if isinstance(exc, LineTooLong):
            answer = failure(431, f"a line of the header is longer than {self.max_line_size} bytes")
        elif status == 500:
            answer = failure(500, "an error of the service itself; its log on stderr has the details")
        else:
            answer = failure(status, "this is not a request that the service can read: send HTTP/1.1")
        if status < 500:
            self._connections.rejected(peer_of(self.socket), "malformed")
        answer.force_close()
        return answer


class Connections:
    """All connections of `server`, and the factory of their protocols. `rejected` counts a request that is refused
    here, by its address and reason. `options` are those of aiohttp's protocol."""

    def __init__(
        self,
        server: web.Server,
        settings: Settings,
        rejected: Callable[[str, str], None],
        kind: Callable[..., Connection],
        options: Mapping[str, Any],
    ) -> None:
        self.rejected = rejected
        self.most = settings.max_connections
        self._settings = settings
        self._server = server
        self._kind = kind
        self._options = options
        self._open: set[Connection] = set()
        self._victims: list[Connection] = []  # idle, the one used longest ago last
        self._nobody_idle_until = 0.0
        self._closed = self._refused = 0  # since the last line in the log
        self._logged_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    def __call__(self) -> Connection:
        return self._kind(self, self._server, **self._options)

    def __len__(self) -> int:
        return len(self._open)

    def start(self) -> None:
        """Begins to look at the connections. Lowers their number to what the limit of open files allows."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = len(list(_OWN_FILES.iterdir())) if _OWN_FILES.exists() else 2 * SPARE
        fitting = max(1, limit - used - SPARE)
        if fitting < self.most:
            _log.warning("%d files may be open, so at most %d connections, not %d", limit, fitting, self.most)
            self.most = fitting
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def admit(self, connection: Connection) -> bool:
        """Returns whether there is room for a new connection. Closes an idle one if that makes room."""
        if len(self._open) >= self.most and not self._close_idle():
            self._refused += 1
            return False
        self._open.add(connection)
        return True

    def forget(self, connection: Connection) -> None:
        self._open.discard(connection)

    def _close_idle(self) -> bool:
        while True:
            if not self._victims and not self._find_victims():
                return False
            victim = self._victims.pop()
            if victim in self._open and victim.is_waiting and not victim.socket.is_closing():
                self._closed += 1
                victim.force_close()
                return True

    def _find_victims(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now < self._nobody_idle_until:
            return False
        idle = [one for one in self._open if one.is_waiting and not one.socket.is_closing()]
        self._victims = heapq.nsmallest(VICTIMS, idle, key=lambda one: (one.has_asked, one.idle_since))[::-1]
        if not self._victims:
            self._nobody_idle_until = now + 0.1  # all are busy: do not search for each new connection
        return bool(self._victims)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = asyncio.get_running_loop().time()
            for connection in list(self._open):
                try:
                    self._look(connection, now)
                except Exception:  # a bug; all other connections need their deadlines
                    _log.exception("a connection could not be looked at")
                    self._open.discard(connection)
            self._log_refusals(now)

    def _look(self, connection: Connection, now: float) -> None:
        """Closes a connection whose client keeps the service waiting."""
        connection.look()
        socket, settings = connection.socket, self._settings
        if socket.is_closing() or socket.get_write_buffer_size():
            left = untaken(socket)
            if not connection.taken_at or left < connection.untaken:
                connection.untaken, connection.taken_at = left, now
            elif now - connection.taken_at > settings.idle_timeout:
                _abort(socket)
            return
        connection.taken_at = 0.0
        if not connection.is_waiting:
            return
        if connection.header_bytes:
            if now - connection.header_since > settings.header_timeout:
                self.rejected(peer_of(socket), "too_slow")
                connection.refuse(408, f"the header did not arrive within {settings.header_timeout:g} s")
        elif now - connection.idle_since > settings.idle_timeout:
            connection.force_close()

    def _log_refusals(self, now: float) -> None:
        if (self._closed or self._refused) and now - self._logged_at >= LOG_SECONDS:
            _log.warning(
                "%d of %d connections are open (max_connections): %d idle ones were closed for new ones, %d refused",
                len(self._open), self.most, self._closed, self._refused,
            )  # fmt: skip
            self._closed = self._refused = 0
            self._logged_at = now


def peer_of(transport: asyncio.BaseTransport) -> str:
    """Returns the address of the peer, "" if it is unknown."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) else ""


def _abort(transport: asyncio.Transport) -> None:
    """Closes a connection at once, and frees what the kernel has for its client, too."""
    with contextlib.suppress(OSError, ValueError):
        transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
