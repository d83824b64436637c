"""Finds repeats of accepted reports by the id that their worker gave them. The key is (worker_id, event_id), so two
workers that number their own errors do not collide.

In memory, a key is one text and the time of its event eight bytes of an array. As tuples of texts and numbers, an id
took twice as much.
"""

from array import array
from collections.abc import Mapping
from math import inf
from typing import Final

from exporter.events.event import ErrorEvent
from exporter.events.report import FUTURE_TOLERANCE
from exporter.ingest.past import NewestIds, joined, worker_of

MAX_KNOWN: Final = 100_000
MAX_WORKERS: Final = 10_000  # whose evicted ids have a latest time of their own
AHEAD: Final = FUTURE_TOLERANCE.total_seconds()
ROUNDING: Final = 0.001  # seconds; the database computes epoch seconds in another way
Key = tuple[str, str]


class KnownIds:
    """The newest ids, each with the event's position in the log. Beyond `MAX_KNOWN` ids, the oldest is evicted;
    evicted ids can be looked up in the database. No evicted event has a later time than `since`, in epoch seconds,
    except those of workers in `ahead`, for which it is the value there. `since` is None if none was evicted."""

    def __init__(self, newest: NewestIds, since: float | None, ahead: Mapping[str, float]) -> None:
        self._positions = newest.positions
        self._keys = list(newest.positions)  # a ring once it is full: item `_oldest` is evicted next
        self._moments = array("d", newest.moments)  # of the events with these keys
        self._oldest = 0
        self._since = -inf if since is None else since
        self._latest = dict(ahead)
        self._forget_workers()
        self.has_evicted = since is not None
        self._now = 0.0  # the receipt of the newest event
        self.evicted = 0  # the position of the newest evicted event; the database had all events before the start

    def get(self, key: Key) -> int | None:
        return self._positions.get(joined(*key))

    def add(self, event: ErrorEvent) -> None:
        key = joined(event.worker_id, event.event_id)
        is_known = key in self._positions  # a sender used an id that the service made for a later report
        self._positions[key] = event.id
        self._now = event.received_at.timestamp()
        moment = event.timestamp.timestamp()
        if is_known:
            self._forget(event.worker_id, moment)  # the ring has the time of the first
        elif len(self._keys) < MAX_KNOWN:
            self._keys.append(key)
            self._moments.append(moment)
        else:
            place = self._oldest
            evicted, its_moment = self._keys[place], self._moments[place]
            self._keys[place], self._moments[place] = key, moment
            self._oldest = (place + 1) % MAX_KNOWN
            self.evicted = self._positions.pop(evicted)
            self._forget(worker_of(evicted), its_moment)

    def may_be_evicted(self, worker: str, moment: float) -> bool:
        """Whether the id of an error at `moment` (epoch seconds) that is not in memory may have been evicted; only then
        the database has to be asked. A repeat has the time of the first report."""
        return moment <= max(self._since, self._latest.get(worker, -inf)) + ROUNDING

    def _forget(self, worker: str, moment: float) -> None:
        """Notes that the id of an error at `moment` is no longer in memory."""
        self.has_evicted = True
        # An error that was accepted while the clock was ahead is no reason to ask the database until that time: its
        # repeats do not have the time of its receipt.
        latest = self._latest
        if moment <= self._now + AHEAD and moment > latest.get(worker, -inf):
            latest[worker] = moment
            self._forget_workers()

    def _forget_workers(self) -> None:
        while len(self._latest) > MAX_WORKERS:
            self._since = max(self._since, self._latest.pop(next(iter(self._latest))))
