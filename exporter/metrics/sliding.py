"""Counts over a sliding window, in memory."""

from collections.abc import Mapping
from math import inf


class SlidingCount:
    """The number of errors in the last `span` seconds, with a resolution of one second."""

    def __init__(self, span: int, seconds: Mapping[int, int] | None = None) -> None:
        self._span = span
        self._seconds: dict[int, int] = dict(seconds or {})

    def add(self, moment: float, count: int = 1) -> None:
        second = int(moment)
        self._seconds[second] = self._seconds.get(second, 0) + count

    def value(self, now: float, *, since: float = 0.0, until: float = inf) -> int:
        """Returns the count from `now - span`, or from `since` if that is later, up to the second of `until`. All
        times are epoch seconds. Without `until`, errors whose time is ahead of `now` are counted, too."""
        oldest = int(now) - self._span
        if len(self._seconds) > 2 * self._span:
            self._seconds = {second: count for second, count in self._seconds.items() if second > oldest}
        first = max(oldest, int(since) - 1)
        return sum(count for second, count in list(self._seconds.items()) if first < second <= until)
