"""Cursors: the texts that name a position in a list, which the next page of it begins after.

errors     newest first           <microseconds since 1970 in UTC>.<id>
patterns   most frequent first    <occurrences>.<microseconds since 1970 in UTC>.<pattern id>
workers    by a value             <value, empty if there is none>.<name, percent-encoded>
audit      newest first           <number>
"""

import datetime as dt
import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

_EPOCH: Final = dt.datetime(1970, 1, 1)
_EPOCH_UTC: Final = _EPOCH.replace(tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_FOREIGN: Final = "not a cursor of this service"
MAX_ID: Final = 2**63 - 1
_MICROS: Final = r"(-?[0-9]{1,18})"
_POSITIVE: Final = r"([1-9][0-9]{0,17})"
NUMBER: Final = rf"^{_POSITIVE}$"
CURSOR: Final = rf"^{_MICROS}\.{_POSITIVE}$"
RANK: Final = rf"^{_POSITIVE}\.{_MICROS}\.([!-~]+)$"
PLACE: Final = r"^(-?[0-9]{1,18})?\.([!-~]+)$"
_cursor = re.compile(CURSOR.replace("$", r"\Z")).match
_number = re.compile(NUMBER.replace("$", r"\Z")).match
_rank = re.compile(RANK.replace("$", r"\Z")).match
_place = re.compile(PLACE.replace("$", r"\Z")).match


class Position(NamedTuple):
    """The last error of a page. `timestamp` is naive UTC, as the database keeps it."""

    timestamp: dt.datetime
    id: int


class Rank(NamedTuple):
    """The last pattern of a page, by what the list is sorted by. `last_seen` is naive UTC."""

    occurrences: int
    last_seen: dt.datetime
    pattern_id: str


class Place(NamedTuple):
    """The last worker of a page, and the value by which the list is sorted; None if it has none."""

    value: int | None
    worker: str


def cursor_after(timestamp: dt.datetime, id_: int) -> str:
    """Returns the cursor of the page that begins after an error. A `timestamp` without an offset is UTC."""
    since = _EPOCH if timestamp.tzinfo is None else _EPOCH_UTC
    return f"{(timestamp - since) // _MICROSECOND}.{id_}"


def parse_cursor(text: str) -> Position:
    """Returns the position that `cursor_after` wrote. Raises ValueError."""
    found = _cursor(text)
    if not found:
        raise ValueError(_FOREIGN)
    return Position(_moment(found[1]), int(found[2]))


def rank_cursor(rank: Rank) -> str:
    """Returns the cursor of the page that begins after a pattern."""
    return f"{rank.occurrences}.{(rank.last_seen - _EPOCH) // _MICROSECOND}.{rank.pattern_id}"


def parse_number(text: str) -> int:
    """Returns the number of the last entry of a page of the audit trail. Raises ValueError."""
    if not _number(text):
        raise ValueError(_FOREIGN)
    return int(text)


def parse_rank(text: str) -> Rank:
    """Returns the rank that `rank_cursor` wrote. Raises ValueError."""
    found = _rank(text)
    if not found:
        raise ValueError(_FOREIGN)
    return Rank(int(found[1]), _moment(found[2]), found[3])


def place_cursor(place: Place) -> str:
    """Returns the cursor of the page that begins after a worker."""
    return f"{'' if place.value is None else place.value}.{quote(place.worker, safe='')}"


def parse_place(text: str) -> Place:
    """Returns the place that `place_cursor` wrote. Raises ValueError."""
    found = _place(text)
    if not found:
        raise ValueError(_FOREIGN)
    return Place(int(found[1]) if found[1] else None, unquote(found[2]))


def _moment(micros: str) -> dt.datetime:
    """Returns the time; the first or last one that there is for a number beyond it, which no error has."""
    try:
        return _EPOCH + dt.timedelta(microseconds=int(micros))
    except OverflowError:
        return dt.datetime.min if micros.startswith("-") else dt.datetime.max
