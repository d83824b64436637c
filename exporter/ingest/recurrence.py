"""How often each pattern occurred lately, in memory: whether an error recurs by the service's own count."""

import datetime as dt
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from exporter.events.report import FUTURE_TOLERANCE
from exporter.ingest.severity import Thresholds

HOUR: Final = 3_600.0
SIX_HOURS: Final = 6 * HOUR
AHEAD: Final = FUTURE_TOLERANCE.total_seconds()
MAX_PATTERNS: Final = 50_000


class Recurrences:
    """The latest times of each pattern, as many as the thresholds need. A new pattern beyond `MAX_PATTERNS` evicts the
    pattern whose last error was added longest ago; patterns of `past` without a new error go first, in its order."""

    def __init__(self, thresholds: Thresholds, past: Mapping[str, Sequence[dt.datetime]]) -> None:
        self.use(thresholds)
        self._times: OrderedDict[str, list[float]] = OrderedDict()  # epoch seconds, sorted
        for pattern_id, times in past.items():
            self._times[pattern_id] = sorted([time.timestamp() for time in times])[-self._keep :]
            self._evict()

    def use(self, thresholds: Thresholds) -> None:
        """Uses other thresholds. Higher ones may need more times of a pattern than are kept, until it occurs again."""
        self._hourly = thresholds.recurring_per_hour
        self._six_hourly = thresholds.recurring_per_6_hours
        self._keep = thresholds.times_needed

    def recurs(self, pattern_id: str, moment: dt.datetime, received_at: dt.datetime | None = None) -> bool:
        """Adds an error of the pattern at `moment`, and returns whether the pattern now has more errors within an hour
        or six hours of `moment` than the thresholds allow. Forgets times ahead of the receipt: they were accepted while
        the clock was wrong, and would take the place of the right ones."""
        second = moment.timestamp()
        times = self._times.get(pattern_id)
        if times is None:
            times = self._times[pattern_id] = []
            self._evict()
        else:
            self._times.move_to_end(pattern_id)
            if received_at is not None and times and times[-1] > second:
                latest = received_at.timestamp() + AHEAD
                while times and times[-1] > latest:
                    times.pop()
        recurs = (
            1 + _within(times, second, HOUR) > self._hourly or 1 + _within(times, second, SIX_HOURS) > self._six_hourly
        )
        insort(times, second)
        if len(times) > self._keep:
            del times[: len(times) - self._keep]
        return recurs

    def join(self, old: str, new: str) -> None:
        """Moves the times of a pattern to another one, of which it became a part."""
        times = self._times.pop(old, None)
        if times:
            self._times[new] = sorted([*times, *self._times.get(new, ())])[-self._keep :]

    def copy(self, old: str, new: str) -> None:
        """Gives a pattern without times those of another one, whose errors it continues."""
        if old in self._times and new not in self._times:
            self._times[new] = self._times[old].copy()
            self._evict()

    def forget(self, pattern_id: str, moment: dt.datetime) -> None:
        """Removes an error that could not be stored."""
        times = self._times.get(pattern_id)
        if times and (second := moment.timestamp()) in times:
            times.remove(second)

    def _evict(self) -> None:
        if len(self._times) > MAX_PATTERNS:
            self._times.popitem(last=False)


def _within(times: list[float], second: float, span: float) -> int:
    """Returns how many of the sorted `times` are less than `span` seconds before or after `second`."""
    return bisect_left(times, second + span) - bisect_right(times, second - span)
