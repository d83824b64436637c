"""Decompress the bodies of requests, up to a limit.

aiohttp would inflate every body as it arrives, on the event loop, whether it is read or not. After an answer it reads
the rest of the body for up to 10 s: 7 kB that inflate to gigabytes held up every other request for as long. So the
server is started with `auto_decompress=False`, and a handler that reads a body inflates it here, in a thread.
"""

import sys
import zlib
from collections.abc import Callable
from typing import Any, Final

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_PARTS: Final = 100  # gzip members or zstd frames of a body; each copies what follows it


class InflateError(ValueError):
    """The body is not what its encoding says: damaged, cut off, or in too many parts."""


class TooLargeError(ValueError):
    """The body inflates to more than the limit."""


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """`body` as it was before it was compressed by `encoding` (gzip, deflate, br or zstd), at most `limit` bytes.
    Raises `InflateError` and `TooLargeError`."""
    try:
        return _brotli(body, limit) if encoding == "br" else _parts(body, _decompressor(body, encoding), limit)
    except (zlib.error, brotli.error, zstd.ZstdError) as error:
        raise InflateError(str(error)) from error


def _decompressor(body: bytes, encoding: str) -> Callable[[], Any]:
    if encoding == "zstd":
        return zstd.ZstdDecompressor
    if encoding == "gzip":
        return lambda: zlib.decompressobj(16 + zlib.MAX_WBITS)
    bare = body[:1] and body[0] & 15 != 8  # deflate without the header of zlib, as some senders have it
    return lambda: zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS)


def _parts(body: bytes, decompressor: Callable[[], Any], limit: int) -> bytes:
    content = bytearray()
    for _ in range(MAX_PARTS):
        if not body:
            return bytes(content)
        one = decompressor()
        content += one.decompress(body, limit + 1 - len(content))
        if len(content) > limit:
            raise TooLargeError
        if not one.eof:
            raise InflateError("it is cut off")
        body = one.unused_data
    raise InflateError(f"more than {MAX_PARTS} parts")


def _brotli(body: bytes, limit: int) -> bytes:
    if not body:
        return body
    one = brotli.Decompressor()
    content = bytearray()
    while body or not one.can_accept_more_data():
        content += one.process(body, output_buffer_limit=limit + 1 - len(content))
        if len(content) > limit:
            raise TooLargeError
        body = b""
    if not one.is_finished():
        raise InflateError("it is cut off")
    return bytes(content)
