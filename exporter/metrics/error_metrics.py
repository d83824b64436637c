"""The counts of errors for /metrics, in memory: a scrape reads neither the log nor the database.

Only the event loop may use `ErrorMetrics`. A scrape makes an `ErrorSnapshot` on the event loop and formats it in
another thread, so the two threads share no mutable state.
"""

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Final

from exporter.events.event import SEVERITIES, ErrorEvent
from exporter.events.report import FUTURE_TOLERANCE
from exporter.metrics.counters import CounterFamily
from exporter.metrics.error_snapshot import ErrorSnapshot
from exporter.metrics.hardware_metrics import HardwareReports
from exporter.metrics.sliding import SlidingCount
from exporter.metrics.zero_phase import Scraper, ZeroPhase
from exporter.store import State
from exporter.store.series import FOLDED, LabelLimits, Series, SeriesLabels

HOUR: Final = 3600
MINUTE: Final = 60
AHEAD: Final = FUTURE_TOLERANCE.total_seconds()  # errors further ahead of now are of a clock that was wrong
MAX_RECURRING: Final = 10_000  # recurring patterns in memory
MAX_ROUTES: Final = 50_000  # cached routes


def later(known: float, moment: float, now: float) -> float:
    """Returns the later of two times, or `moment` if `known` is ahead of `now`: it is of a clock that was wrong."""
    return moment if known < moment or known > now + AHEAD else known


def is_of_last_hour(moment: float, now: float) -> bool:
    return now - HOUR < moment <= now + AHEAD


class WorkerState:
    """When a worker last had an error, a critical error and a warning; epoch seconds, 0 for never."""

    __slots__ = ("critical", "last", "warning")

    def __init__(self) -> None:
        self.last = self.critical = self.warning = 0.0

    def note(self, severity: str, moment: float, now: float) -> None:
        self.last = later(self.last, moment, now)
        if severity == "critical":
            self.critical = later(self.critical, moment, now)
        elif severity == "warning":
            self.warning = later(self.warning, moment, now)

    def status(self, now: float) -> int:
        """Returns the status by the errors of the last hour: 2 critical, 1 warning, 0 stable."""
        return 2 if is_of_last_hour(self.critical, now) else 1 if is_of_last_hour(self.warning, now) else 0


class Route:
    """The series and state that count the errors of one worker, type and category. `row` is the row in the family of
    errors; `folded` names the labels whose value became `other`."""

    __slots__ = ("folded", "labels", "row", "worker")

    def __init__(self, labels: SeriesLabels, row: int, worker: WorkerState, folded: tuple[str, ...]) -> None:
        self.labels = labels
        self.row = row
        self.worker = worker
        self.folded = folded


