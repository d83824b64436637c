"""The requests that bring reports and move marks."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from exporter.events.event import isoformat
from exporter.events.report import split_reports
from exporter.http.responses import SERVICE, ApiError, check_origin, json_answer, success
from exporter.ingest.pipeline import Refusal, Submission
from exporter.store import StoreError

JSON: Final = "application/json"
NDJSON: Final = ("application/x-ndjson", "application/jsonl", "application/ndjson")
ENCODINGS: Final = ("", "identity", "gzip", "deflate", "br", "zstd")


async def report_error(request: web.Request) -> web.Response:
    """POST /api/report-error: one report; success means that it is on disk."""
    service = request.app[SERVICE]
    service.metrics.received_json.inc()
    body = await _body(request, (JSON,))
    received = time.time()
    submission = Submission(body, received, request.headers.get("Idempotency-Key"))
    result = (await service.intake.submit((submission,)))[0]
    service.metrics.ingest_seconds.observe(time.time() - received)
    if isinstance(result, bytes):
        return success(result, "Error reported successfully")
    if result.reason == "store_failed":
        raise StoreError(result.message)
    raise ApiError(400, result.message, field=result.field, reason=result.reason)


async def report_errors(request: web.Request) -> web.Response:
    """POST /api/report-errors: many reports; each has an outcome of its own, and success means all were stored."""
    service = request.app[SERVICE]
    body = await _body(request, (JSON, *NDJSON))
    received = time.time()
    items = await asyncio.to_thread(split_reports, body, ndjson=request.content_type in NDJSON)
    if len(items) > service.intake.capacity:
        raise ApiError(413, f"more than {service.intake.capacity} reports at once", reason="too_large")
    if sum(map(len, items)) > service.intake.capacity_bytes:
        raise ApiError(413, f"more than {service.intake.capacity_bytes} bytes at once", reason="too_large")
    service.metrics.received_batch.inc(len(items))
    results = await service.intake.submit([Submission(item, received, None) for item in items]) if items else []
    service.metrics.ingest_seconds.observe(time.time() - received)
    return _batch_answer(request, results)


async def reset_counts(request: web.Request) -> web.Response:
    """POST /api/reset-counts: the page and the gauge of critical errors count from now on."""
    check_origin(request)
    return success({"reset_at": isoformat(await request.app[SERVICE].reset_counts())}, "Counts reset")


def _batch_answer(request: web.Request, results: Sequence[bytes | Refusal]) -> web.Response:
    """200 when all were stored, 207 when some were; else 503 when any is worth sending again, or 400."""
    outcomes: list[dict[str, Any]] = []
    for number, result in enumerate(results):
        if isinstance(result, bytes):
            outcomes.append({"index": number, "status": "success", "data": msgspec.Raw(result)})
            continue
        request.app[SERVICE].metrics.rejected.labels(result.reason).inc()
        outcomes.append({"index": number, "status": "error", "message": result.message, "field": result.field,
                         "code": 503 if result.reason == "store_failed" else 400})  # fmt: skip
    codes = {outcome.get("code", 200) for outcome in outcomes}
    stored = sum(outcome["status"] == "success" for outcome in outcomes)
    data = {"stored": stored, "failed": len(outcomes) - stored, "results": outcomes}
    if codes <= {200}:
        return success(data, f"{stored} errors reported successfully")
    status = 207 if stored else 503 if 503 in codes else 400
    message = f"{len(outcomes) - stored} of {len(outcomes)} reports were not stored"
    return json_answer(
        {"status": "partial" if stored else "error", "message": message, "field": "", "data": data},
        status=status,
        headers={"Retry-After": "5"} if 503 in codes else None,
    )


async def _body(request: web.Request, types: tuple[str, ...]) -> bytes:
    """The body, decompressed. Raises `ApiError` for what this service does not read."""
    check_origin(request)
    headers = request.headers
    if headers.get("Content-Type", JSON) != JSON and request.content_type not in types:
        expected = " or ".join(types)
        raise ApiError(415, f"expected {expected}", field="Content-Type", reason="unsupported_type")
    encoding = headers.get("Content-Encoding", "")
    if encoding and encoding.lower() not in ENCODINGS:
        words = "expected gzip, deflate, br or zstd"
        raise ApiError(415, words, field="Content-Encoding", reason="unsupported_encoding")
    try:
        return await request.read()
    except web.RequestPayloadError:
        raise ApiError(400, "the body does not decompress", reason="malformed", close=True) from None
