"""Handlers of the requests about workers: the list of them, and one of them."""

import time

from aiohttp import web
from msgspec.structs import replace

from exporter.events.cursor import parse_place
from exporter.http.parameters import parse
from exporter.http.reads import answer_to, now, parsed_cursor
from exporter.http.responses import SERVICE, ApiError
from exporter.store.parameters import Filters, TimeRange, WorkerPaging
from exporter.store.queries import GetWorker, ListWorkers


async def worker_list(request: web.Request) -> web.Response:
    """GET /api/workers: workers with their states and errors, sorted, page by page."""
    filters, paging = parse(request, Filters, WorkerPaging)
    after = parsed_cursor(parse_place, paging.cursor)
    ascending = paging.order == "asc" if paging.order else paging.sort == "worker"
    query = ListWorkers(
        filters=filters, now=now(), sort=paging.sort, ascending=ascending, after=after, limit=paging.limit
    )
    return await answer_to(request, query)


async def worker(request: web.Request) -> web.Response:
    """GET /api/workers/{id}: one worker: its state, its errors by pattern and so on, its measurements."""
    given = parse(request, TimeRange)
    id_ = request.match_info["id"]
    machine = next(iter(request.app[SERVICE].machines.listed(time.time(), (id_,), 1).machines), None)
    query = GetWorker(id=id_, range=given, now=now())
    if machine is not None:
        heartbeat = bytes(machine.heartbeat).decode() if machine.heartbeat else None
        query = replace(query, machine=replace(machine, heartbeat=None), heartbeat=heartbeat)
    return await answer_to(request, query, ApiError(404, f"there is no worker {id_}", field="id"))
