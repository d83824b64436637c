"""The words of a verdict: numbers, names, times and durations in plain English, and the pieces of a sentence.

Times are in UTC. A page may show them in the zone of its reader, because each is a piece of its own.
"""

import datetime as dt
from collections.abc import Sequence
from math import floor
from typing import Final

from msgspec import Struct

from exporter.events.error_object import Timestamp
from exporter.events.event import isoformat
from exporter.events.one_line import one_line

MAX_NAME: Final = 60  # characters of the name of a worker, hardware type or run
MAX_PATTERN: Final = 80  # characters of the template of a pattern
MOST_TIMES: Final = 1_000  # ratios to what is usual above it are not given
NAMED: Final = 3  # workers that a sentence names


class Piece(Struct):
    """A part of the sentence. `time` is the moment that `text` names, in UTC; null for other parts."""

    text: str
    time: Timestamp | None = None


Word = str | dt.datetime | Piece
Words = Sequence[Word]


class Clock:
    """The present moment, which notes when it will be told differently. `next_change` is the first moment at which an
    answer that was given so far would be another one; None if there is none."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now
        self.next_change: dt.datetime | None = None

    def is_within(self, seconds: float, moment: dt.datetime | None) -> bool:
        """Returns whether `moment` was less than `seconds` ago. A moment ahead of now is."""
        if moment is None:
            return False
        end = moment + dt.timedelta(seconds=seconds)
        self.changes_at(end)
        return self.now < end

    def changes_at(self, moment: dt.datetime | None) -> None:
        """Notes that something changes at `moment`, if that is ahead."""
        if moment is not None and moment > self.now and (self.next_change is None or moment < self.next_change):
            self.next_change = moment

    def ago(self, moment: dt.datetime) -> str:
        """Returns how long ago `moment` was, as "3 h ago"."""
        text = self.age(moment)
        return text if text == "just now" else f"{text} ago"

    def age(self, moment: dt.datetime) -> str:
        """Returns the time since `moment` in whole minutes, from two hours on in hours, from two days on in days."""
        seconds = max(0.0, (self.now - moment).total_seconds())
        unit, name = next((unit, name) for unit, name, most in _UNITS if seconds < most)
        units = floor(seconds / unit)
        self.changes_at(moment + dt.timedelta(seconds=unit * (units + 1)))
        return f"{units:,} {name}" if units else "just now"

    def time(self, moment: dt.datetime, *, seconds: bool = False) -> str:
        """Returns `moment` in UTC: the time of day, and the date unless that is today."""
        at, today = moment.astimezone(dt.UTC), self.now.astimezone(dt.UTC).date()
        clock = f"{at:%H:%M:%S} UTC" if seconds else f"{at:%H:%M} UTC"
        if at.date() == today:
            midnight = dt.datetime.combine(today + dt.timedelta(days=1), dt.time(), dt.UTC)
            self.changes_at(midnight)
            return clock
        return f"{self.date(at)} {clock}"

    def date(self, moment: dt.datetime) -> str:
        """Returns the date of `moment` in UTC; with the year if that is another one."""
        at, year = moment.astimezone(dt.UTC), self.now.astimezone(dt.UTC).year
        self.changes_at(dt.datetime(year + 1, 1, 1, tzinfo=dt.UTC))
        if at.year != year:
            return f"{at.day} {at:%B} {at.year}"
        return f"{at:%a} {at.day} {at:%b}"


_UNITS: Final = ((60, "min", 7_200.0), (3_600, "h", 172_800.0), (86_400, "days", float("inf")))


def number(count: int, noun: str, plural: str = "") -> str:
    """Returns a count and its noun, as "1 error" or "1,200 errors"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def name(text: str) -> str:
    """Returns a name that came with a report, fit for a sentence."""
    return one_line(text, MAX_NAME) or "(no name)"


def quoted(text: str) -> str:
    """Returns the template of a pattern in quotes."""
    return f'"{one_line(text, MAX_PATTERN) or "(no message)"}"'


def listed(names: Sequence[str], count: int) -> str:
    """Returns names as "a, b and c", or, of more than `NAMED`, the first ones and how many more there are. `count` is
    the number of all."""
    shown = [name(one) for one in names[: NAMED if count <= NAMED else NAMED - 1]]
    if count > len(shown):
        return f"{', '.join(shown)} and {count - len(shown):,} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def places(names: Sequence[str], count: int, *, more: bool = False) -> str:
    """Returns where something happened: up to two workers by name, else their number."""
    if count <= 2 and not more:
        return " and ".join(name(one) for one in names[:count])
    return f"{'more than ' if more else ''}{count:,} workers"


def times_usual(errors: int, usual: float) -> str:
    """Returns how `errors` compare with the usual number, which is above 0."""
    ratio = errors / usual
    if ratio > MOST_TIMES:
        return f"more than {MOST_TIMES:,} times the usual rate"
    if ratio >= 10:
        return f"{ratio:,.0f} times the usual rate"
    if ratio >= 1.5:
        return f"{ratio:.1f}".removesuffix(".0") + " times the usual rate"
    return "about the usual rate" if ratio >= 0.67 else "below the usual rate"


def pieces(words: Words, clock: Clock) -> list[Piece]:
    """Returns the pieces of a sentence; adjacent texts are one."""
    made: list[Piece] = []
    for word in words:
        if isinstance(word, Piece):
            made.append(word)
        elif isinstance(word, dt.datetime):
            made.append(Piece(clock.time(word), isoformat(word)))
        elif made and made[-1].time is None:
            made[-1].text += word
        elif word:
            made.append(Piece(word))
    return made
