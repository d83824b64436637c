"""Handlers of `POST /api/{project}/envelope/` and `/store/`, to which SDKs of Sentry report.

Such an SDK never sends an event again, so a request waits some seconds for room in a full queue. Every answer says
which kinds of items are not wanted, so that the SDK sends none of them; a refusal says for how long errors are not.
"""

import base64
import binascii
import re
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from multidict import istr

from exporter.http.foreign_reports import encoded, read_message, store
from exporter.http.report_body import decoded_body
from exporter.http.responses import SERVICE, ApiError, Handler, check_origin, error_answer, json_answer
from exporter.ingest.ingest import QueueFullError
from exporter.ingest.pipeline import RATE_LIMITED, Refusal
from exporter.protocols.json_value import MessageError, text_of
from exporter.protocols.sentry import lost_at_client, report_of
from exporter.protocols.sentry_envelope import Item, header_of, read_envelope

AUTH: Final = istr("X-Sentry-Auth")
LIMITS: Final = istr("X-Sentry-Rate-Limits")
UNWANTED: Final = "86400:transaction;span;profile;profile_chunk;session;replay;monitor:organization"
FULL_SECONDS: Final = 60
EVENTS: Final = ("event",)
REPORTS: Final = ("client_report",)
WANTED: Final = (*EVENTS, *REPORTS)
BODY: Final = web.RequestKey("sentry_body", bytes)
_KEY: Final = re.compile(r"(?:^|[\s,])sentry_key=([^,\s]+)")


async def key_of(request: web.Request) -> str:
    """Returns the public key of the DSN that the sender has, which is one of our tokens; "" if it names none. Reads the
    body only if neither the query nor a header has the key. Raises as `decoded_body`."""
    if key := request.query.get("sentry_key", ""):
        return key
    if found := _KEY.search(request.headers.get(AUTH, "")[:4_096]):
        return found[1]
    body = request[BODY] = await decoded_body(request)
    try:
        return urlsplit(text_of(header_of(body).get("dsn"))).username or ""
    except (MessageError, ValueError):
        return ""


async def envelope(request: web.Request) -> web.StreamResponse:
    """POST /api/{project}/envelope/: events are stored, client reports are counted, all else is dropped."""
    return await _answered(request, _envelope)


async def event(request: web.Request) -> web.StreamResponse:
    """POST /api/{project}/store/: one event, as older SDKs send it."""
    return await _answered(request, _event)


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Returns the answer of a handler, with the header about limits."""
    limit = 0
    try:
        answer = await handler(request)
    except Exception as error:
        answer = error_answer(request, error)
        if isinstance(error, QueueFullError):
            limit = FULL_SECONDS
        elif isinstance(error, ApiError):
            limit = error.retry_after
    limits = [f"{limit}:error:organization:{'queue_full' if answer.status == 503 else RATE_LIMITED}"] if limit else []
    answer.headers[LIMITS] = ", ".join([*limits, UNWANTED])
    return answer


async def _envelope(request: web.Request) -> web.Response:
    body = await _body(request)
    project = request.match_info["project"]

    def read() -> tuple[list[bytes], list[dict[str, int]], str, int]:
        found = read_envelope(body, WANTED)
        reports = [report_of(one.payload, project, found.header) for one in found.items if one.type in EVENTS]
        event_id = reports[0].get("event_id", "") if reports else text_of(found.header.get("event_id"))
        return encoded(reports), [_lost(one) for one in found.items if one.type in REPORTS], event_id, found.skipped

    reports, lost, event_id, skipped = await read_message(read, len(body))
    metrics = request.app[SERVICE].metrics
    for one in lost:
        for reason, count in one.items():
            metrics.lost_at_client.labels(reason).inc(count)
    metrics.items_skipped.labels("sentry").inc(skipped)
    await _store(request, reports)
    return json_answer({"id": event_id})


async def _event(request: web.Request) -> web.Response:
    body = await _body(request)
    project = request.match_info["project"]
    report = await read_message(lambda: report_of(_plain(body), project, {}), len(body))
    await _store(request, encoded([report]))
    return json_answer({"id": report.get("event_id", "")})


async def _body(request: web.Request) -> bytes:
    check_origin(request)
    return request[BODY] if BODY in request else await decoded_body(request)


def _plain(body: bytes) -> bytes:
    """Returns the JSON of an event. The oldest SDKs send it in base64, which may not be compressed here."""
    if body[:1] in (b"{", b""):
        return body
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        return body


def _lost(item: Item) -> dict[str, int]:
    try:
        return lost_at_client(item.payload)
    except MessageError:
        return {}


async def _store(request: web.Request, reports: list[bytes]) -> None:
    """Stores the reports. Raises `ApiError` and `QueueFullError` if one of them was not stored."""
    results = await store(request, reports, "sentry", patient=True)
    for result in results:
        if isinstance(result, Refusal):
            if result.retry:
                raise ApiError(503, result.message, retry_after=FULL_SECONDS)
            raise ApiError(result.status, result.message, field=result.field, retry_after=result.retry_after)
