"""Handlers of the requests about what is stored: how full it is, its history, pins and deletions."""

import shutil

import msgspec
from aiohttp import web

from exporter.deletion import delete as delete_errors
from exporter.http.addresses import address_of
from exporter.http.arriving import received
from exporter.http.bodies import parsed
from exporter.http.parameters import parse, refuse_unknown
from exporter.http.reads import answer_to, error_id, now
from exporter.http.responses import SERVICE, ApiError, check_origin, success
from exporter.store import StoreError
from exporter.store.deletions import DeleteRequest, Pin, Pinned
from exporter.store.parameters import HistoryChoice
from exporter.store.queries import GetHistory, GetStorage, ListDeletions


async def storage(request: web.Request) -> web.Response:
    """GET /api/storage: what is stored, and how full it is."""
    refuse_unknown(request)
    service = request.app[SERVICE]
    try:
        disk = shutil.disk_usage(service.path.parent)
    except FileNotFoundError:
        raise StoreError("the folder of the database was deleted or moved") from None
    sizes = service.sizes()
    age = service.settings.retention_age
    query = GetStorage(
        retention_seconds=age.total_seconds() if age else None,
        max_bytes=service.settings.max_db_bytes or None,
        database_bytes=sizes.database,
        wal_bytes=sizes.wal,
        log_bytes=sizes.log,
        disk_bytes=disk.total,
        disk_free_bytes=disk.free,
        min_free_bytes=service.settings.min_free_bytes,
    )
    return await answer_to(request, query)


async def history(request: web.Request) -> web.Response:
    """GET /api/history: errors by day, also those that retention has deleted."""
    given = parse(request, HistoryChoice)
    if given.value is not None and given.by == "severity":
        raise ApiError(400, "value: needs by=worker or by=pattern", field="value")
    return await answer_to(request, GetHistory(days=given.days, now=now(), by=given.by, value=given.value))


async def delete(request: web.Request) -> web.Response:
    """POST /api/errors/delete: deletes the errors that match filters, or counts them."""
    check_origin(request)
    body = await received(request)
    wanted = parsed(request, body, DeleteRequest)
    for name, value in msgspec.json.decode(body or b"{}").items():
        if value == []:  # an empty list restricts nothing, so it would delete everything
            raise ApiError(400, f"{name}: expected at least one value", field=name)
    if wanted == DeleteRequest(dry_run=wanted.dry_run):
        raise ApiError(400, "expected at least one filter, such as `worker` or `time_range`")
    deletion = await delete_errors(request.app[SERVICE], wanted, address_of(request))
    errors = f"{deletion.errors} error{'s' if deletion.errors != 1 else ''}"
    return success(deletion, f"{errors} would be deleted" if deletion.dry_run else f"{errors} deleted")


async def deletions(request: web.Request) -> web.Response:
    """GET /api/errors/deletions: the last deletions on request."""
    refuse_unknown(request)
    return await answer_to(request, ListDeletions())


async def pin_error(request: web.Request) -> web.Response:
    """POST /api/errors/{id}/pin: pins an error."""
    return await _pin(request, Pin(pinned=True, error=error_id(request)))


async def unpin_error(request: web.Request) -> web.Response:
    """POST /api/errors/{id}/unpin: unpins an error."""
    return await _pin(request, Pin(pinned=False, error=error_id(request)))


async def pin_pattern(request: web.Request) -> web.Response:
    """POST /api/patterns/{id}/pin: pins a pattern."""
    return await _pin(request, Pin(pinned=True, pattern=request.match_info["id"]))


async def unpin_pattern(request: web.Request) -> web.Response:
    """POST /api/patterns/{id}/unpin: unpins a pattern."""
    return await _pin(request, Pin(pinned=False, pattern=request.match_info["id"]))


async def _pin(request: web.Request, asked: Pin) -> web.Response:
    check_origin(request)
    if not await request.app[SERVICE].store.pin(asked):
        what = f"error {asked.error}" if asked.error is not None else f"pattern {asked.pattern}"
        raise ApiError(404, f"there is no {what}", field="id")
    return success(Pinned(pinned=asked.pinned), "Pinned" if asked.pinned else "No longer pinned")
