"""Finds repeats of accepted reports by the id that their worker gave them. The key is (worker_id, event_id), so two
workers that number their own errors do not collide."""

from collections import deque
from collections.abc import Iterable, Mapping
from math import inf
from typing import Final

from exporter.events.event import ErrorEvent
from exporter.events.report import FUTURE_TOLERANCE
from exporter.ingest.past import KnownId

MAX_KNOWN: Final = 100_000
MAX_WORKERS: Final = 10_000  # whose evicted ids have a latest time of their own
AHEAD: Final = FUTURE_TOLERANCE.total_seconds()
ROUNDING: Final = 0.001  # seconds; the database computes epoch seconds in another way
Key = tuple[str, str]


class KnownIds:
    """The newest ids, each with the event's position in the log. Beyond `MAX_KNOWN` ids, the oldest is evicted;
    evicted ids can be looked up in the database. No evicted event has a later time than `since`, in epoch seconds,
    except those of workers in `ahead`, for which it is the value there. `since` is None if none was evicted."""

    def __init__(self, known: Iterable[KnownId], since: float | None, ahead: Mapping[str, float]) -> None:
        self._ids = {(worker_id, event_id): (id_, moment) for worker_id, event_id, id_, moment in known}
        self._order = deque(self._ids)  # oldest first; the first key of a dict takes longer to find after each deletion
        self._since = -inf if since is None else since
        self._latest = dict(ahead)
        self._forget_workers()
        self.has_evicted = since is not None
        self._now = 0.0  # the receipt of the newest event
        self.evicted = 0  # the position of the newest evicted event; the database had all events before the start

    def get(self, key: Key) -> int | None:
        known = self._ids.get(key)
        return known[0] if known else None

    def add(self, event: ErrorEvent) -> None:
        key = (event.worker_id, event.event_id)
        self._ids[key] = (event.id, event.timestamp.timestamp())
        self._order.append(key)
        self._now = event.received_at.timestamp()
        if len(self._ids) > MAX_KNOWN:
            self._evict(self._order.popleft())

    def may_be_evicted(self, worker: str, moment: float) -> bool:
        """Whether the id of an error at `moment` (epoch seconds) that is not in memory may have been evicted; only then
        the database has to be asked. A repeat has the time of the first report."""
        return moment <= max(self._since, self._latest.get(worker, -inf)) + ROUNDING

    def _evict(self, key: Key) -> None:
        self.evicted, moment = self._ids.pop(key)
        self.has_evicted = True
        latest, worker = self._latest, key[0]
        # An error that was accepted while the clock was ahead is no reason to ask the database until that time: its
        # repeats do not have the time of its receipt.
        if moment <= self._now + AHEAD and moment > latest.get(worker, -inf):
            latest[worker] = moment
            self._forget_workers()

    def _forget_workers(self) -> None:
        while len(self._latest) > MAX_WORKERS:
            self._since = max(self._since, self._latest.pop(next(iter(self._latest))))
