"""The requests that read: the overview, single errors, patterns, health, metrics and the live updates."""

import asyncio
import datetime as dt
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from exporter.events.event import SEVERITIES
from exporter.http.openapi import document
from exporter.http.responses import SERVICE, ApiError, check_origin, failure, success
from exporter.live.hub import MAX_TIME_RANGE
from exporter.store.filters import GROUPS, Filters, parse_cursor

MAX_LIMIT: Final = 1_000
MAX_TEXT: Final = 500
FILTERS: Final = ("time_range", "severity", "category", "worker", "type", "fingerprint", "hardware", "group", "q")
MAX_MESSAGE: Final = 65_536  # bytes of a message from a WebSocket client


async def errors(request: web.Request) -> web.Response:
    """GET /api/errors: everything that the page shows of a time range."""
    service = request.app[SERVICE]
    _known(request, "time_range")
    seq = service.live.seq
    return success(await service.read("overview", _hours(request), _now(), seq))


async def error_list(request: web.Request) -> web.Response:
    """GET /api/errors/list: single errors that match, newest first, page by page."""
    service = request.app[SERVICE]
    _known(request, *FILTERS, "cursor", "limit")
    return success(await service.read("errors", _filters(request), _now()))


async def facets(request: web.Request) -> web.Response:
    """GET /api/errors/facets: the values that errors can be filtered by, and how many errors each would give."""
    service = request.app[SERVICE]
    _known(request, *FILTERS)
    return success(await service.read("facets", _filters(request), _now()))


def _filters(request: web.Request) -> Filters:
    return Filters(
        hours=_hours(request),
        limit=_number(request, "limit", 100, MAX_LIMIT),
        fingerprint=request.query.get("fingerprint"),
        q=_text(request, "q"),
        cursor=_cursor(request),
        severity=_any_of(request, "severity", SEVERITIES),
        category=_any_of(request, "category"),
        worker=_any_of(request, "worker"),
        type=_any_of(request, "type"),
        hardware=_any_of(request, "hardware"),
        group=_any_of(request, "group", GROUPS),
    )


async def error(request: web.Request) -> web.Response:
    """GET /api/errors/{id}: one error with its whole texts and the report as it was sent."""
    service = request.app[SERVICE]
    _known(request)
    text = request.match_info["id"]
    id_ = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    found = await service.read("error", id_) if id_ else None
    if found is None:
        raise ApiError(404, f"there is no error {text}", field="id")
    return success(found)


async def patterns(request: web.Request) -> web.Response:
    """GET /api/patterns: the most frequent patterns of a time range."""
    service = request.app[SERVICE]
    _known(request, "time_range", "limit")
    limit = _number(request, "limit", 100, MAX_LIMIT)
    return success(await service.read("patterns", _hours(request), _now(), limit))


async def pattern(request: web.Request) -> web.Response:
    """GET /api/patterns/{fingerprint}: one pattern, the workers it touched, its newest errors."""
    service = request.app[SERVICE]
    _known(request, "time_range")
    fingerprint = request.match_info["fingerprint"]
    found = await service.read("pattern", fingerprint, _hours(request), _now())
    if found is None:
        raise ApiError(404, f"there is no error of the pattern {fingerprint} in this time range", field="fingerprint")
    return success(found)


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: Prometheus text or OpenMetrics, as the scraper asks."""
    page = request.app[SERVICE].metrics.page
    body, content_type = await asyncio.to_thread(page, request.headers.get("Accept", ""))
    response = web.Response(body=body, headers={"Content-Type": content_type})
    response.enable_compression()
    return response


async def healthy(_: web.Request) -> web.Response:
    """GET /-/healthy: the process answers."""
    return success({"healthy": True})


async def ready(request: web.Request) -> web.Response:
    """GET /-/ready: a report could be committed now; if not, why."""
    reason = await request.app[SERVICE].why_not_ready()
    return failure(503, reason) if reason else success({"ready": True})


async def openapi(_: web.Request) -> web.Response:
    """GET /api/openapi.json: this API, described."""
    return web.json_response(document())


async def websocket(request: web.Request) -> web.StreamResponse:
    """GET /ws/error-visualization: live updates."""
    check_origin(request)
    socket = web.WebSocketResponse(heartbeat=30, max_msg_size=MAX_MESSAGE)
    if not socket.can_prepare(request).ok:
        raise ApiError(426, "expected a WebSocket", field="Upgrade")
    await socket.prepare(request)
    await request.app[SERVICE].live.serve(socket, request.transport)
    return socket


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _known(request: web.Request, *names: str) -> None:
    """Refuses a parameter that would be ignored: a filter misspelt must not look like one that matches all."""
    for name in request.query:
        if name not in names:
            raise ApiError(400, f"{name}: there is no such parameter{_hint(names)}", field=name)


def _hint(names: Sequence[str]) -> str:
    return f" (there are {', '.join(names)})" if names else ""


def _hours(request: web.Request) -> int:
    return _number(request, "time_range", 24, MAX_TIME_RANGE)


def _number(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise ApiError(400, f"{name}: expected a whole number from 1 to {most}", field=name)
    return int(text)


def _any_of(request: web.Request, name: str, known: Sequence[str] = ()) -> list[str] | None:
    """The values of a parameter that may be given more than once; where some are `known`, no others are taken."""
    values = [text for text in request.query.getall(name, []) if text]
    if known and not set(values) <= set(known):
        raise ApiError(400, f"{name}: expected {', '.join(known)}", field=name)
    return values or None


def _text(request: web.Request, name: str) -> str | None:
    text = request.query.get(name)
    if text and len(text) > MAX_TEXT:
        raise ApiError(400, f"{name}: expected at most {MAX_TEXT} characters", field=name)
    return text or None


def _cursor(request: web.Request) -> tuple[dt.datetime, int] | None:
    text = request.query.get("cursor")
    if not text:
        return None
    try:
        return parse_cursor(text)
    except ValueError as wrong:
        raise ApiError(400, f"cursor: {wrong}", field="cursor") from None
