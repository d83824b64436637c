"""Handlers of the requests about machines: their heartbeats, and the list of them."""

import asyncio
import math
import time
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from exporter.events.heartbeat import MAX_HEARTBEAT, Heartbeat, Machines, Received
from exporter.http.access import CALLER
from exporter.http.parameters import parse
from exporter.http.report_body import JSON, report_body
from exporter.http.responses import SERVICE, ApiError, success
from exporter.ingest.pipeline import FOREIGN
from exporter.ingest.rate_limits import RateLimits

RATE: Final = 1.0  # heartbeats a second of a machine
BURST: Final = 10
LIMITS: Final = web.AppKey("heartbeat_limits", RateLimits)
_decode = msgspec.json.Decoder(Heartbeat, strict=False).decode
_encode = msgspec.json.Encoder().encode


class MachineChoice(Struct, frozen=True, kw_only=True):
    """Which machines to return."""

    worker: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    limit: Annotated[int, Meta(ge=1, le=1_000, description="how many to return at most")] = 100


async def heartbeat(request: web.Request) -> web.Response:
    """POST /api/heartbeat: a machine is alive. It is kept in memory, so success does not mean that it is on disk."""
    service = request.app[SERVICE]
    body = await report_body(request, (JSON,))
    if len(body) > MAX_HEARTBEAT:
        raise ApiError(413, f"a heartbeat has at most {MAX_HEARTBEAT} bytes", reason="too_large")
    redaction = service.ingest.pipeline.redaction
    if redaction is not None:
        body = redaction.redact(body)
    try:
        found = _decode(body)
        kept = msgspec.json.format(body, indent=-1)  # checks what `_decode` skips
        msgspec.json.decode(kept)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"not a heartbeat: {error}", field=_field(str(error)), reason="malformed") from None
    caller = request[CALLER]
    if not found.worker_id.startswith(caller.worker):
        words = f"this token may only report for workers whose id begins with {caller.worker!r}"
        raise ApiError(403, words, field="worker_id", reason=FOREIGN)
    wait = request.app[LIMITS].take(found.worker_id, "")
    if wait:
        words = f"more than {RATE:g} heartbeats a second of {found.worker_id!r}"
        raise ApiError(429, words, reason="rate_limited", retry_after=math.ceil(wait.seconds))
    service.machines.receive(found, kept, time.time())
    service.errors.on_heartbeat(found.worker_id, kept, stopping=bool(found.stopping))
    return success(_encode(Received(found.worker_id, service.machines.silent_after)), "Heartbeat received")


async def machines(request: web.Request) -> web.Response:
    """GET /api/heartbeats: machines that send heartbeats, silent ones first."""
    given = parse(request, MachineChoice)
    found: Machines = request.app[SERVICE].machines.listed(time.time(), given.worker, given.limit)
    return success(await asyncio.to_thread(_encode, found))


def _field(words: str) -> str:
    return "worker_id" if "worker_id" in words else "interval" if "interval" in words else ""
