"""Handlers of OTLP/HTTP: `POST /v1/logs` and `POST /v1/traces`.

An exporter sends a batch again after 429 and 503, and gives it up after any other failure. So a batch of which some
records could not be stored now is answered with 503 as a whole: the others have ids, and are not stored twice.
"""

from typing import Final

from aiohttp import web

from exporter.http.foreign_reports import encoded, read_message, retry_after, store
from exporter.http.report_body import JSON, report_body
from exporter.http.responses import SERVICE, ApiError, json_answer
from exporter.ingest.ingest import QueueFullError
from exporter.ingest.pipeline import Refusal
from exporter.protocols.otel import reports_of
from exporter.protocols.otlp import (
    Signal,
    protobuf_answer,
    read_json_records,
    read_protobuf,
)
from exporter.protocols.otlp import json_answer as json_message

PROTOBUF: Final = "application/x-protobuf"
TYPES: Final = (PROTOBUF, JSON)
MAX_RETRY_SECONDS: Final = 5  # exporters give a batch up when they would have to wait for longer than about 10 s


async def logs(request: web.Request) -> web.Response:
    """POST /v1/logs: records that are errors are stored."""
    return await _export(request, "logs")


async def traces(request: web.Request) -> web.Response:
    """POST /v1/traces: the exceptions of spans are stored."""
    return await _export(request, "traces")


async def _export(request: web.Request, signal: Signal) -> web.Response:
    body = await report_body(request, TYPES)
    is_json = request.content_type == JSON

    def read() -> tuple[list[bytes], int]:
        records = (read_json_records if is_json else read_protobuf)(body, signal)
        reports = reports_of(records, body)
        return encoded(reports), len(records) - len(reports)

    reports, others = await read_message(read, len(body))
    request.app[SERVICE].metrics.items_skipped.labels(f"otlp_{signal}").inc(others)
    try:
        results = await store(request, reports, f"otlp_{signal}")
    except QueueFullError:
        words = "too many reports wait to be written; send it again"
        raise ApiError(503, words, reason="queue_full", retry_after=1) from None
    refused = [one for one in results if isinstance(one, Refusal)]
    if seconds := retry_after(results, MAX_RETRY_SECONDS):
        words = "some of the records could not be stored; send the batch again"
        raise ApiError(503 if any(one.retry for one in refused) else 429, words, retry_after=seconds)
    why = refused[0].message if refused else ""
    if is_json:
        return json_answer(json_message(signal, len(refused), why))
    return web.Response(body=protobuf_answer(signal, len(refused), why), content_type=PROTOBUF)
