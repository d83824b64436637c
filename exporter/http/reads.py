"""The requests that read: the overview, single errors, patterns, health, metrics and the live updates."""

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine
from itertools import islice, pairwise
from typing import Any, Final, TypeVar

from aiohttp import hdrs, web

from exporter.events.cursor import MAX_ID, parse_cursor, parse_rank
from exporter.events.event import isoformat
from exporter.http.access import SOCKETS
from exporter.http.openapi import document
from exporter.http.parameters import parse, refuse_unknown
from exporter.http.representation import FASTEST, Moment, coding_for, compress, joined, max_age, response_to
from exporter.http.responses import SERVICE, ApiError, check_origin, failure, success, without_paths
from exporter.ingest.clock_offsets import advice
from exporter.store.parameters import Comparison, ErrorPaging, FacetChoice, Filters, PatternPaging, TimeRange
from exporter.store.queries import (
    POLLED,
    GetError,
    GetFacets,
    GetOverview,
    GetPattern,
    ListDecisions,
    ListErrors,
    ListPatterns,
    Read,
)
from exporter.store.results import ClockOffset, Restart

MAX_CLOCK_OFFSETS: Final = 100  # workers in a wrong time zone that an overview names
MAX_WEBSOCKET_BYTES: Final = 65_536  # of a message from a client
GONE_SECONDS: Final = 0.5  # between two looks whether the client of a slow read is still connected
MAX_SCRAPES: Final = 8  # at one time
SCRAPES: Final = web.AppKey("scrapes", asyncio.Semaphore)  # of `MAX_SCRAPES`
T = TypeVar("T")


async def errors(request: web.Request) -> web.Response:
    """GET /api/errors: everything that the page shows of a time range."""
    filters = parse(request, Filters)
    named = request.app[SERVICE].ingest.pipeline.times.offsets.named(now())
    offsets = tuple(
        ClockOffset(worker, seconds, advice(worker, seconds))
        for worker, seconds in islice(named.items(), MAX_CLOCK_OFFSETS)
    )
    restarts = tuple(
        Restart(isoformat(before.ended), isoformat(after.began))
        for before, after in pairwise(request.app[SERVICE].presence.periods)
    )[::-1]
    query = GetOverview(filters=filters, now=now(), clock_offsets=offsets, restarts=restarts)
    judge = request.app[SERVICE].judge
    return await answer_to(request, query, moment=lambda: Moment("verdict", *judge.tagged()))


async def error_list(request: web.Request) -> web.Response:
    """GET /api/errors/list: errors that match the filters, newest first, page by page."""
    filters, paging = parse(request, Filters, ErrorPaging)
    after = parsed_cursor(parse_cursor, paging.cursor)
    query = ListErrors(filters=filters, now=now(), after=after, limit=paging.limit, ahead=paging.ahead == "true")
    return await answer_to(request, query)


async def facets(request: web.Request) -> web.Response:
    """GET /api/errors/facets: the values to filter by, and how many errors each would return."""
    filters, choice = parse(request, Filters, FacetChoice)
    query = GetFacets(filters=filters, now=now(), facet=choice.facet, contains=choice.contains, limit=choice.values)
    return await answer_to(request, query)


async def error(request: web.Request) -> web.Response:
    """GET /api/errors/{id}: one error with its whole texts and the report as it was sent."""
    refuse_unknown(request)
    id_ = error_id(request)
    query = GetError(id=id_, thresholds=request.app[SERVICE].settings.thresholds)
    return await answer_to(request, query, _no_error(str(id_)))


async def patterns(request: web.Request) -> web.Response:
    """GET /api/patterns: the patterns of a time range, most frequent first, page by page."""
    filters, paging = parse(request, Filters, PatternPaging)
    after = parsed_cursor(parse_rank, paging.cursor)
    return await answer_to(request, ListPatterns(filters=filters, now=now(), after=after, limit=paging.limit))


async def pattern(request: web.Request) -> web.Response:
    """GET /api/patterns/{id}: one pattern, why its errors are one, the workers that reported it, its newest errors."""
    given, more = parse(request, TimeRange, Comparison)
    id_ = request.match_info["id"]
    words = f"there is no error of the pattern {id_} in this time range"
    missing = ApiError(404, words, field="fingerprint")  # as before patterns had ids: answers never change
    query = GetPattern(id=id_, range=given, now=now(), compare=more.compare)
    return await answer_to(request, query, missing)


async def verdict(request: web.Request) -> web.Response:
    """GET /api/verdict: how bad it is now, from memory."""
    refuse_unknown(request)
    return success(request.app[SERVICE].judge.encoded())


