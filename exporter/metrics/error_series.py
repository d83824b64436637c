"""The series of `distributed_testing_errors_total`, and the workers, types and categories that have them.

    new ─► held at its floor ─► counts ─► idle for `limits.idle` ─► dropped; its number rests ─► comes back: its floor
           (zero_phase.py)              └─ or for an hour, and others need the place

So what died long ago takes no place from what fails now, and a series that comes back goes on where it was. Series with
the label `other` are dropped only with their worker; nobody can know their number later, so they begin at 0 again.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from exporter.metrics.counters import CounterFamily, Row
from exporter.metrics.workers import HOUR, Workers, WorkerState
from exporter.metrics.zero_phase import ZeroPhase
from exporter.store import State
from exporter.store.series import OTHER, LabelLimits, Numbers, Series, SeriesLabels, hash_of, hash_of_type

MAX_ROUTES: Final = 50_000  # cached routes
DROP_SECONDS: Final = 300.0  # between two looks for idle series
ROOM_SECONDS: Final = 60.0  # between two looks for room, where there was none
SHARE: Final = 10  # where there is no room, a tenth of the workers or series is dropped at once, but no more than
MAX_WORKERS: Final = 50
MAX_DROPPED: Final = 1_000  # series at once, which takes 8 ms


class Route:
    """The series and state that count the errors of one worker, type and category. `key` is the hash of the three.
    `folded` names the labels whose value became `other`. `is_own`: no label is `other`. `is_known`: the worker is
    not."""

    __slots__ = ("category", "folded", "is_known", "is_own", "key", "row", "worker")

    def __init__(self, row: Row, labels: SeriesLabels, worker: WorkerState, folded: tuple[str, ...], key: int) -> None:
        self.row = row
        self.category = labels.category
        self.worker = worker
        self.is_known = labels.worker != OTHER
        self.is_own = OTHER not in labels
        self.folded = folded
        self.key = key


class ErrorSeries:
    """Only the event loop may use it. `routes` has the routes of most keys; `route` makes those of the others.
    `type_first_seen` has when each type that has series was first seen, in epoch seconds."""

    def __init__(self, limits: LabelLimits, zero_phase: ZeroPhase, *, created: bool = False) -> None:
        self.family = CounterFamily("errors", "Errors", SeriesLabels._fields, created=created)
        self.routes: dict[tuple[str, str, str], Route] = {}
        self.workers = Workers()
        self.type_first_seen: dict[str, float] = {}
        self.categories: dict[str, None] = {}  # a set that keeps the order
        self._limits = limits
        self._series = Series(limits)
        self._zero_phase = zero_phase
        self._resting = Numbers[int]()
        self._types = Numbers[float]()
        self._folded: list[tuple[str, str, str]] = []  # keys of routes with a label `other`
        self._drop_at = 0.0
        self._room_at = 0.0  # until then, nothing is idle for long enough
        self._retry_at = 0.0

    def resume(self, state: State, clock: float, now: float) -> None:
        """Makes the series that the database knows of. `clock` is in epoch seconds, `now` in monotonic seconds."""
        self._resting, self._types = Numbers(state.resting), Numbers(state.types)
        for one in state.counters:
            key = (one.worker_id, one.type, one.category)
            route = self.routes.get(key) or self._add(key, one.first_seen, hold=False)
            self.family.values[route.row.place] += one.errors
            seen = min(one.last_seen, clock)  # it may be of a clock that was ahead
            route.worker.seen = max(route.worker.seen, seen)
            route.row.active = max(route.row.active, now - (clock - seen))
            route.worker.active = max(route.worker.active, route.row.active)

    def route(self, key: tuple[str, str, str], created: float, now: float) -> Route:
        """Returns the route of a worker, type and category. Adds the series if it is new, and holds it at its floor.
        `created` is in epoch seconds, `now` in monotonic seconds."""
        if self._limits.idle and now >= self._room_at:
            if not self._series.workers.has_room_for(key[0]):
                self._drop_workers(now)
            if self._series.room() <= 0:
                self._drop_series(now)
        return self._add(key, created, hold=True)

    def rest(self, route: Route) -> None:
        """Remembers an error of a key without a series of its own."""
        self._resting.put(route.key, 1 + self._resting.get(route.key, 0))

    def drop_idle(self, now: float) -> None:
        """Drops the series that are idle, every five minutes. `now` is in monotonic seconds."""
        idle = self._limits.idle
        if not idle:
            return
        if now >= self._retry_at:
            self._retry_at = now + ROOM_SECONDS
            self._forget_folded()
        if now < self._drop_at:
            return
        dropped = []
        for row in self.family.rows.values():
            if now - row.active >= idle and self._may_be_dropped(row):
                worker = self.workers.by_name[row.labels[1]]
                if OTHER not in row.labels or now - worker.active >= idle:
                    dropped.append(row)
                    if len(dropped) == MAX_DROPPED:
                        break
        self._drop_at = now + (1 if len(dropped) == MAX_DROPPED else DROP_SECONDS)
        self._drop(dropped)

    def _add(self, key: tuple[str, str, str], created: float, *, hold: bool) -> Route:
        labels, folded = self._series.fold(*key)
        hash_, type_ = hash_of(*key), hash_of_type(key[1])
        row = self.family.rows.get(labels)
        if row is None:
            floor = 0 if OTHER in labels else self._resting.take(hash_, 0)
            row = self.family.add_row(labels, None if floor else created, floor=floor)
            if hold:
                self._zero_phase.hold(self.family, row)
        first_seen = self._types.get(type_, created)
        self._types.put(type_, first_seen)
        self.type_first_seen.setdefault(labels.type, first_seen)
        self.categories.setdefault(labels.category)
        state = self.workers.others if labels.worker == OTHER else self.workers.add(labels.worker)
        route = Route(row, labels, state, folded, hash_)
        if len(self.routes) < MAX_ROUTES:
            self.routes[key] = route
            if not route.is_own:
                self._folded.append(key)
        return route

    def _forget_folded(self) -> None:
        """Keys without a series of their own look for room again."""
        for key in self._folded:
            del self.routes[key]
        self._folded = []

    def _may_be_dropped(self, row: Row) -> bool:
        """A series that is being shown at its floor has to show its value first."""
        return row.labels[1] in self.workers.by_name and not (row.is_shown and row in self.family.held)

    def _drop_workers(self, now: float) -> None:
        """Makes room for a worker, if there are workers that have been idle for an hour."""
        names = set(self.workers.longest_idle(now, min(max(1, self._limits.workers // SHARE), MAX_WORKERS)))
        self._drop_or_wait((row for row in self.family.rows.values() if row.labels[1] in names), now)

    def _drop_series(self, now: float) -> None:
        """Makes room for a series, if there are series that have been idle for an hour."""
        rows = [row for row in self.family.rows.values() if now - row.active > HOUR and OTHER not in row.labels]
        rows.sort(key=lambda row: row.active)
        most = min(max(1, self._limits.series // SHARE), MAX_DROPPED)
        self._drop_or_wait(rows[: most - self._series.room()], now)

    def _drop_or_wait(self, rows: Iterable[Row], now: float) -> None:
        dropped = [row for row in rows if self._may_be_dropped(row)]
        self._drop(dropped)
        if not dropped:
            self._room_at = now + ROOM_SECONDS

    def _drop(self, rows: Sequence[Row]) -> None:
        self._forget_folded()
        for row in rows:
            labels = SeriesLabels(*row.labels)
            if OTHER not in labels:
                key = (labels.worker, labels.type, labels.category)
                self._resting.put(hash_of(*key), self.family.values[row.place])
                self.routes.pop(key, None)
            self.family.remove(row)
            self._zero_phase.forget(row)
            for name in self._series.drop(labels):
                match name:
                    case "worker":
                        self.workers.drop(labels.worker)
                    case "type":
                        del self.type_first_seen[labels.type]
                    case _:
                        del self.categories[labels.category]
