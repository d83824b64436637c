"""Which single errors a reader wants, and where a page of them ends."""

import datetime as dt
from typing import Final

from msgspec import Struct

GROUPS: Final = ("resource", "network", "hardware", "worker", "test", "recurring")


class Filters(Struct, frozen=True):
    """None means any; a list means any of these. `group` holds of `GROUPS`, as the summary counts
    them. `cursor` is what an earlier page gave as `next_cursor`."""

    hours: int = 24
    severity: list[str] | None = None
    category: list[str] | None = None
    worker: list[str] | None = None
    type: list[str] | None = None
    hardware: list[str] | None = None
    fingerprint: str | None = None
    group: list[str] | None = None
    q: str | None = None
    cursor: tuple[dt.datetime, int] | None = None
    limit: int = 100


_EPOCH = dt.datetime(1970, 1, 1)


def cursor_text(timestamp: dt.datetime, id_: int) -> str:
    """The place after the error `id_` that happened at `timestamp` (naive UTC)."""
    return f"{(timestamp - _EPOCH) // dt.timedelta(microseconds=1)}.{id_}"


def parse_cursor(text: str) -> tuple[dt.datetime, int]:
    """What `cursor_text` made. Raises ValueError."""
    micros, _, id_ = text.partition(".")
    try:
        place = _EPOCH + dt.timedelta(microseconds=int(micros)), int(id_)
    except (ValueError, OverflowError):
        place = _EPOCH, 0
    if not 0 < place[1] < 2**63:
        raise ValueError("not a cursor of this service")
    return place
