"""Handlers of the requests about runs: their summaries, the list of runs, and rankings."""

from aiohttp import web

from exporter.events.cursor import parse_cursor
from exporter.http.parameters import parse
from exporter.http.reads import answer_to, now, parsed_cursor
from exporter.http.report_body import JSON, report_body
from exporter.http.responses import ApiError, success
from exporter.http.summaries import store_summary
from exporter.store.parameters import Filters, RankingChoice, RunPaging, TestPaging
from exporter.store.queries import GetRankings, GetRun, ListRuns


async def summary(request: web.Request) -> web.Response:
    """POST /api/runs: the summary of a run; success means that it is on disk."""
    return success(await store_summary(request, await report_body(request, (JSON,))), "Summary stored")


async def run_list(request: web.Request) -> web.Response:
    """GET /api/runs: runs, newest first, page by page."""
    filters, paging = parse(request, Filters, RunPaging)
    after = parsed_cursor(parse_cursor, paging.cursor)
    return await answer_to(request, ListRuns(filters=filters, now=now(), after=after, limit=paging.limit))


async def run(request: web.Request) -> web.Response:
    """GET /api/runs/{id}: one run with its tests."""
    paging = parse(request, TestPaging)
    id_ = request.match_info["id"]
    query = GetRun(id=id_, now=now(), outcome=paging.outcome, after=paging.after, limit=paging.limit)
    return await answer_to(request, query, ApiError(404, f"there is no run {id_}", field="id"))


async def rankings(request: web.Request) -> web.Response:
    """GET /api/rankings: the tests, runs, devices and so on with most errors."""
    filters, choice = parse(request, Filters, RankingChoice)
    also = tuple(dict.fromkeys(choice.also))
    query = GetRankings(filters=filters, now=now(), by=choice.by, also=also, limit=choice.limit)
    return await answer_to(request, query)
