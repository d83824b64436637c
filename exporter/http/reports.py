"""Handlers of the requests that send reports, and of the one that resets the counts."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import StreamReader, web
from multidict import istr

from exporter.access.caller import Scope
from exporter.events.event import isoformat
from exporter.http import refusals
from exporter.http.access import CALLER, require_scope
from exporter.http.acknowledgement import MESSAGE
from exporter.http.parameters import MAX_BATCH_KEY, Sending, parse_known
from exporter.http.report_body import JSON, report_body
from exporter.http.responses import (
    SERVICE,
    ApiError,
    RetryLaterError,
    check_origin,
    json_answer,
    refuse,
    success,
    without_paths,
)
from exporter.ingest.ingest import Settled
from exporter.ingest.parse import split_reports
from exporter.ingest.pipeline import Refusal, Submission

IDEMPOTENCY_KEY: Final = istr("Idempotency-Key")  # an `istr`, as in `hdrs`: a look-up need not make a lower-case copy
RETRY_SECONDS: Final = 5  # after which reports that could not be stored may be sent again
NDJSON: Final = ("application/x-ndjson", "application/jsonl", "application/ndjson")


class Early(NamedTuple):
    """A report that ingest is done with before the request is handled, because it came on the short way (shortcut.py).
    `payload` is the stream of the request, from which `body` was read."""

    payload: StreamReader
    body: bytes
    settled: Settled


async def report_error(request: web.Request) -> web.Response:
    """POST /api/report-error: one report; success means that it is on disk."""
    service = request.app[SERVICE]
    early = _early(request)
    if early is None:
        service.metrics.received_json.inc()
        body = await report_body(request, (JSON,))
        key, importing = request.headers.get(IDEMPOTENCY_KEY), _importing(request)
        (result,) = await service.ingest.ingest((Submission(body, now(), key, importing, request[CALLER]),))
    else:
        body = early.body
        (result,) = await service.ingest.outcomes(early.settled)
    if isinstance(result, bytes):
        return success(result, MESSAGE)
    if result.retry:
        raise RetryLaterError(result.message, result.reason, body)
    raise ApiError(
        result.status, result.message, field=result.field, reason=result.reason, retry_after=result.retry_after,
        body=body,
    )  # fmt: skip


async def report_errors(request: web.Request) -> web.Response:
    """POST /api/report-errors: many reports; each has an outcome of its own, and success means all were stored."""
    service = request.app[SERVICE]
    body = await report_body(request, (JSON, *NDJSON))
    received_at = now()
    items = split_reports(body, ndjson=request.content_type in NDJSON)
    ingest = service.ingest
    most = min(ingest.capacity, service.settings.max_batch_reports)
    if len(items) > most:
        raise ApiError(413, f"more than {most} reports at once", reason="too_large")
    if sum(map(len, items)) > ingest.capacity_bytes:
        raise ApiError(413, f"more than {ingest.capacity_bytes} bytes at once", reason="too_large")
    service.metrics.received_batch.inc(len(items))
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is not None and not (0 < len(key) <= MAX_BATCH_KEY and key.isprintable()):
        expected = f"expected 1 to {MAX_BATCH_KEY} printable characters"
        raise ApiError(400, f"Idempotency-Key: {expected}", field="Idempotency-Key", reason="invalid_field")
    importing, caller = _importing(request), request[CALLER]
    submissions = [
        Submission(item, received_at, None if key is None else f"{key}#{index}", importing, caller)
        for index, item in enumerate(items)
    ]
    results = await ingest.ingest(submissions) if items else []
    return _batch_answer(request, items, results)


async def reset_counts(request: web.Request) -> web.Response:
    """POST /api/reset-counts: the gauge of critical errors, and their number on the page, count from now on."""
    check_origin(request)
    return success({"reset_at": isoformat(await request.app[SERVICE].reset_counts())}, "Counts reset")


def _early(request: web.Request) -> Early | None:
    """Returns what became of the report of this request on the short way, None if it did not take it."""
    connection: Any = request.protocol
    early: Early | None = getattr(connection, "early", None)
    if early is None or early.payload is not request.content:
        return None
    connection.early = None
    return early


def _importing(request: web.Request) -> bool:
    """Returns whether the request says that its reports are old ones. Raises `ApiError`."""
    importing = "?" in request.raw_path and parse_known(request, Sending).importing == "true"
    if importing:
        require_scope(request, Scope.ADMIN, "importing")
    return importing


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _batch_answer(request: web.Request, items: Sequence[bytes], results: Sequence[bytes | Refusal]) -> web.Response:
    """Returns 200 if all reports were stored, 207 if some were. If none was, the highest status of a report: 503 (it
    may be sent again), 500 (internal error), 429 (above a rate limit, it may be sent again) or 400 (invalid)."""
    outcomes: list[dict[str, Any]] = []
    for number, result in enumerate(results):
        if isinstance(result, bytes):
            outcomes.append({"index": number, "status": "success", "data": msgspec.Raw(result)})
            continue
        refuse(request, refusals.Refusal(result.reason, result.field, items[number]))
        message = without_paths(result.message) if result.retry else result.message
        outcomes.append({"index": number, "status": "error", "message": message, "field": result.field,
                         "code": result.status})  # fmt: skip
    codes = {outcome.get("code", 200) for outcome in outcomes}
    stored = sum(outcome["status"] == "success" for outcome in outcomes)
    data = {"stored": stored, "failed": len(outcomes) - stored, "results": outcomes}
    if codes <= {200}:
        return success(data, f"{stored} errors reported successfully")
    status = 207 if stored else max(codes)
    waits = [result.retry_after for result in results if isinstance(result, Refusal)]
    retry_after = max(waits + [RETRY_SECONDS] * (503 in codes))
    message = f"{len(outcomes) - stored} of {len(outcomes)} reports were not stored"
    return json_answer(
        {"status": "partial" if stored else "error", "message": message, "field": "", "data": data},
        status=status,
        headers={"Retry-After": str(retry_after)} if retry_after else None,
    )
