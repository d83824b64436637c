"""Sends a long response, and cuts off a client that takes nothing of it.

A slow client is served: the time counts from the last byte that the client took. Bytes in the buffers of the process
and of the kernel are not taken yet. The kernel's buffer counts, because it may have megabytes: a slow client needs
minutes until it has room again.
"""

import asyncio
import contextlib
import fcntl
import math
import struct
import termios
import time
from typing import Final

from aiohttp import web

STALLED_SECONDS: Final = 60.0
LOOKS: Final = 4  # in this time


async def write(request: web.Request, response: web.StreamResponse, content: bytes) -> None:
    """Sends bytes. Raises ConnectionError if the client has gone, or took nothing for `STALLED_SECONDS`: then the
    connection is closed."""
    writing = asyncio.create_task(response.write(content))
    least, taken_at = math.inf, time.monotonic()
    try:
        while not (await asyncio.wait([writing], timeout=STALLED_SECONDS / LOOKS))[0]:
            now, left = time.monotonic(), untaken(request.transport)
            if left < least:
                least, taken_at = left, now
            elif now - taken_at >= STALLED_SECONDS:
                if request.transport is not None:
                    request.transport.abort()
                raise ConnectionResetError(f"the client took nothing for {STALLED_SECONDS:g} s")
        writing.result()
    finally:
        writing.cancel()


def untaken(transport: asyncio.Transport | None) -> int:
    """Returns the bytes that were sent and not taken by the client."""
    if transport is None:
        return 0
    waiting = transport.get_write_buffer_size()
    with contextlib.suppress(OSError, ValueError):  # closed, or a system that cannot tell
        descriptor = transport.get_extra_info("socket").fileno()
        waiting += struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))[0]
    return waiting
