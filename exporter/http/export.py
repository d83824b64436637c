"""GET /api/export: errors as a file, sent while they are read."""

import asyncio
import datetime as dt
import logging
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from aiohttp import HttpVersion11, hdrs, web
from msgspec import structs

from exporter.exported import csv_text
from exporter.exported.parquet import ParquetFile
from exporter.exported.part import Part
from exporter.http.parameters import parse
from exporter.http.responses import SERVICE, ApiError
from exporter.http.taken import write
from exporter.store.parameters import ErrorFilters, ExportChoice, ExportFormat
from exporter.store.queries import ExportErrors

MAX_EXPORTS: Final = 4  # at one time
RETRY_SECONDS: Final = 5
EXPORTS: Final = web.AppKey("exports", asyncio.Semaphore)  # of `MAX_EXPORTS`
_log = logging.getLogger(__name__)


class Media(NamedTuple):
    """How a format is named: content type, and the end of the name of a file."""

    type: str
    suffix: str


MEDIA: Final[dict[ExportFormat, Media]] = {
    "ndjson": Media("application/x-ndjson", "ndjson"),
    "csv": Media("text/csv; charset=utf-8; header=present", "csv"),
    "parquet": Media("application/vnd.apache.parquet", "parquet"),
}


async def export(request: web.Request) -> web.StreamResponse:
    """GET /api/export: the errors that match the filters and were accepted before the request, in the order of their
    ids. If one part of them cannot be read, the connection is closed before the response is complete."""
    if request.version < HttpVersion11:
        raise ApiError(505, "expected HTTP/1.1: over HTTP/1.0, an export that breaks off looks complete")
    exports = request.app[EXPORTS]
    if exports.locked():
        raise ApiError(503, f"{MAX_EXPORTS} exports are running; try again later", retry_after=RETRY_SECONDS)
    async with exports:
        return await _export(request)


async def _export(request: web.Request) -> web.StreamResponse:
    choice, filters = parse(request, ExportChoice, ErrorFilters)
    now = dt.datetime.now(dt.UTC)
    until = request.app[SERVICE].log.last
    query = ExportErrors(filters=filters, hours=choice.hours, now=now, after=0, until=until, format=choice.format)
    parts = _parts(request, query)
    first = await anext(parts)  # if the database is away, the answer says so
    media = MEDIA[choice.format]
    name = f"errors-{now:%Y%m%dT%H%M%SZ}.{media.suffix}"
    headers = {hdrs.CONTENT_TYPE: media.type, hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"'}
    response = web.StreamResponse(headers=headers | {hdrs.CACHE_CONTROL: "no-store"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:
        return response
    try:
        await _send(request, response, choice.format, first, parts)
    except ConnectionError as error:
        _log.info("the client of an export has gone: %s", error)
    except BaseException as error:
        if not isinstance(error, asyncio.CancelledError):
            _log.error("an export ends before it is complete: %s", error)
        if request.transport is not None:
            request.transport.abort()  # without the last chunk, the client sees that the response is not complete
        if not isinstance(error, Exception):
            raise
    return response


async def _parts(request: web.Request, query: ExportErrors) -> AsyncIterator[Part]:
    """Yields the parts of an export. Raises `StoreError`."""
    store = request.app[SERVICE].store
    while True:
        part = await store.export(query)
        yield part
        if part.is_last:
            return
        query = structs.replace(query, after=part.position)


async def _send(
    request: web.Request,
    response: web.StreamResponse,
    format_: ExportFormat,
    part: Part,
    parts: AsyncIterator[Part],
) -> None:
    """Sends the parts of an export, beginning with `part`. Raises ConnectionError if the client has gone or takes
    nothing, and `StoreError`."""
    file = ParquetFile()
    if format_ == "parquet":
        await write(request, response, file.begin())
    elif format_ == "csv":
        await write(request, response, csv_text.header())
    while True:
        content = file.add(part.pages, part.errors) if part.pages else part.text
        if content:
            await write(request, response, content)
        if part.is_last:
            break
        part = await anext(parts)
    if format_ == "parquet":
        await write(request, response, file.end())
    await response.write_eof()
