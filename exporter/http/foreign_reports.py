"""Stores the reports that were made of a message of another protocol, the way that POST /api/report-error does.

A message may have more reports than one batch takes, so they are stored part by part. A message that is sent again
stores nothing twice, because its reports have ids.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from aiohttp import web

from exporter.http import refusals
from exporter.http.access import CALLER
from exporter.http.responses import SERVICE, ApiError, refuse, without_paths
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
MAX_REFUSED: Final = 20  # refused reports that an answer explains
_encode = msgspec.json.Encoder().encode


class _Stored(msgspec.Struct):
    """What an answer needs of the outcome of a report."""

    id: int


_decode = msgspec.json.Decoder(_Stored).decode


async def read_message(read: Callable[[], T], size: int) -> T:
    """Returns what `read` returns, of a message of `size` bytes. Raises `ApiError` for what the protocol forbids."""
    try:
        return read() if size <= INLINE_BYTES else await asyncio.to_thread(read)
    except MessageError as error:
        raise ApiError(400, str(error), reason="malformed") from None


def encoded(reports: Iterable[dict[str, Any]]) -> list[bytes]:
    """Returns the reports as JSON. `read_message` calls it in a thread: 40,000 reports as objects would cost the event
    loop their encoding, and the garbage collector 0.3 s."""
    return [_encode(one) for one in reports]


async def store(
    request: web.Request, reports: Sequence[bytes], protocol: str, *, patient: bool = False
) -> list[bytes | Refusal]:
    """Appends the reports to the log, and returns the outcome of each, as JSON or a refusal. Counts them under
    `protocol`, and those that are refused. `patient`: waits for room in a full queue, because the sender does not try
    again. Raises `QueueFullError`."""
    service = request.app[SERVICE]
    service.metrics.received.labels(protocol).inc(len(reports))
    received_at = dt.datetime.now(dt.UTC)
    submissions = (Submission(one, received_at, None, caller=request[CALLER]) for one in reports)
    results: list[bytes | Refusal] = []
    most = min(PART, service.ingest.capacity)
    for part in _parts(submissions, most):
        found = await (_ingest_patiently(request, part) if patient else service.ingest.ingest(part))
        for submission, result in zip(part, found, strict=True):
            if isinstance(result, Refusal):
                refuse(request, refusals.Refusal(result.reason, result.field, submission.body))
        results += found
    return results


class StoredReports(NamedTuple):
    """The ids of the errors that were stored, now or when the same message came before, and why others were not."""

    ids: list[int]
    refused: list[dict[str, Any]]


def outcome_of(results: Sequence[bytes | Refusal], most: int) -> StoredReports:
    """Returns what became of the reports of a message. Raises `ApiError` if the message should be sent again, after
    `most` seconds at most, or if none of its reports was stored."""
    refused = [one for one in results if isinstance(one, Refusal)]
    if seconds := retry_after(results, most):
        words = f"some reports could not be stored; send the message again ({without_paths(refused[0].message)})"
        raise ApiError(503 if any(one.retry for one in refused) else 429, words, retry_after=seconds)
    if refused and len(refused) == len(results):
        raise ApiError(max(one.status for one in refused), refused[0].message, field=refused[0].field)
    ids = [_decode(one).id for one in results if isinstance(one, bytes)]
    shown = [
        {"index": index, "message": one.message, "field": one.field}
        for index, one in enumerate(results)
        if isinstance(one, Refusal)
    ]
    return StoredReports(ids, shown[:MAX_REFUSED])


def retry_after(results: Sequence[bytes | Refusal], most: int) -> int:
    """Returns the seconds after which the whole message may be sent again, at most `most`; 0 if that is no use."""
    waits = [one.retry_after or most for one in results if isinstance(one, Refusal) and (one.retry or one.retry_after)]
    return min(max(waits), most) if waits else 0


def _parts(submissions: Iterable[Submission], most: int) -> Iterator[Sequence[Submission]]:
    """Takes the submissions one by one, so that no more than a part is made between two pauses of the caller."""
    part: list[Submission] = []
    size = 0
    for one in submissions:
        if part and (len(part) >= most or size + len(one.body) > PART_BYTES):
            yield part
            part, size = [], 0
        part.append(one)
        size += len(one.body)
    if part:
        yield part


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
