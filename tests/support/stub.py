"""Stubs of HTTP services that a test cannot have for real, or has to misbehave."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web
from aiohttp.test_utils import TestServer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def listening(handler: Handler, path: str = "/{path:.*}", method: str = "*") -> AsyncIterator[str]:
    """Serves `handler` on loopback. Yields the URL of the stub, without a slash at the end."""
    app = web.Application()
    app.router.add_route(method, path, handler)
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")
