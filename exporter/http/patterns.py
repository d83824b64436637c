"""Handlers of the requests that correct which errors are one pattern: merge, split, undo."""

from typing import Final

from aiohttp import web

from exporter.http.bodies import json_body
from exporter.http.responses import SERVICE, ApiError, check_origin, success
from exporter.store.decisions import Decide, Merge, MergeRequest, Refused, Split, SplitRequest, Undo

MAX_NUMBER: Final = 2**53


async def merge(request: web.Request) -> web.Response:
    """POST /api/patterns/{id}/merge: the pattern becomes part of another one."""
    check_origin(request)
    wanted = await json_body(request, MergeRequest)
    return await _decide(request, Merge(request.match_info["id"], wanted.into), "The patterns are one now")


async def split(request: web.Request) -> web.Response:
    """POST /api/patterns/{id}/split: fingerprints of the pattern become patterns of their own."""
    check_origin(request)
    wanted = await json_body(request, SplitRequest)
    fingerprints = None if wanted.fingerprints is None else tuple(wanted.fingerprints)
    return await _decide(request, Split(request.match_info["id"], fingerprints), "The pattern is split")


async def undo(request: web.Request) -> web.Response:
    """POST /api/patterns/decisions/{number}/undo: a merge or split is no longer in force."""
    check_origin(request)
    text = request.match_info["number"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_NUMBER)) else 0
    if not 0 < number <= MAX_NUMBER:
        raise ApiError(404, f"there is no decision {text}", field="number")
    return await _decide(request, Undo(number), "The decision is undone")


async def _decide(request: web.Request, asked: Decide, message: str) -> web.Response:
    answer = await request.app[SERVICE].store.decide(asked)
    if isinstance(answer, Refused):
        raise ApiError(answer.status, answer.message, field=answer.field)
    return success(answer, message)
