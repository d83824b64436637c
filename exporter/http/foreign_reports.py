"""Stores the reports that were made of a message of another protocol, the way that POST /api/report-error does.

A message may have more reports than one batch takes, so they are stored part by part. A message that is sent again
stores nothing twice, because its reports have ids.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from exporter.http import refusals
from exporter.http.access import CALLER
from exporter.http.responses import SERVICE, ApiError, refuse
from exporter.ingest.ingest import QueueFullError
from exporter.ingest.pipeline import Refusal, Submission
from exporter.protocols.json_value import MessageError

INLINE_BYTES: Final = 32_768  # a longer message is read in a thread
PART: Final = 500  # reports that are stored together
PART_BYTES: Final = 1_048_576
WAIT_SECONDS: Final = 5.0  # for room in the queue, where the sender would not send it again
MAX_WAITING: Final = 200  # requests that wait for room at one time
POLL_SECONDS: Final = 0.05
WAITING: Final = web.AppKey("waiting", list[int])
T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


async def read_message(read: Callable[[], T], size: int) -> T:
    """Returns what `read` returns, of a message of `size` bytes. Raises `ApiError` for what the protocol forbids."""
    try:
        return read() if size <= INLINE_BYTES else await asyncio.to_thread(read)
    except MessageError as error:
        raise ApiError(400, str(error), reason="malformed") from None


async def store(
    request: web.Request, reports: Sequence[dict[str, Any]], protocol: str, *, patient: bool = False
) -> list[bytes | Refusal]:
    """Appends the reports to the log, and returns the outcome of each, as JSON or a refusal. Counts them under
    `protocol`, and those that are refused. `patient`: waits for room in a full queue, because the sender does not try
    again. Raises `QueueFullError`."""
    service = request.app[SERVICE]
    service.metrics.received.labels(protocol).inc(len(reports))
    received_at = dt.datetime.now(dt.UTC)
    submissions = [Submission(_encode(one), received_at, None, caller=request[CALLER]) for one in reports]
    results: list[bytes | Refusal] = []
    most = min(PART, service.ingest.capacity)
    for part in _parts(submissions, most):
        results += await (_ingest_patiently(request, part) if patient else service.ingest.ingest(part))
    for submission, result in zip(submissions, results, strict=True):
        if isinstance(result, Refusal):
            refuse(request, refusals.Refusal(result.reason, result.field, submission.body))
    return results


def retry_after(results: Sequence[bytes | Refusal], most: int) -> int:
    """Returns the seconds after which the whole message may be sent again, at most `most`; 0 if that is no use."""
    waits = [one.retry_after or most for one in results if isinstance(one, Refusal) and (one.retry or one.retry_after)]
    return min(max(waits), most) if waits else 0


def _parts(submissions: Sequence[Submission], most: int) -> Iterator[Sequence[Submission]]:
    start = size = 0
    for position, one in enumerate(submissions):
        if position > start and (position - start >= most or size + len(one.body) > PART_BYTES):
            yield submissions[start:position]
            start, size = position, 0
        size += len(one.body)
    if start < len(submissions):
        yield submissions[start:]


async def _ingest_patiently(request: web.Request, part: Sequence[Submission]) -> list[bytes | Refusal]:
    """Tries until there is room in the queue. Raises `QueueFullError`."""
    ingest, waiting = request.app[SERVICE].ingest, request.app[WAITING]
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return await ingest.ingest(part)
        except QueueFullError:
            if time.monotonic() > deadline or waiting[0] >= MAX_WAITING:
                raise
        waiting[0] += 1
        try:
            await asyncio.sleep(POLL_SECONDS)
        finally:
            waiting[0] -= 1
