"""Stores the summaries of runs, which `POST /api/runs` and JUnit XML bring."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from exporter.access.caller import Caller
from exporter.events.run_summary import encode_summary
from exporter.http.access import CALLER
from exporter.http.answers import StoredSummary
from exporter.http.responses import SERVICE, ApiError, without_paths
from exporter.ingest.pipeline import FOREIGN
from exporter.ingest.run_summary import as_json, read_summary
from exporter.log import LogError
from exporter.service import Service

RETRY_SECONDS: Final = 5
MAX_AT_ONCE: Final = 2  # summaries that are read at one time: a large one takes half a second of CPU in a thread
MAX_WAITING_BYTES: Final = 2**26  # of those that are read or wait for that
WAIT_SECONDS: Final = 5  # before a sender tries again


class Turns:
    """The summaries that are read, `MAX_AT_ONCE` at one time, and those that wait for it."""

    def __init__(self) -> None:
        self._bytes = 0
        self._free = asyncio.Semaphore(MAX_AT_ONCE)

    @contextlib.asynccontextmanager
    async def turn(self, size: int) -> AsyncIterator[None]:
        """Waits for the turn of a summary of `size` bytes. Raises `ApiError` if too many wait."""
        if self._bytes and self._bytes + size > MAX_WAITING_BYTES:
            words = "too many summaries wait; send it again"
            raise ApiError(503, words, reason="queue_full", retry_after=WAIT_SECONDS)
        self._bytes += size
        try:
            async with self._free:
                yield
        finally:
            self._bytes -= size


SUMMARIES: Final = web.AppKey("summaries", Turns)


async def store_summary(request: web.Request, body: bytes) -> StoredSummary:
    """Stores the summary that `body` is, of the caller of `request`, and returns what is on disk now. Raises
    `ReportError` and `ApiError`."""
    service = request.app[SERVICE]
    async with request.app[SUMMARIES].turn(len(body)):
        stored, payload = await asyncio.to_thread(_read, service, body, dt.datetime.now(dt.UTC), request[CALLER])
        try:
            await service.add_summary(payload)
        except LogError as error:
            words = f"the summary could not be stored; send it again ({without_paths(str(error))})"
            raise ApiError(503, words, reason="store_failed", retry_after=RETRY_SECONDS) from None
    return stored


def _read(service: Service, body: bytes, received_at: dt.datetime, caller: Caller) -> tuple[StoredSummary, bytes]:
    """Returns what to answer, and what to store. Raises `ReportError` and `ApiError`."""
    read = read_summary(service.redacted(as_json(body)), received_at, service.zone)
    if not read.summary.sender.startswith(caller.worker):
        words = f"this token may only report for workers whose id begins with {caller.worker!r}"
        raise ApiError(403, f"worker_id: {words}", field="worker_id", reason=FOREIGN)
    tests = sum(len(ids) for outcomes in read.summary.tests.values() for ids in outcomes)
    stored = StoredSummary(read.summary.run, read.summary.sender, tests, list(read.warnings))
    return stored, encode_summary(read.summary)
