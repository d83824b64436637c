"""Decides the time at which an error counts: the timestamp of its report if it is believed, else the receipt.

    timestamp ──► read (times.py) ──► believed?   at most 5 minutes after the receipt, at most `max_age` before it
                        │                  │            (an import: not before 1971)
                  unreadable ──────────── no ──► the receipt; `reported_at` and a warning keep what was sent

So a wrong clock cannot hide an error: an error that counts at its receipt is shown, counted and pushed at once.
"""

import datetime as dt
import json
from typing import Any, Final

from msgspec import Struct

from exporter.events.report import FUTURE_TOLERANCE
from exporter.ingest.clock_offsets import ClockOffsets, advice
from exporter.ingest.times import is_day, read_time, unambiguous_offset

MAX_AGE: Final = dt.timedelta(days=7)  # the default of the setting `max_report_age`
FIRST_IMPORTED: Final = dt.datetime(1971, 1, 1, tzinfo=dt.UTC)  # clocks that were never set say 1970
DAY: Final = dt.timedelta(days=1)
LIVE: Final = dt.timedelta(minutes=5)  # an imported error that is not older than this is treated as any other error
MAX_REPORTED: Final = 100  # characters of a timestamp that `reported_at` keeps, without control characters
MAX_SHOWN: Final = 40  # characters of a timestamp in a warning
EXAMPLE: Final = "2026-03-15T12:00:00Z"
MINUTE: Final = len("2026-03-15T12:00")
MAX_MINUTES: Final = 1_000  # minutes whose offset from UTC is cached
_from_iso: Final = dt.datetime.fromisoformat
_AHEAD: Final = -FUTURE_TOLERANCE
_INSTEAD: Final = f"Send ISO 8601 with an offset ({EXAMPLE}) or epoch seconds."


class ReportTime(Struct, gc=False):
    """The time at which an error counts. `moment` is that time, in UTC. `said` is the time that the report says, even
    if it is not believed, or the receipt if the report has no readable time. `reported_at` is the timestamp as it was
    sent, if it was not believed, else None. `imported` is true if the error is part of an import and older than
    `LIVE`. `offset` is the known offset of the worker in seconds (`clock_offsets.py`), by which `moment` is wrong."""

    moment: dt.datetime
    said: dt.datetime
    reported_at: str | None = None
    warnings: tuple[str, ...] = ()
    imported: bool = False
    offset: int = 0


class ReportTimes:
    """Decides the times at which errors count. Reads timestamps without an offset in `zone`, or in the machine's zone
    if `zone` is None. `offsets` has the workers in a wrong zone. Only the event loop may use it."""

    def __init__(self, zone: dt.tzinfo | None, max_age: dt.timedelta = MAX_AGE) -> None:
        self.offsets = ClockOffsets()
        self._zone = zone
        self._max_age = max_age
        self._minutes: dict[str, dt.timedelta] = {}  # "2026-03-15T12:00", without an offset → offset from UTC

    def of(self, value: Any, worker: str, received_at: dt.datetime, *, importing: bool = False) -> ReportTime:
        """Returns the time at which an error of `worker` counts. `value` is the `timestamp` of its report: any JSON
        value."""
        if value is None:
            if self.offsets.found:
                self.offsets.note_independent(worker)
            return ReportTime(received_at, received_at)
        if type(value) is str and not importing:
            try:  # fast path for the usual times: ISO 8601, at most `max_age` old
                moment = _from_iso(value)
                if moment.tzinfo is None:
                    if (offset := self._minutes.get(value[:MINUTE])) is not None:
                        moment = moment.replace(tzinfo=dt.UTC) - offset
                        if _AHEAD <= received_at - moment <= FUTURE_TOLERANCE:
                            self.offsets.note_right(worker)
                            return ReportTime(moment, moment)
                else:
                    if moment.tzinfo is not dt.UTC:
                        moment = moment.astimezone(dt.UTC)
                    if _AHEAD <= received_at - moment <= self._max_age:
                        if self.offsets.found:
                            self.offsets.note_independent(worker)
                        return ReportTime(moment, moment)
            except (ValueError, OverflowError):
                pass
        return self._of(value, worker, received_at, importing=importing)

    def _of(self, value: Any, worker: str, received_at: dt.datetime, *, importing: bool) -> ReportTime:
        try:
            said = read_time(value, received_at, self._zone)
        except ValueError:
            return _at_receipt(value, received_at, received_at, ("no time that can be read", _INSTEAD))
        if said is None:
            return ReportTime(received_at, received_at)
        moment, offset = said.moment, 0
        if said.naive and not importing:
            offset = self.offsets.note(worker, moment, received_at)
            self._learn(value)
        named = (f"timestamp: {advice(worker, offset)}",) if offset else ()
        why = self._why_not(moment, received_at, importing=importing)
        if why is None and not importing and received_at - moment < DAY and is_day(value):
            why = ("a day without a time", f"Send the time, too ({EXAMPLE}).")  # its midnight can be hours ago
        if why:
            return _at_receipt(value, moment, received_at, why, named)
        if not (said.naive or importing):
            self.offsets.note_independent(worker)
        return ReportTime(moment, moment, None, named, importing and received_at - moment > LIVE, offset)

    def _learn(self, value: str) -> None:
        """Caches the offset from UTC of the minute of `value`, a time without an offset, so that the offset is looked
        up only once for all times in this minute."""
        minute = value[:MINUTE]
        try:
            local = _from_iso(minute)
        except ValueError:  # another spelling
            return
        if len(minute) == MINUTE and (offset := unambiguous_offset(local, self._zone)) is not None:
            self._minutes[minute] = offset
            if len(self._minutes) > MAX_MINUTES:
                del self._minutes[next(iter(self._minutes))]

    def _why_not(self, moment: dt.datetime, received_at: dt.datetime, *, importing: bool) -> tuple[str, str] | None:
        """Returns why a moment is not believed, and what the sender should do; None if it is believed."""
        age = received_at - moment
        if age < _AHEAD:
            words = f"more than {in_words(FUTURE_TOLERANCE)} ahead of the receipt"
            return words, "Set the sender's clock, and send the offset of its zone."
        if importing:
            return None if moment >= FIRST_IMPORTED else ("before 1971", "Send the time of the error.")
        if age <= self._max_age:
            return None
        words = f"more than {in_words(self._max_age)} before the receipt"
        return words, "Set the sender's clock, or send old errors with ?import=true."


def _at_receipt(
    value: Any, said: dt.datetime, received_at: dt.datetime, why: tuple[str, str], more: tuple[str, ...] = ()
) -> ReportTime:
    """Returns the receipt as the time at which the error counts, with a warning that says why its own time does not
    count and what the sender should do."""
    text = value if isinstance(value, str) else json.dumps(value)
    text = "".join([char if char.isprintable() else "�" for char in text[:MAX_REPORTED]])
    shown = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
    warning = f"timestamp {shown} is {why[0]}: the error counts at its receipt. {why[1]}"
    return ReportTime(received_at, said, text, (warning, *more))


def in_words(span: dt.timedelta) -> str:
    """Returns a span as text, in the largest unit in which it is a whole number: "7 days"."""
    seconds = int(span.total_seconds())
    for name, unit in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds % unit == 0:
            return f"{seconds // unit} {name}{'' if seconds == unit else 's'}"
    return f"{seconds} seconds"
