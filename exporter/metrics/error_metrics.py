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
from exporter.metrics.counters import CounterFamily, Row
from exporter.metrics.error_series import ErrorSeries
from exporter.metrics.error_snapshot import ErrorSnapshot
from exporter.metrics.hardware_reports import HardwareReports
from exporter.metrics.heard import Heard
from exporter.metrics.sliding import SlidingCount
from exporter.metrics.workers import AHEAD, HOUR, is_of_last_hour, later
from exporter.metrics.zero_phase import Scraper, ZeroPhase
from exporter.store import Counted, State
from exporter.store.series import FOLDED, MAX_HARDWARE_LABELS, OTHER, LabelLimit, LabelLimits

MINUTE: Final = 60
MAX_RECURRING: Final = 10_000  # recurring patterns in memory


class ErrorMetrics:
    """Counts stored errors. Every method must be called on the event loop; none blocks.

    `longest_scrape_interval` is in seconds: see `zero_phase`. With `hardware`, there are gauges of hardware; with
    `created`, times of creation. `clock` returns epoch seconds, `ticks` monotonic seconds.
    """

    def __init__(
        self,
        limits: LabelLimits,
        *,
        longest_scrape_interval: float,
        hardware: bool = True,
        created: bool = False,
        clock: Callable[[], float] = lambda: time.time(),
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._ticks = ticks
        self._zero_phase = ZeroPhase(longest_scrape_interval)
        self._series = ErrorSeries(limits, self._zero_phase, created=created)
        self._severities = CounterFamily("errors_by_severity", "Errors by severity", ("severity",), created=created)
        self._hardware = CounterFamily(
            "hardware_errors", "Errors by the hardware they name", ("hardware_type",), created=created
        )
        now = clock()
        self._severity_rows: dict[str, Row] = {
            severity: self._severities.add_row((severity,), now) for severity in SEVERITIES
        }
        self._hardware_types = LabelLimit(MAX_HARDWARE_LABELS)
        self._folded = dict.fromkeys(FOLDED, 0)
        self._recurring: dict[str, tuple[str, float]] = {}
        self._critical = SlidingCount(HOUR)
        self._received = SlidingCount(MINUTE)
        self._hardware_reports = HardwareReports() if hardware else None
        self._heard = Heard(limits.workers)
        self.position = 0
        self.reset_at = 0.0
        self.clock_offsets: Callable[[dt.datetime], Mapping[str, int]] = lambda _now: {}  # see `ClockOffsets.named`

    def resume(self, state: State) -> None:
        """Restores the counts from the database. Their series are not held at 0: Prometheus knows them already. Series
        with the label `other` begin at 0 again."""
        self.position = state.position
        if state.counters or state.others:
            self._zero_phase.expect_unseen(self._ticks())
        self._series.resume(state, self._clock(), self._ticks())
        workers = self._series.workers
        for one in state.counters:
            workers.by_name[one.worker_id].note(one.severity, one.last_seen, inf)  # also of a clock that was ahead
            self._resume_counts(one)
        for one in state.others:
            workers.others.note(one.severity, one.last_seen, inf)
            self._resume_counts(one)
        self._critical = SlidingCount(HOUR, state.critical_seconds)
        self._received = SlidingCount(MINUTE, state.received_seconds)
        self.reset_at = state.reset_at.timestamp() if state.reset_at else 0.0

    def _resume_counts(self, one: Counted) -> None:
        self._severities.values[self._severity_rows[one.severity].place] += one.errors
        if one.hardware_type:
            self._count_hardware(one.hardware_type, one.first_seen, one.errors, hold=False)

    def on_events(self, events: Sequence[ErrorEvent]) -> None:
        series = self._series
        now = self._ticks()
        series.drop_idle(now)
        error_counts, error_ids = series.family.values, series.family.error_ids
        severity_counts, severity_ids = self._severities.values, self._severities.error_ids
        for event in events:
            moment = event.timestamp.timestamp()
            if event.imported:
                self._note_imported(event, moment)
                continue
            received = event.received_at.timestamp()
            key = (event.worker_id, event.type, event.category)
            route = series.routes.get(key) or series.route(key, moment, now)
            route.worker.seen = received
            route.row.active = route.worker.active = now
            place = route.row.place
            error_counts[place] += 1
            error_ids[place] = event.id
            place = self._severity_rows[event.severity].place
            severity_counts[place] += 1
            severity_ids[place] = event.id
            if not route.is_own:
                series.rest(route)
                for label in route.folded:
                    self._folded[label] += 1
            route.worker.note(event.severity, moment, received)
            self._received.add(received, received)
            if event.hardware_type:
                self._count_hardware(event.hardware_type, moment, 1, hold=True)
            if event.severity == "critical":
                self._critical.add(moment, received)
            if event.is_recurring:
                self._note_recurring(event.pattern_id, route.category, moment, received)
            if self._hardware_reports and '_context"' in event.body and route.is_known:
                self._hardware_reports.note(event.worker_id, moment, received, event.body)
            self.position = event.id

    def on_heartbeat(self, worker: str, body: bytes, *, stopping: bool = False) -> None:
        """Notes a heartbeat, `body` being its JSON. Series of errors expire nevertheless. A machine that is `stopping`
        has no state any more."""
        now = self._clock()
        by_name = self._series.workers.by_name
        if worker in by_name:
            by_name[worker].seen = now
        elif stopping:
            self._heard.forget(worker)
        elif worker == OTHER or not self._heard.note(worker, now, len(by_name)):
            return
        if self._hardware_reports and stopping:
            self._hardware_reports.forget_heartbeat(worker)
        elif self._hardware_reports:
            self._hardware_reports.note_heartbeat(worker, now, body)

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
                self._note_recurring(new, category, moment, self._clock())

    def reset(self, at: dt.datetime) -> None:
        """Restarts `distributed_testing_critical_errors` at 0 from the time `at`. Does not change counters."""
        self.reset_at = at.timestamp()
        self._critical = SlidingCount(HOUR)

    def snapshot(self, scraper: Scraper, now: float | None = None) -> ErrorSnapshot:
        """Returns the snapshot for `scraper`. `now` is in monotonic seconds. Takes about 1 ms for 10,000 series."""
        clock, ticks = self._clock(), self._ticks()
        self._series.drop_idle(ticks)
        self._zero_phase.on_scrape(scraper, ticks if now is None else now)
        reset_at = self.reset_at if self.reset_at <= clock + AHEAD else 0.0
        offsets = self.clock_offsets(dt.datetime.fromtimestamp(clock, dt.UTC)).items()
        workers = self._series.workers
        heard = self._heard.snapshot(workers.by_name, clock)
        if self._hardware_reports:
            self._hardware_reports.keep_only(workers.by_name.keys() | heard.keys(), clock)
        return ErrorSnapshot(
            counters=(self._series.family.snapshot(), self._severities.snapshot(), self._hardware.snapshot()),
            critical_errors=self._critical.value(clock, since=reset_at, until=clock + AHEAD),
            error_rate=self._received.value(clock, until=clock),  # the clock may have been set back
            workers=[(name, one.status(clock), one.last, one.seen) for name, one in workers.by_name.items()],
            heard=heard,
            last_critical_error=workers.last_critical(clock),
            type_first_seen=self._series.type_first_seen.copy(),
            categories=list(self._series.categories),
            recurring_categories=[category for category, at in self._recurring.values() if is_of_last_hour(at, clock)],
            hardware=self._hardware_reports.snapshot() if self._hardware_reports else None,
            clock_offsets={worker: seconds for worker, seconds in offsets if worker in workers.by_name},
            folded=self._folded.copy(),
        )

    def _note_recurring(self, pattern_id: str, category: str, moment: float, now: float) -> None:
        known = self._recurring.pop(pattern_id, None)  # its error may be newer than this one
        self._recurring[pattern_id] = (category, later(known[1], moment, now) if known else moment)
        if len(self._recurring) > MAX_RECURRING:
            del self._recurring[next(iter(self._recurring))]

    def _count_hardware(self, hardware_type: str, created: float, errors: int, *, hold: bool) -> None:
        name = self._hardware_types.fold(hardware_type)
        row = self._hardware.rows.get((name,))
        if row is None:
            row = self._hardware.add_row((name,), created)
            if hold:
                self._zero_phase.hold(self._hardware, row)
        if name != hardware_type:
            self._folded["hardware_type"] += errors
        self._hardware.values[row.place] += errors
