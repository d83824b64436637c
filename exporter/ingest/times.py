"""Reads the `timestamp` of a report: returns the moment that the sender means.

    "2026-03-15T12:00:00Z"   ISO 8601, also in the variants that programs write (blank, comma, slashes, UTC)
    "Sun, 15 Mar 2026 …"     RFC 2822, HTTP, C's `asctime`, the common log format
    1773576000, "1773576000.5", 1773576000123, …   epoch: seconds, milli-, micro- or nanoseconds, by its magnitude
    "20260315120000"         date and time without separators

`report_times.py` decides whether the moment is believed. This module does not guess a missing year, the offset of a
named zone, or the order of day and month.
"""

import datetime as dt
import re
from typing import Any, Final, NamedTuple

from exporter.events.report import FUTURE_TOLERANCE
from exporter.events.values import is_absent

EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
EARLIEST: Final = dt.datetime.min.replace(tzinfo=dt.UTC)
LATEST: Final = dt.datetime.max.replace(tzinfo=dt.UTC)
UNITS: Final = ((1e11, 1), (1e14, 10**3), (1e17, 10**6), (1e20, 10**9))  # limit: units in a second of numbers below it
MAX_TEXT: Final = 100  # characters; no spelling of a time needs more

_TIME: Final = r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?P<fraction>[.,]\d{1,30})?)?"
_OFFSET: Final = r"\s?(?P<offset>[+-]\d\d(?::?\d\d)?|Z|UTC|GMT)?"
# The name of the zone that Go, mail programs and Java write after the offset. A name without an offset is not read,
# because it may be ambiguous: CST has three meanings.
_AFTER: Final = r"(?P<after>(?:\s[A-Z]{3,4})?(?:\sm=\S+|\s?\([\w ]+\)|\[[\w/+-]+\])?)"
_WEEKDAY: Final = r"(?:[A-Z]{3,9},?\s)?"
_SPELLINGS: Final = tuple(
    re.compile(spelling, re.IGNORECASE | re.ASCII)
    for spelling in (
        rf"(?P<year>\d{{4}})[-/](?P<month>\d\d)[-/](?P<day>\d\d)[T_ ]{_TIME}{_OFFSET}{_AFTER}",
        rf"{_WEEKDAY}(?P<day>\d\d?)[ /-](?P<month>[A-Z]{{3}})[ /-](?P<year>\d{{4}})[ :]{_TIME}{_OFFSET}{_AFTER}",
        rf"{_WEEKDAY}(?P<month>[A-Z]{{3}})\s{{1,2}}(?P<day>\d\d?)\s{_TIME}(?:\s(?P<offset>UTC|GMT))?\s(?P<year>\d{{4}})(?P<after>)",
    )
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d*)?(?:e\+?\d\d?)?", re.IGNORECASE | re.ASCII)
_COMPACT: Final = re.compile(r"((?:19|20)\d{6})(?:(\d{6})(\d{3})?)?", re.ASCII)


class Said(NamedTuple):
    """The moment that a timestamp means, in UTC. `naive` is true if the timestamp has a time of day without an offset;
    then the moment depends on the zone in which it was read."""

    moment: dt.datetime
    naive: bool


def event_time(value: Any, received_at: dt.datetime, zone: dt.tzinfo | None) -> dt.datetime:
    """Returns the moment in UTC that the JSON value `value` means, or `received_at`, which must be aware, if the value
    is absent. Reads a time without an offset in `zone`, or in the machine's zone if `zone` is None. Raises ValueError
    if the value is no time."""
    said = read_time(value, received_at, zone)
    return received_at if said is None else said.moment


def read_time(value: Any, received_at: dt.datetime, zone: dt.tzinfo | None) -> Said | None:
    """Reads a time as `event_time` does. Returns None for an absent time: null, an empty text, "N/A" and the like.
    Returns `EARLIEST` or `LATEST` for a moment before the year 1 or after the year 9999."""
    value = value.strip() if isinstance(value, str) else value
    if is_absent(value):
        return None
    if isinstance(value, str):
        return _of_text(value, received_at, zone)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("neither a text nor a number")
    return Said(_of_epoch(value), naive=False)


def is_day(value: Any) -> bool:
    """Whether the time `value`, which was read, is a date without a time of day."""
    if not isinstance(value, str) or len(text := value.strip()) > len("2026-03-15"):
        return False
    return _NUMBER.fullmatch(text) is None or _COMPACT.fullmatch(text) is not None