class ErrorMetrics:
    """Counts stored errors. Every method must be called on the event loop; none blocks.

    `longest_scrape_interval` is in seconds: see `zero_phase`.
    """

    def __init__(self, limits: LabelLimits, *, longest_scrape_interval: float) -> None:
        self._series = Series(limits)
        self._errors = CounterFamily("errors", "Errors", SeriesLabels._fields)
        self._severities = CounterFamily("errors_by_severity", "Errors by severity", ("severity",))
        self._hardware = CounterFamily("hardware_errors", "Errors by the hardware they name", ("hardware_type",))
        self._zero_phase = ZeroPhase(longest_scrape_interval)
        now = time.time()
        self._severity_rows: dict[str, int] = {
            severity: self._severities.add_row((severity,), now) for severity in SEVERITIES
        }
        self._hardware_rows: dict[str, int] = {}
        self._folded = dict.fromkeys(FOLDED, 0)
        self._routes: dict[tuple[str, str, str], Route] = {}
        self._workers: dict[str, WorkerState] = {}
        self._first_seen: dict[str, float] = {}
        self._categories: dict[str, None] = {}  # a set that keeps the order
        self._recurring: dict[str, tuple[str, float]] = {}
        self._critical = SlidingCount(HOUR)
        self._received = SlidingCount(MINUTE)
        self._hardware_reports = HardwareReports()
        self.position = 0
        self.reset_at = 0.0
        self.clock_offsets: Callable[[dt.datetime], Mapping[str, int]] = lambda _now: {}  # see `ClockOffsets.named`

    def resume(self, state: State) -> None:
        """Restores the counts from the database. Their series are not held at 0: Prometheus knows them already."""
        self.position = state.position
        if state.counters:
            self._zero_phase.expect_unseen(time.monotonic())
        for label, errors in state.folded.items():
            self._folded[label] += errors
        for worker_id, type_, category, severity, hardware_type, errors, first, last in state.counters:
            key = (worker_id, type_, category)
            route = self._routes.get(key) or self._route(key, first, hold=False)
            self._errors.values[route.row] += errors
            for label in route.folded:
                self._folded[label] += errors
            self._severities.values[self._severity_rows[severity]] += errors
            if hardware_type:
                self._count_hardware(hardware_type, first, errors, hold=False)
            route.worker.note(severity, last, inf)  # the latest, also of a clock that was ahead
            self._first_seen[route.labels.type] = min(first, self._first_seen[route.labels.type])
        self._critical = SlidingCount(HOUR, state.critical_seconds)
        self._received = SlidingCount(MINUTE, state.received_seconds)
        self.reset_at = state.reset_at.timestamp() if state.reset_at else 0.0

    def on_events(self, events: Sequence[ErrorEvent]) -> None:
        error_counts, error_ids = self._errors.values, self._errors.error_ids
        severity_counts, severity_ids = self._severities.values, self._severities.error_ids
        for event in events:
            moment = event.timestamp.timestamp()
            if event.imported:
                self._note_imported(event, moment)
                continue
            key = (event.worker_id, event.type, event.category)
            route = self._routes.get(key) or self._route(key, moment, hold=True)
            row = route.row
            error_counts[row] += 1
            error_ids[row] = event.id
            row = self._severity_rows[event.severity]
            severity_counts[row] += 1
            severity_ids[row] = event.id
            for label in route.folded:
                self._folded[label] += 1
            received = event.received_at.timestamp()
            route.worker.note(event.severity, moment, received)
            self._received.add(received, received)
            if event.hardware_type:
                self._count_hardware(event.hardware_type, moment, 1, hold=True)
            if event.severity == "critical":
                self._critical.add(moment, received)
            if event.is_recurring:
                self._note_recurring(event.pattern_id, route.labels.category, moment, received)
            if '_context"' in event.body:
                self._hardware_reports.note(route.labels.worker, moment, event.body, received + AHEAD)
            self.position = event.id

    def _note_imported(self, event: ErrorEvent, moment: float) -> None:
        """Counts an old error of an import only in the gauge of critical errors, if it is not too old for it. Counters
        would show a storm of errors now."""
        if event.severity == "critical":
            self._critical.add(moment, event.received_at.timestamp())
        self.position = event.id

    def replace_patterns(self, gone: Mapping[str, str]) -> None:
        """Counts recurring patterns under their current ids. `gone` maps each id that is gone to its successor."""
        for old, new in gone.items():
            if old in self._recurring:
                category, moment = self._recurring.pop(old)
                self._note_recurring(new, category, moment, time.time())

    def reset(self, at: dt.datetime) -> None:
        """Restarts `distributed_testing_critical_errors` at 0 from the time `at`. Does not change counters."""
        self.reset_at = at.timestamp()
        self._critical = SlidingCount(HOUR)

    def snapshot(self, scraper: Scraper, now: float | None = None) -> ErrorSnapshot:
        """Returns the snapshot for `scraper`. `now` is in monotonic seconds. Takes about 1 ms for 10,000 series."""
        self._zero_phase.on_scrape(scraper, time.monotonic() if now is None else now)
        clock = time.time()
        critical = [state.critical for state in self._workers.values() if state.critical <= clock + AHEAD]
        reset_at = self.reset_at if self.reset_at <= clock + AHEAD else 0.0
        offsets = self.clock_offsets(dt.datetime.fromtimestamp(clock, dt.UTC)).items()
        return ErrorSnapshot(
            now=clock,
            counters=(self._errors.snapshot(), self._severities.snapshot(), self._hardware.snapshot()),
            critical_errors=self._critical.value(clock, since=reset_at, until=clock + AHEAD),
            error_rate=self._received.value(clock, until=clock),  # the clock may have been set back
            workers=[(worker, state.status(clock), state.last) for worker, state in self._workers.items()],
            last_critical_error=max(critical, default=0.0),
            type_first_seen=self._first_seen.copy(),
            categories=list(self._categories),
            recurring_categories=[category for category, at in self._recurring.values() if is_of_last_hour(at, clock)],
            latest_reports=self._hardware_reports.snapshot(),
            clock_offsets={self._series.workers.fold(worker): off for worker, off in offsets},
            folded=self._folded.copy(),
        )

    def _route(self, key: tuple[str, str, str], created: float, *, hold: bool) -> Route:
        """Returns the route of a worker, type and category. Adds the series if it is new, and holds it at 0 if `hold`.
        `created` is in epoch seconds."""
        labels, folded = self._series.fold(*key)
        row = self._row(self._errors, labels, created, hold=hold)
        state = self._workers.get(labels.worker)
        if state is None:
            state = self._workers[labels.worker] = WorkerState()
        self._first_seen.setdefault(labels.type, created)
        self._categories.setdefault(labels.category)
        route = Route(labels, row, state, folded)
        if len(self._routes) < MAX_ROUTES:
            self._routes[key] = route
        return route

    def _row(self, family: CounterFamily, labels: Sequence[str], created: float, *, hold: bool) -> int:
        """Returns the row of a series. Adds the series if it is new."""
        row = family.rows.get(labels)
        if row is None:
            row = family.add_row(labels, created)
            if hold:
                self._zero_phase.hold(family, row)
        return row

    def _note_recurring(self, pattern_id: str, category: str, moment: float, now: float) -> None:
        known = self._recurring.pop(pattern_id, None)  # its error may be newer than this one
        self._recurring[pattern_id] = (category, later(known[1], moment, now) if known else moment)
        if len(self._recurring) > MAX_RECURRING:
            del self._recurring[next(iter(self._recurring))]

    def _count_hardware(self, hardware_type: str, created: float, errors: int, *, hold: bool) -> None:
        row = self._hardware_rows.get(hardware_type)
        if row is None:
            name = self._series.hardware.fold(hardware_type)
            row = self._row(self._hardware, (name,), created, hold=hold)
            if name == hardware_type:
                self._hardware_rows[name] = row
            else:
                self._folded["hardware_type"] += errors
        self._hardware.values[row] += errors
