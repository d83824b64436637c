"""A service in this process, on a real socket, with the connections that `serve` has."""

from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from exporter.app import make_runner


class RunningServer(TestServer):
    """aiohttp's test server of an application of `make_app`, with the runner of `serve`."""

    async def _make_runner(self, **options: Any) -> web.AppRunner:
        del options["handler_cancellation"]  # which `serve` does not have
        return make_runner(self.app, **options)
