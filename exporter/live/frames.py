"""WebSocket frames as a server sends them (RFC 6455, section 5.2): not masked, not compressed.

The service makes its own frames so that it can send many with one write, and one frame to many clients. aiohttp makes
those that open, test and close a connection.
"""

import struct
from typing import Final

_FINAL_TEXT: Final = 0x81
_SHORT: Final = struct.Struct("!BB").pack
_MIDDLE: Final = struct.Struct("!BBH").pack
_LONG: Final = struct.Struct("!BBQ").pack


def text_frame(payload: bytes) -> bytes:
    """Returns a message of UTF-8 text as one frame."""
    size = len(payload)
    if size < 126:
        return _SHORT(_FINAL_TEXT, size) + payload
    if size < 2**16:
        return _MIDDLE(_FINAL_TEXT, 126, size) + payload
    return _LONG(_FINAL_TEXT, 127, size) + payload
