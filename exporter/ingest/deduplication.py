"""Finds repeats of accepted reports by the id that their worker gave them. The key is (worker_id, event_id), so two
workers that number their own errors do not collide."""

import datetime as dt
from collections import deque
from collections.abc import Iterable
from typing import Final

from exporter.events.event import ErrorEvent
from exporter.events.report import FUTURE_TOLERANCE
from exporter.ingest.past import KnownId

MAX_KNOWN: Final = 100_000
Key = tuple[str, str]


class KnownIds:
    """The newest ids, each with the event's position in the log. Beyond `MAX_KNOWN` ids, the oldest is evicted;
    evicted ids can be looked up in the database. Every evicted event was received at `since` or earlier, in epoch
    seconds; `since` is None if none was evicted."""

    def __init__(self, known: Iterable[KnownId], since: float | None) -> None:
        self._ids = {(worker_id, event_id): (id_, received_at) for worker_id, event_id, id_, received_at in known}
        self._order = deque(self._ids)  # oldest first; the first key of a dict takes longer to find after each deletion
        self._since = since
        self.evicted = 0  # the position of the newest evicted event; the database had all events before the start

    def get(self, key: Key) -> int | None:
        known = self._ids.get(key)
        return known[0] if known else None

    def add(self, event: ErrorEvent) -> None:
        key = (event.worker_id, event.event_id)
        self._ids[key] = (event.id, event.received_at.timestamp())
        self._order.append(key)
        if len(self._ids) > MAX_KNOWN:
            self.evicted, self._since = self._ids.pop(self._order.popleft())

    def may_be_evicted(self, moment: dt.datetime) -> bool:
        """Whether an id that is not in memory, of an error at `moment`, may have been evicted; only then the database
        has to be asked. Assumes that a repeat has the timestamp of the first report."""
        return self._since is not None and moment.timestamp() <= self._since + FUTURE_TOLERANCE.total_seconds()
