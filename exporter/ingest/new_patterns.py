"""Limits how many new patterns a worker makes in an hour. Errors beyond it are accepted and stored as any other, but
count under one pattern of this worker, and one event says so.

A worker whose messages are all different would otherwise make a pattern of each error: the list of patterns would be
useless, and every pattern costs memory and time of the database.
"""

from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from msgspec import Struct

from exporter.events.event import ErrorEvent
from exporter.patterns.fingerprint import Pattern, digest

HOUR: Final = 3_600.0
MAX_WORKERS: Final = 10_000  # with a count of their own; beyond it, those whose hour began first are forgotten
TYPE: Final = "TooManyPatterns"
CATEGORY: Final = "WORKER_TOO_MANY_PATTERNS"  # a warning, as the other categories of workers
TEXT: Final = "one of too many patterns of this worker"


class _Hour(Struct):
    """`began` is in monotonic seconds; `count` are the new patterns since, those above the limit included."""

    began: float
    count: int = 0


class NewPatterns:
    """Counts the new patterns of each worker in its hour, which begins with its first one. `limit` 0 is no limit. Only
    the event loop may use it."""

    def __init__(self, limit: int = 0, clock: Callable[[], float] = monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._hours: dict[str, _Hour] = {}  # in the order of their beginnings

    def add(self, worker: str) -> int:
        """Counts a new pattern. Returns how many there are in this hour."""
        now = self._clock()
        hour = self._hours.get(worker)
        if hour is None or now - hour.began >= HOUR:
            self._hours.pop(worker, None)
            hour = self._hours[worker] = _Hour(now)
            if len(self._hours) > MAX_WORKERS:
                del self._hours[next(iter(self._hours))]
        hour.count += 1
        return hour.count

    def forget(self, event: ErrorEvent) -> None:
        """Undoes the count of an event that could not be stored."""
        is_counted = (event.is_new_pattern or event.pattern == TEXT) and not event.imported and event.type != TYPE
        hour = self._hours.get(event.worker_id)
        if is_counted and hour is not None and hour.count:
            hour.count -= 1


def common_pattern(worker: str) -> Pattern:
    """Returns the pattern of a worker's errors that would be new patterns above the limit."""
    return Pattern(digest(f"{TEXT}\0{worker}"), TEXT, digest(f"{TEXT}\0scope\0{worker}"))


def too_many_report(worker: str, type_: str, limit: int) -> dict[str, Any]:
    """Returns the report that says that a worker has exceeded the limit with an error of a type. Its message differs
    only in numbers."""
    return {
        "worker_id": worker,
        "type": TYPE,
        "error_category": CATEGORY,
        "message": f"more than {limit:,} new patterns of this worker within an hour: "
        "until the hour is over, its errors with new patterns count as one pattern",
        "too_many_patterns": {"limit": limit, "type": type_, "pattern_id": common_pattern(worker).fingerprint},
    }
