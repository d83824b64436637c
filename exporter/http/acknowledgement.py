"""The answer to a report on the short way (shortcut.py): its header is encoded once a second, not each time.

aiohttp makes the header of a response from a dictionary, after our own hooks have looked at it, which takes a tenth of
the time of a report (docs/performance.md). The header of this answer depends on the report only by the length; where it
depends on the request (HTTP/1.0, `Connection`, `Origin`) or on the web config file, aiohttp makes it.
"""

import time
from typing import Final

from aiohttp.helpers import rfc822_formatted_time

from exporter.http.responses import JSON_HEADERS, success_body

MESSAGE: Final = "Error reported successfully"
_FIXED: Final = "".join(f"{name}: {value}\r\n" for name, value in JSON_HEADERS.items())
_AROUND: Final = success_body(b"\0", MESSAGE).partition(b"\0")  # the body before and after the event
_head: tuple[int, bytes] = (0, b"")  # of this second


def acknowledgement(stored: bytes) -> bytes:
    """Returns the answer to a report, header and body; `stored` is the JSON object that describes its event."""
    before, _, after = _AROUND
    return b"%s%d\r\n\r\n%s%s%s" % (_header(), len(before) + len(stored) + len(after), before, stored, after)


def _header() -> bytes:
    """Returns status line and header up to the length of the body."""
    global _head
    second = int(time.time())
    if _head[0] != second:
        text = f"HTTP/1.1 200 OK\r\n{_FIXED}Date: {rfc822_formatted_time()}\r\nContent-Length: "
        _head = second, text.encode("ascii")
    return _head[1]
