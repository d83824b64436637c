"""A wall clock for deletions by age: if the machine's clock jumps ahead, it goes on as before for a day.

A clock that is 400 days ahead makes all errors look older than the retention. Deleting them a day later does no harm;
deleting them at once would lose them for ever. A machine that was asleep has the same jump: its monotonic clock stood
still.
"""

import datetime as dt
import logging
import time
from collections.abc import Callable
from typing import Final

JUMP: Final = dt.timedelta(hours=1)
DOUBT: Final = dt.timedelta(days=1)
_log = logging.getLogger(__name__)


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


class TrustedTime:
    """`wall` returns naive UTC, `monotonic` seconds."""

    def __init__(
        self, wall: Callable[[], dt.datetime] = _utc_now, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._doubt_since: float | None = None
        self._trusted, self._at = wall(), monotonic()

    def now(self) -> dt.datetime:
        """Returns the time in naive UTC: that of the wall clock, unless it has jumped ahead in the last `DOUBT`."""
        wall, at = self._wall(), self._monotonic()
        expected = self._trusted + dt.timedelta(seconds=at - self._at)
        if wall - expected > JUMP:
            if self._doubt_since is None:
                self._doubt_since = at
                _log.warning(
                    "the clock has jumped to %s UTC: it does not make errors too old before a day is over", wall
                )
            if at - self._doubt_since < DOUBT.total_seconds():
                return expected
        self._doubt_since = None
        self._trusted, self._at = wall, at
        return wall
