"""Bodies that have not arrived as a whole: how slow one may be, and how many bytes all of them may have.

A body gets `seconds`, and one second more for each `MIN_RATE` bytes of it. Its bytes count together with those that
wait to be written, so that senders who never finish cannot fill the memory. Where there is no room, the body that has
been arriving for longest is given up if that is more than `PATIENCE`; else the one that needs the room is refused.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from aiohttp import web

from exporter.http.responses import ApiError

MIN_RATE: Final = 10_000  # bytes a second
PATIENCE: Final = 10.0  # seconds
RETRY_SECONDS: Final = 5


class _Body:
    """One body that is arriving: what has come so far, since when, and the deadline of its reader."""

    def __init__(self, since: float, deadline: asyncio.Timeout) -> None:
        self.content = bytearray()
        self.since = since
        self.deadline = deadline
        self.is_given_up = False


class Arriving:
    """The bodies that are arriving. `seconds` is the time that each has; `has_room` says whether so many bytes fit into
    memory besides those that wait to be written."""

    def __init__(self, seconds: float, has_room: Callable[[int], bool]) -> None:
        self.bytes = 0
        self._seconds = seconds
        self._has_room = has_room
        self._bodies: dict[_Body, None] = {}  # the oldest first

    async def read(self, request: web.Request, limit: int) -> bytes:
        """Returns the body of a request as it was sent, `limit` bytes at most. Raises `HTTPRequestEntityTooLarge`;
        `ApiError` for a body that is too slow or does not fit; `RequestPayloadError` and ConnectionError for one that
        breaks off."""
        loop = asyncio.get_running_loop()
        body: _Body | None = None
        try:
            async with asyncio.timeout(self._seconds) as deadline:
                body = _Body(loop.time(), deadline)
                self._bodies[body] = None
                while part := await request.content.readany():
                    self._take(body, part, limit, loop.time())
            return bytes(body.content)
        except TimeoutError:
            if body is not None and body.is_given_up:
                raise _no_room() from None
            words = f"the body did not arrive in time: send it within {self._seconds:g} s, or in smaller batches"
            raise ApiError(408, words, reason="too_slow") from None
        finally:
            if body is not None:
                self._drop(body)

    def _take(self, body: _Body, part: bytes, limit: int, now: float) -> None:
        body.content += part
        if body not in self._bodies:  # given up, and its deadline has not run yet
            raise TimeoutError
        self.bytes += len(part)
        if len(body.content) > limit:
            raise web.HTTPRequestEntityTooLarge(limit)
        while not self._has_room(self.bytes):
            oldest = next(iter(self._bodies))
            if oldest is body or now - oldest.since < PATIENCE:
                raise _no_room()
            oldest.is_given_up = True
            with contextlib.suppress(RuntimeError):  # its time is up already
                oldest.deadline.reschedule(now)
            self._drop(oldest)
        body.deadline.reschedule(body.since + self._seconds + len(body.content) / MIN_RATE)

    def _drop(self, body: _Body) -> None:
        if body in self._bodies:
            del self._bodies[body]
            self.bytes -= len(body.content)
            body.content.clear()


def _no_room() -> ApiError:
    words = "too many bodies are arriving at one time; send it again"
    return ApiError(503, words, reason="queue_full", retry_after=RETRY_SECONDS)


ARRIVING: Final = web.AppKey("arriving", Arriving)


async def received(request: web.Request, limit: int | None = None) -> bytes:
    """Returns the body of a request as it was sent; b"" when it was read before. It may have `limit` bytes; None: as
    many as the settings say. Raises as `Arriving.read`."""
    limit = request.client_max_size if limit is None else limit
    if request.content_length is not None and request.content_length > limit:
        raise web.HTTPRequestEntityTooLarge(limit)
    if not request.content.is_eof():
        return await request.app[ARRIVING].read(request, limit)
    body = request.content.read_nowait()  # as most bodies, it came together with the header; `read` would copy it twice
    if len(body) > limit:
        raise web.HTTPRequestEntityTooLarge(limit)
    return body
