"""Handlers of the requests about the states and notes of patterns, drained workers, and the audit trail."""

import datetime as dt
from typing import Final

import msgspec
from aiohttp import web

from exporter.events.cursor import parse_number
from exporter.events.one_line import cut
from exporter.events.plain_text import plain_text
from exporter.http.access import CALLER
from exporter.http.bodies import json_body
from exporter.http.parameters import parse, refuse_unknown
from exporter.http.reads import answer_to, now, parsed_cursor
from exporter.http.responses import SERVICE, ApiError, check_origin, success
from exporter.store.decisions import Refused
from exporter.store.parameters import AuditPaging
from exporter.store.queries import GetPatternState, ListAudit
from exporter.store.states import (
    LONGEST,
    MAX_TEXT,
    Act,
    Action,
    ActRequest,
    AddNote,
    Drain,
    DrainRequest,
    MuteRequest,
    NoteRequest,
)

MAX_ID: Final = 1_000  # characters of the name of a worker; longer ones do not exist


async def state(request: web.Request) -> web.Response:
    """GET /api/patterns/{id}/state: whether somebody claimed, resolved or muted the pattern."""
    refuse_unknown(request)
    id_ = request.match_info["id"]
    return await answer_to(request, GetPatternState(id=id_, now=now()), _no_pattern(id_))


async def claim(request: web.Request) -> web.Response:
    """POST /api/patterns/{id}/claim: somebody works on the pattern."""
    return await _act(request, "claim", "Claimed")


async def resolve(request: web.Request) -> web.Response:
    """POST /api/patterns/{id}/resolve: the pattern should not come back; if it does, it alerts again."""
    return await _act(request, "resolve", "Resolved")


async def reopen(request: web.Request) -> web.Response:
    """POST /api/patterns/{id}/reopen: what was said of the pattern holds no more."""
    return await _act(request, "reopen", "Reopened")


async def mute(request: web.Request) -> web.Response:
    """POST /api/patterns/{id}/mute: the alerts of the pattern are silenced for some time or some errors."""
    check_origin(request)
    wanted = await json_body(request, MuteRequest)
    if wanted.until is None and wanted.errors is None:
        raise ApiError(400, "until: expected a time, or a number of errors in `errors`", field="until")
    act = Act(
        request.match_info["id"], "mute", _name(wanted.by), request[CALLER].name, _ahead(wanted.until), wanted.errors
    )
    return await _answer(request, act, "Muted")


async def note(request: web.Request) -> web.Response:
    """POST /api/patterns/{id}/note: somebody writes what others should know of the pattern."""
    check_origin(request)
    wanted = await json_body(request, NoteRequest)
    asked = AddNote(request.match_info["id"], _text(request, wanted.text), _name(wanted.by), request[CALLER].name)
    return await _answer(request, asked, "Noted")


async def drain(request: web.Request) -> web.Response:
    """POST /api/workers/{id}/drain: the worker is out of service on purpose."""
    check_origin(request)
    wanted = await json_body(request, DrainRequest)
    return await _drain(request, wanted.by, _ahead(wanted.until), drained=True)


async def undrain(request: web.Request) -> web.Response:
    """POST /api/workers/{id}/undrain: the worker is in service again."""
    check_origin(request)
    wanted = await json_body(request, ActRequest)
    return await _drain(request, wanted.by, None, drained=False)


async def audit(request: web.Request) -> web.Response:
    """GET /api/audit: who changed which state when, newest first, page by page."""
    given = parse(request, AuditPaging)
    before = parsed_cursor(parse_number, given.cursor)
    return await answer_to(
        request, ListAudit(before=before, pattern=given.pattern, worker=given.worker, limit=given.limit)
    )


async def _act(request: web.Request, action: Action, words: str) -> web.Response:
    check_origin(request)
    wanted = await json_body(request, ActRequest)
    return await _answer(request, Act(request.match_info["id"], action, _name(wanted.by), request[CALLER].name), words)


async def _drain(request: web.Request, by: str, until: dt.datetime | None, *, drained: bool) -> web.Response:
    worker = request.match_info["id"]
    machines = request.app[SERVICE].machines.listed(now().timestamp(), [worker]).machines
    asked = Drain(worker, drained, _name(by), request[CALLER].name, bool(machines), until)
    return await _answer(request, asked, "Drained" if drained else "No longer drained")


async def _answer(request: web.Request, asked: Act | AddNote | Drain, words: str) -> web.Response:
    if len(asked.id) > MAX_ID:
        raise ApiError(404, "there is nothing with so long an id", field="id")
    answer = await request.app[SERVICE].store.change_state(asked)
    if isinstance(answer, Refused):
        raise ApiError(answer.status, answer.message, field=answer.field)
    await request.app[SERVICE].judge.settled()
    return success(answer, words)


def _name(by: str) -> str:
    """Returns a name without the blanks around it. Raises `ApiError` if nothing is left: the audit has an empty name
    for what happened by itself."""
    name = by.strip()
    if not name:
        raise ApiError(400, "by: expected a name", field="by")
    return name


def _text(request: web.Request, text: str) -> str:
    """Returns the text of a note without secrets and control characters. Raises `ApiError`."""
    if len(text) > MAX_TEXT:
        raise ApiError(400, f"text: expected at most {MAX_TEXT:,} characters, got {len(text):,}", field="text")
    redacted = request.app[SERVICE].redacted(msgspec.json.encode({"text": plain_text(text)}))
    text = cut(msgspec.json.decode(redacted)["text"], MAX_TEXT).strip()  # the marks of secrets may be longer than these
    if not text:
        raise ApiError(400, "text: expected a text that is not blank", field="text")
    return text


def _ahead(until: dt.datetime | None) -> dt.datetime | None:
    """Returns a time that is ahead of now. Raises `ApiError`."""
    if until is None:
        return None
    try:
        until = until.astimezone(dt.UTC)
    except OverflowError:
        raise ApiError(400, "until: out of range", field="until") from None
    if until <= now():
        raise ApiError(400, "until: expected a time that is ahead", field="until")
    if until > now() + LONGEST:
        raise ApiError(400, f"until: expected a time at most {LONGEST.days} days ahead", field="until")
    return until


def _no_pattern(id_: str) -> ApiError:
    return ApiError(404, f"there is no pattern {id_}", field="id")
