"""Counts over a sliding window, in memory."""

from collections.abc import Mapping
from math import inf
from typing import Final

MOST_SPANS: Final = 3  # more than one, because times may be ahead of the clock


class SlidingCount:
    """The number of errors in the last `span` seconds, with a resolution of one second. Keeps the counts of at most
    `MOST_SPANS * span` seconds."""

    def __init__(self, span: int, seconds: Mapping[int, int] | None = None) -> None:
        self._span = span
        self._seconds: dict[int, int] = dict(seconds or {})

    def add(self, moment: float, now: float) -> None:
        """Counts an error at `moment`, unless that is `span` or more before `now`. Both are epoch seconds."""
        second, oldest = int(moment), int(now) - self._span
        if second <= oldest:
            return
        seconds = self._seconds
        seconds[second] = seconds.get(second, 0) + 1
        if len(seconds) > MOST_SPANS * self._span:
            self._forget(oldest)
            if len(seconds := self._seconds) > MOST_SPANS * self._span:  # the clock was set back
                self._seconds = dict(list(seconds.items())[-self._span :])

    def value(self, now: float, *, since: float = 0.0, until: float = inf) -> int:
        """Returns the count from `now - span`, or from `since` if that is later, up to the second of `until`. All
        times are epoch seconds. Without `until`, errors whose time is ahead of `now` are counted, too, however far."""
        oldest = int(now) - self._span
        self._forget(oldest)
        first = max(oldest, int(since) - 1)
        return sum(count for second, count in list(self._seconds.items()) if first < second <= until)

    def _forget(self, oldest: int) -> None:
        if len(self._seconds) > 2 * self._span:
            self._seconds = {second: count for second, count in self._seconds.items() if second > oldest}