async def decisions(request: web.Request) -> web.Response:
    """GET /api/patterns/decisions: all merges and splits by hand, newest first."""
    refuse_unknown(request)
    return await answer_to(request, ListDecisions())


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: Prometheus text or OpenMetrics, by the Accept header."""
    scrapes = request.app[SCRAPES]
    if scrapes.locked():
        raise ApiError(503, f"{MAX_SCRAPES} scrapes are running; try again later", retry_after=1)
    async with scrapes:
        return await _metrics(request)


async def _metrics(request: web.Request) -> web.Response:
    page = request.app[SERVICE].metrics.begin_scrape(request)
    coding = coding_for(joined(request, hdrs.ACCEPT_ENCODING))

    def formatted() -> tuple[bytes, str]:
        blocks, content_type = page(request.headers.get(hdrs.ACCEPT, ""))
        # Compressing releases the interpreter lock after each block, so that the event loop need not wait for it.
        return compress(blocks, coding, FASTEST) if coding else b"".join(blocks), content_type

    body, content_type = await asyncio.to_thread(formatted)
    headers = {hdrs.CONTENT_TYPE: content_type, hdrs.VARY: f"{hdrs.ACCEPT}, {hdrs.ACCEPT_ENCODING}"}
    return web.Response(body=body, headers=headers | ({hdrs.CONTENT_ENCODING: coding} if coding else {}))


async def healthy(_: web.Request) -> web.Response:
    """GET /-/healthy: the process answers."""
    return success({"healthy": True})


async def ready(request: web.Request) -> web.Response:
    """GET /-/ready: whether a report could be stored now; if not, why."""
    service = request.app[SERVICE]
    reason = without_paths(await service.why_not_ready())
    return failure(503, reason, retry_after=1) if reason else success({"ready": True, "behind": service.behind()})


async def openapi(_: web.Request) -> web.Response:
    """GET /api/openapi.json: the OpenAPI document of this API."""
    return web.json_response(document())


async def websocket(request: web.Request) -> web.StreamResponse:
    """GET /ws/error-visualization: live updates."""
    check_origin(request)
    # Compressing each message for each client would cost more in a flood than everything else that the service does.
    socket = web.WebSocketResponse(heartbeat=30, max_msg_size=MAX_WEBSOCKET_BYTES, compress=False)
    key = request.headers.get(hdrs.SEC_WEBSOCKET_KEY, "")
    if not key.isascii() or not socket.can_prepare(request).ok:
        raise ApiError(426, "expected a WebSocket", field="Upgrade")
    await socket.prepare(request)
    sockets = request.app[SOCKETS]
    sockets[socket] = request
    try:
        await request.app[SERVICE].live.serve(socket, request.transport)
    finally:
        del sockets[socket]
    return socket


async def answer_to(
    request: web.Request, query: Read[Any], missing: ApiError | None = None, moment: Callable[[], Moment] | None = None
) -> web.Response:
    """Responds with the answer to a read, and with the field that `moment` returns after it. Raises `missing`, if
    given, where the answer is null."""
    resource = request.match_info.route.resource
    endpoint = resource.canonical if resource else ""
    with request.app[SERVICE].metrics.read_seconds.labels(endpoint).time():
        answer = await _while_connected(request, request.app[SERVICE].read(query, max_age(request)))
        if missing and answer.is_null:
            raise missing
        return await response_to(request, answer, polled=isinstance(query, POLLED), moment=moment and moment())


async def _while_connected(request: web.Request, read: Coroutine[Any, Any, T]) -> T:
    """Returns what `read` returns. Cancels it when the client has gone: aiohttp itself would let it run to its end.
    Raises ConnectionResetError then."""
    task = asyncio.create_task(read)
    try:
        while not (await asyncio.wait([task], timeout=GONE_SECONDS))[0]:
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError("the client has gone")
        return task.result()
    finally:
        task.cancel()


def error_id(request: web.Request) -> int:
    """Returns the id of the error in the path. Raises `ApiError` for what cannot be one."""
    text = request.match_info["id"]
    id_ = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_ID)) else 0
    if not 0 < id_ <= MAX_ID:
        raise _no_error(text)
    return id_


def _no_error(id_: str) -> ApiError:
    return ApiError(404, f"there is no error {id_}", field="id")


def parsed_cursor(parser: Callable[[str], T], cursor: str | None) -> T | None:
    """Returns the position that a cursor names. Raises `ApiError`."""
    try:
        return parser(cursor) if cursor else None
    except ValueError as error:
        raise ApiError(400, f"cursor: {error}", field="cursor") from None


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
