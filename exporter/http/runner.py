"""Runs an application on a port, with the deadlines and limits of `connections.py`."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import hdrs, web

from exporter.config import Settings
from exporter.http.connections import Connection, Connections
from exporter.http.responses import failure

NEVER: Final = 1e9  # seconds; aiohttp's own timeout of idle connections
LINGER_SECONDS: Final = 1.0  # to wait for the rest of a body that is not read, after the answer
GOODBYE_SECONDS: Final = 2.0  # for a client to end TLS
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def _expecting_nothing(handle: Handler) -> Handler:
    """Refuses what aiohttp itself would refuse as plain text, before any middleware."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        expected = request.headers.get(hdrs.EXPECT)
        if expected is not None and expected.lower() != "100-continue":
            return failure(417, "expected 100-continue", field="Expect")
        return await handle(request)

    return handler


class Runner(web.AppRunner):
    """Runs an application as aiohttp's own runner does, but with our connections. `kind` makes the protocol of one."""

    connections: Connections

    def __init__(
        self,
        app: web.Application,
        settings: Settings,
        rejected: Callable[[str, str], None],
        kind: Callable[..., Connection] = Connection,
        **options: Any,
    ) -> None:
        super().__init__(app, keepalive_timeout=NEVER, lingering_time=LINGER_SECONDS, **options)
        self._settings = settings
        self._rejected = rejected
        self._kind = kind

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.request_handler = _expecting_nothing(server.request_handler)
        self.connections = Connections(server, self._settings, self._rejected, self._kind, self._kwargs)
        self.connections.start()
        return server

    @property
    def server(self) -> Any:
        """What makes the protocol of each connection, for aiohttp's sites."""
        return self.connections if self._server is not None else None

    async def shutdown(self) -> None:
        self.connections.stop()
        await super().shutdown()


class Site(web.TCPSite):
    """aiohttp's site, with a deadline for the TLS handshake of a connection: before that, nothing here knows of it."""

    def __init__(self, runner: Runner, settings: Settings, tls: ssl.SSLContext | None, *, backlog: int) -> None:
        super().__init__(runner, settings.host, settings.port, ssl_context=tls, backlog=backlog)
        self._handshake_seconds = settings.header_timeout

    async def start(self) -> None:
        await super(web.TCPSite, self).start()  # not that of TCPSite, which this replaces
        factory: Any = self._runner.server
        options: dict[str, Any] = {}  # refused without TLS
        if self._ssl_context:
            options = {"ssl_handshake_timeout": self._handshake_seconds, "ssl_shutdown_timeout": GOODBYE_SECONDS}
        self._server = await asyncio.get_running_loop().create_server(
            factory, self._host, self._port, ssl=self._ssl_context, backlog=self._backlog, **options
        )