def unambiguous_offset(local: dt.datetime, zone: dt.tzinfo | None) -> dt.timedelta | None:
    """Returns the offset from UTC that `local` has in `zone`, or in the machine's zone if `zone` is None. Returns None
    if `local` is in an hour that occurs twice or not at all because daylight saving time ends or begins."""
    first, second = _utc(_at(local, zone)), _utc(_at(local.replace(fold=1), zone))
    return local.replace(tzinfo=dt.UTC) - first if first == second else None


def _of_text(text: str, received_at: dt.datetime, zone: dt.tzinfo | None) -> Said:
    if len(text) > MAX_TEXT:
        raise ValueError("too long")
    # Numbers first: `fromisoformat` reads the milliseconds "1711092812345" as the year 1711.
    compact = _COMPACT.fullmatch(text)
    if compact is None and _NUMBER.fullmatch(text):
        return Said(_of_epoch(int(text) if text.lstrip("+-").isdigit() else float(text)), naive=False)
    if compact and compact.group(2):
        text = f"{compact.group(1)}T{compact.group(2)}.{compact.group(3) or 0}"
    later = dt.timedelta()
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        moment, later = _of_spelling(text)
    try:
        if moment.tzinfo is None:
            return Said(_nearest(moment + later, received_at, zone), naive=len(text) > len("2026-03-15"))
        return Said(_utc(moment) + later, naive=False)
    except OverflowError:  # a leap second at the end of the year 9999
        return Said(LATEST, naive=False)


def _of_epoch(value: float) -> dt.datetime:
    """Returns the moment that is `value` seconds, milli-, micro- or nanoseconds after the start of 1970."""
    for limit, units in UNITS:
        if abs(value) < limit:
            try:
                if isinstance(value, int):
                    return EPOCH + dt.timedelta(microseconds=value * 10**6 // units)
                return EPOCH + dt.timedelta(seconds=value / units)
            except OverflowError:
                return EARLIEST if value < 0 else LATEST
    raise ValueError("too large for an epoch time")


def _of_spelling(text: str) -> tuple[dt.datetime, dt.timedelta]:
    """Reads spellings that `fromisoformat` cannot read. Returns a moment and the time to add to it: a second for a leap
    second (23:59:60), a day for 24:00, else nothing. Raises ValueError."""
    match = next((found for spelling in _SPELLINGS if (found := spelling.fullmatch(text))), None)
    if match is None:
        return dt.datetime.fromisoformat(text.upper()), dt.timedelta()  # week dates and basic formats in lower case
    part = match.groupdict()
    if part["after"] and not part["offset"]:
        raise ValueError("a zone by name")
    month = part["month"] if part["month"].isdigit() else f"{_MONTHS.index(part['month'].lower()) + 1:02}"
    second, later = part["second"] or "00", dt.timedelta()
    if second == "60":
        second, later = "59", dt.timedelta(seconds=1)
    if (part["hour"], part["minute"], second) == ("24", "00", "00"):
        part["hour"], later = "00", dt.timedelta(days=1)
    offset = (part["offset"] or "").upper()
    clock = f"{part['hour']}:{part['minute']}:{second}{part['fraction'] or ''}"
    written = f"{part['year']}-{month}-{int(part['day']):02}T{clock}{'Z' if offset in ('UTC', 'GMT') else offset}"
    return dt.datetime.fromisoformat(written), later


def _nearest(local: dt.datetime, received_at: dt.datetime, zone: dt.tzinfo | None) -> dt.datetime:
    """Returns a time without an offset in UTC. In the hour that occurs twice at the end of daylight saving time, and in
    the hour that is skipped at its beginning, there are two readings. Of those that are not too far ahead of the
    receipt, the nearer one is returned; if both are ahead, the earlier one."""
    first, second = _utc(_at(local, zone)), _utc(_at(local.replace(fold=1), zone))
    if first == second:
        return first
    possible = [one for one in (first, second) if one - received_at <= FUTURE_TOLERANCE] or [min(first, second)]
    return min(possible, key=lambda one: abs(received_at - one))


def _at(local: dt.datetime, zone: dt.tzinfo | None) -> dt.datetime:
    return local if zone is None else local.replace(tzinfo=zone)


def _utc(moment: dt.datetime) -> dt.datetime:
    """Returns `moment` in UTC. A naive moment is in the machine's zone."""
    try:
        return moment.astimezone(dt.UTC)
    except (OverflowError, ValueError, OSError):  # at the ends of the calendar
        return EARLIEST if moment.year < EPOCH.year else LATEST
