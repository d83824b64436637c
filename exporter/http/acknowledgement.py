"""The answer to one stored report, which is sent for each of them: its header is encoded once a second, not each time.

aiohttp makes the header of a response from a dictionary, after our own hooks have looked at it, which takes a tenth of
the time of a report (docs/performance.md). The header of this answer depends on the report only by the length; where it
depends on the request (HTTP/1.0, `Connection`, `Origin`) or on the web config file, aiohttp makes it.
"""

import time
from typing import Final

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time

from exporter.http.headers import WEB_CONFIG
from exporter.http.responses import JSON_HEADERS, success, success_body

_MESSAGE: Final = "Error reported successfully"
_FIXED: Final = "".join(f"{name}: {value}\r\n" for name, value in JSON_HEADERS.items())
_head: tuple[int, bytes] = (0, b"")  # of this second


def acknowledge(request: web.Request, stored: bytes) -> web.StreamResponse:
    """Returns the answer to a report; `stored` is the JSON object that describes its event."""
    if (
        request.version == HttpVersion11
        and request.keep_alive
        and hdrs.ORIGIN not in request.headers
        and not request.app[WEB_CONFIG].headers
    ):
        return _Acknowledgement(stored)
    return success(stored, _MESSAGE)


class _Acknowledgement(web.StreamResponse):
    """Has the header of `success`. Changes of it, also by `force_close`, have no effect."""

    def __init__(self, stored: bytes) -> None:
        super().__init__()
        self._stored = stored

    @property
    def keep_alive(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client is gone")
        body = success_body(self._stored, _MESSAGE)
        transport.write(b"%s%d\r\n\r\n%s" % (_header(), len(body), body))
        await request.writer.drain()  # waits while the client takes nothing
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to be written."""


def _header() -> bytes:
    """Returns status line and header up to the length of the body."""
    global _head
    second = int(time.time())
    if _head[0] != second:
        text = f"HTTP/1.1 200 OK\r\n{_FIXED}Date: {rfc822_formatted_time()}\r\nContent-Length: "
        _head = second, text.encode("ascii")
    return _head[1]
