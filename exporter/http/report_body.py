"""Reads the body of a request that sends reports, in our own format or in that of another protocol."""

import asyncio
from collections.abc import Collection
from typing import Final

from aiohttp import hdrs, web

from exporter.http.arriving import received
from exporter.http.inflate import InflateError, TooLargeError, inflate
from exporter.http.responses import SERVICE, ApiError, check_origin

JSON: Final = "application/json"
PLAIN: Final = ("", "identity")
ENCODINGS: Final = (*PLAIN, "gzip", "deflate", "br", "zstd")


async def report_body(request: web.Request, types: Collection[str] = ()) -> bytes:
    """Returns the body, decompressed; of any content type if `types` is empty. Raises `ApiError` for a forbidden
    origin, and for a content type or an encoding that this service does not read; `HTTPRequestEntityTooLarge` for a
    body beyond the limit."""
    check_origin(request)
    return await decoded_body(request, types)


async def decoded_body(request: web.Request, types: Collection[str] = ()) -> bytes:
    """As `report_body`, from any origin: of a request whose sender is not known yet."""
    headers = request.headers
    if types and headers.get(hdrs.CONTENT_TYPE, JSON) != JSON and request.content_type not in types:
        expected = " or ".join(types)
        raise ApiError(415, f"expected {expected}", field="Content-Type", reason="unsupported_type")
    encoding = headers.get(hdrs.CONTENT_ENCODING, "").lower()
    if encoding not in ENCODINGS:
        words = "expected gzip, deflate, br or zstd"
        raise ApiError(415, words, field="Content-Encoding", reason="unsupported_encoding")
    body = await received(request)
    if encoding in PLAIN:
        return body
    limit = request.app[SERVICE].settings.max_body_bytes
    try:
        return await asyncio.to_thread(inflate, body, encoding, limit)
    except TooLargeError:
        raise web.HTTPRequestEntityTooLarge(limit) from None
    except InflateError:
        raise ApiError(400, "the body does not decompress", reason="malformed") from None
