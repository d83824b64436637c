"""Handlers of the requests that correct which errors are one pattern: merge, split, undo."""

import re
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from exporter.http.responses import SERVICE, ApiError, check_origin, success
from exporter.store.decisions import Decide, Merge, MergeRequest, Refused, Split, SplitRequest, Undo

MAX_NUMBER: Final = 2**53
_WRONG_FIELD: Final = re.compile(r"at `\$\.(\w+)")
_MISSING_FIELD: Final = re.compile(r"required field `(\w+)`")
T = TypeVar("T")


async def merge(request: web.Request) -> web.Response:
    """POST /api/patterns/{id}/merge: the pattern becomes part of another one."""
    check_origin(request)
    wanted = await _body(request, MergeRequest)
    return await _decide(request, Merge(request.match_info["id"], wanted.into), "The patterns are one now")


async def split(request: web.Request) -> web.Response:
    """POST /api/patterns/{id}/split: fingerprints of the pattern become patterns of their own."""
    check_origin(request)
    wanted = await _body(request, SplitRequest)
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


async def _body(request: web.Request, kind: type[T]) -> T:
    """Returns the body, a JSON object; an absent one counts as {}. Raises `ApiError`, which names the wrong field."""
    body = await request.read()
    if body and request.content_type != "application/json":
        raise ApiError(415, "expected application/json", field="Content-Type")
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        found = _WRONG_FIELD.search(str(error)) or _MISSING_FIELD.search(str(error))
        field = found[1] if found else ""
        raise ApiError(400, f"{field}: {error}" if field else str(error), field=field) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {error}") from None
