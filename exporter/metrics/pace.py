"""Leaves the interpreter lock to the event loop while a thread formats a scrape.

The event loop gives the lock up several times for each report, and each time it may have to wait for a whole switch
interval until another thread gives it back. So a thread that computes without pauses takes most of the event loop's
time, for as long as it computes.
"""

import time
from typing import Final

WORK_SECONDS: Final = 0.0002  # after so much work
PAUSE_SECONDS: Final = 0.00005  # there is a pause, in which a waiting thread gets the lock


class Pace:
    """Call it often in a thread that computes. Not for the event loop: it blocks."""

    def __init__(self) -> None:
        self._worked_since = time.perf_counter()

    def __call__(self) -> None:
        if time.perf_counter() - self._worked_since > WORK_SECONDS:
            time.sleep(PAUSE_SECONDS)
            self._worked_since = time.perf_counter()
