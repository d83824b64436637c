"""What happened lately, without the store: counts over a sliding window, and how often a pattern recurs."""

import datetime as dt
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from exporter.ingest.severity import Thresholds

HOUR: Final = dt.timedelta(hours=1)
SIX_HOURS: Final = dt.timedelta(hours=6)
MAX_PATTERNS: Final = 50_000


class SlidingCount:
    """How many of something fell into the last `span` seconds, to the second."""

    def __init__(self, span: int, seconds: Mapping[int, int] | None = None) -> None:
        self._span = span
        self._seconds: dict[int, int] = dict(seconds or {})

    def add(self, moment: float, count: int = 1) -> None:
        second = int(moment)
        self._seconds[second] = self._seconds.get(second, 0) + count

    def value(self, now: float, *, since: float = 0.0) -> int:
        """The count of the window that ends `now`, and begins at `since` where that is later."""
        oldest = int(now) - self._span
        if len(self._seconds) > 2 * self._span:
            self._seconds = {second: count for second, count in self._seconds.items() if second > oldest}
        first = max(oldest, int(since) - 1)
        return sum(count for second, count in list(self._seconds.items()) if second > first)


class Recurrences:
    """The last times of each pattern, as many as the thresholds need; the patterns unseen for longest are forgotten."""

    def __init__(self, thresholds: Thresholds, past: Mapping[str, Sequence[dt.datetime]]) -> None:
        self._hourly = thresholds.recurring_per_hour
        self._six_hourly = thresholds.recurring_per_6_hours
        self._keep = max(self._hourly, self._six_hourly)
        self._times: OrderedDict[str, list[dt.datetime]] = OrderedDict()
        for fingerprint, times in past.items():
            self._times[fingerprint] = sorted(times)[-self._keep :]

    def recurs(self, fingerprint: str, moment: dt.datetime) -> bool:
        """Notes one more error of the pattern, and says whether there now are more than the thresholds allow in the
        hour or the six hours up to `moment`."""
        times = self._times.get(fingerprint)
        if times is None:
            times = self._times[fingerprint] = []
            if len(self._times) > MAX_PATTERNS:
                self._times.popitem(last=False)
        else:
            self._times.move_to_end(fingerprint)
        hour = six = 1
        for time_ in times:
            age = moment - time_
            if -HOUR < age < HOUR:
                hour += 1
            if -SIX_HOURS < age < SIX_HOURS:
                six += 1
        times.append(moment)
        if len(times) > self._keep:
            times.sort()
            del times[0]
        return hour > self._hourly or six > self._six_hourly

    def forget(self, fingerprint: str, moment: dt.datetime) -> None:
        """Takes one back that could not be stored."""
        times = self._times.get(fingerprint)
        if times and moment in times:
            times.remove(moment)
