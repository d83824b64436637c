"""Cursors: the text that names a position in the list of errors, which is sorted by timestamp and id, newest first.

A cursor is `<microseconds since 1970 in UTC>.<id>` of the error that the page before it ends with.
"""

import datetime as dt
from typing import Final, NamedTuple

_EPOCH: Final = dt.datetime(1970, 1, 1)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
MAX_ID: Final = 2**63 - 1


class Position(NamedTuple):
    """The last error of a page. `timestamp` is naive UTC, as the database keeps it."""

    timestamp: dt.datetime
    id: int


def cursor_after(timestamp: dt.datetime, id_: int) -> str:
    """Returns the cursor of the page that begins after an error. A `timestamp` without an offset is UTC."""
    if timestamp.tzinfo is not None:
        timestamp = timestamp.astimezone(dt.UTC).replace(tzinfo=None)
    return f"{(timestamp - _EPOCH) // _MICROSECOND}.{id_}"


def parse_cursor(text: str) -> Position:
    """Returns the position that `cursor_after` wrote. Raises ValueError."""
    micros, _, id_ = text.partition(".")
    try:
        position = Position(_EPOCH + dt.timedelta(microseconds=int(micros)), int(id_))
    except (ValueError, OverflowError):
        raise ValueError("not a cursor of this service") from None
    if not 0 < position.id <= MAX_ID:
        raise ValueError("not a cursor of this service")
    return position
