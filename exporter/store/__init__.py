"""Where errors are kept: the seam between the service and a storage engine.

A store keeps a batch of events wholly or not at all, and returns from `commit` when they are on disk. What it knows
of the past (`State`) lets the service go on after a restart as if there had been none.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from exporter.events.event import ErrorEvent
from exporter.store.filters import Filters


class StoreError(Exception):
    """The store cannot do this now; nothing of it was kept."""


class CounterKey(NamedTuple):
    worker_id: str
    type: str
    category: str
    severity: str
    hardware_type: str | None


class Count(NamedTuple):
    errors: int
    first_seen: dt.datetime
    last_seen: dt.datetime


class Outcome(NamedTuple):
    """What became of a report, as its sender is told."""

    id: int
    event_id: str
    severity: str
    reasons: Sequence[str]
    fingerprint: str


class State(NamedTuple):
    """What the past left. `…_seconds` map an epoch second to its errors."""

    last_id: int

    counters: dict[CounterKey, Count]
    recurrences: dict[str, list[dt.datetime]]  # fingerprint → times of the last six hours, oldest first
    event_ids: dict[str, tuple[int, dt.datetime]]  # the newest, oldest first: id and receipt
    event_ids_since: dt.datetime | None  # the oldest receipt among them; None: they are all there are
    critical_seconds: dict[int, int]
    received_seconds: dict[int, int]
    reset_at: dt.datetime | None


class Store(Protocol):
    """`open`, `commit`, `reset_counts` and `close` are called from one thread, the rest from others; all may block.
    What reads sees everything that was committed before."""

    def open(self) -> State: ...
    def commit(self, events: Sequence[ErrorEvent]) -> int:
        """Keeps the events under consecutive ids, and returns the first; marks those that are the first of their
        pattern. Raises `StoreError`."""

    def failure(self) -> str:
        """Why the store is in trouble although commits are kept; "" when it is not."""

    def reset_counts(self, at: dt.datetime) -> None: ...
    def overview(self, hours: int, now: dt.datetime) -> dict[str, Any]: ...
    def errors(self, filters: Filters, now: dt.datetime) -> dict[str, Any]: ...
    def facets(self, filters: Filters, now: dt.datetime) -> dict[str, Any]: ...
    def error(self, id_: int) -> dict[str, Any] | None: ...
    def recent_critical(self, since: dt.datetime) -> list[ErrorEvent]:
        """The newest critical errors received since a moment, oldest first; without the bodies of large ones."""

    def patterns(self, hours: int, now: dt.datetime, limit: int) -> list[dict[str, Any]]: ...
    def pattern(self, fingerprint: str, hours: int, now: dt.datetime) -> dict[str, Any] | None: ...
    def outcomes(self, ids: Sequence[int]) -> list[Outcome]: ...
    def find_event(self, event_id: str, timestamp: dt.datetime) -> int | None: ...
    def close(self) -> None: ...
