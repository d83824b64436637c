"""What the errors add up to, for Prometheus. Everything is kept in memory: a scrape reads nothing else."""

import datetime as dt
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from exporter.events.event import SEVERITIES, ErrorEvent
from exporter.ingest.recurrence import SlidingCount
from exporter.metrics.hardware_metrics import HardwareGauges
from exporter.metrics.labels import OTHER, LabelLimit
from exporter.store import State

PREFIX: Final = "distributed_testing_"
HOUR: Final = 3600
MINUTE: Final = 60
SCRAPES_AT_ZERO: Final = 2
MAX_CATEGORY_LABELS: Final = 200
MAX_HARDWARE_LABELS: Final = 50
MAX_TYPE_SERIES: Final = 1_000  # of the worker `other`, beyond the limit; then type and category are folded, too
MAX_RECURRING: Final = 10_000
FOLDED: Final = ("worker", "type", "category", "hardware_type")
MAX_ROUTES: Final = 50_000


class Labels(NamedTuple):
    category: str
    worker: str
    type: str


class Series:
    """One counter. It is published at 0 for two scrapes first: increase() never sees a series that begins at 1."""

    __slots__ = ("created", "exemplar", "scrapes", "value")

    def __init__(self, created: float, *, scrapes: int = 0) -> None:
        self.value = 0
        self.scrapes = scrapes
        self.created = created
        self.exemplar = 0  # the id of the newest error

    def published(self) -> int:
        if self.scrapes < SCRAPES_AT_ZERO:
            self.scrapes += 1
            return 0
        return self.value


class WorkerState:
    """When a worker last had an error, a critical one and a warning; epoch seconds, 0 for never."""

    __slots__ = ("critical", "last", "warning")

    def __init__(self) -> None:
        self.last = self.critical = self.warning = 0.0

    def note(self, severity: str, moment: float) -> None:
        self.last = max(self.last, moment)
        if severity == "critical":
            self.critical = max(self.critical, moment)
        elif severity == "warning":
            self.warning = max(self.warning, moment)

    def status(self, now: float) -> int:
        """2 critical, 1 warning, 0 stable: by the last hour."""
        return 2 if self.critical > now - HOUR else 1 if self.warning > now - HOUR else 0


class Route(NamedTuple):
    """Where the errors of one worker, type and category are counted, and which of the three were folded for it."""

    labels: Labels
    series: Series
    worker: WorkerState
    folded: tuple[str, ...]


def counter(name: str, help_: str, labels: Sequence[str], series: Mapping[Any, Series]) -> Metric:
    """A counter family of what `series` publish; the exemplar is the newest error's id."""
    family = CounterMetricFamily(PREFIX + name, help_, labels=labels)
    for key, one in list(series.items()):
        value = one.published()
        exemplar = Exemplar({"error_id": str(one.exemplar)}, 1) if one.exemplar and value else None
        family.add_metric([key] if isinstance(key, str) else key, value, created=one.created, exemplar=exemplar)
    return family


def gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, help_, value=value)


class ErrorMetrics(Collector):
    """A listener that counts, and a collector that tells. Counters go on from what the store holds."""

    def __init__(self, *, max_workers: int, max_types: int, max_series: int) -> None:
        self.folded = dict.fromkeys(FOLDED, 0)
        self._workers_limit = LabelLimit(max_workers)
        self._types_limit = LabelLimit(max_types)
        self._categories_limit = LabelLimit(MAX_CATEGORY_LABELS)
        self._hardware_limit = LabelLimit(MAX_HARDWARE_LABELS)
        self._max_series = max_series
        self._scrape = threading.Lock()
        self._errors: dict[Labels, Series] = {}
        self._routes: dict[tuple[str, str, str], Route] = {}
        self._severities: dict[str, Series] = {
            severity: Series(time.time(), scrapes=SCRAPES_AT_ZERO) for severity in SEVERITIES
        }
        self._hardware: dict[str, Series] = {}
        self._workers: dict[str, WorkerState] = {}
        self._first_seen: dict[str, float] = {}
        self._recurring: dict[str, tuple[str, float]] = {}
        self._critical = SlidingCount(HOUR)
        self._received = SlidingCount(MINUTE)
        self._gauges = HardwareGauges()
        self.reset_at = 0.0

    def resume(self, state: State) -> None:
        """Takes over what the store counted."""
        with self._scrape:
            self.folded = dict.fromkeys(FOLDED, 0)
            for series in (*self._errors.values(), *self._severities.values(), *self._hardware.values()):
                series.value = 0
            for key, (errors, first_seen, last_seen) in state.counters.items():
                first = first_seen.timestamp()
                route = self._route((key.worker_id, key.type, key.category), first, scrapes=SCRAPES_AT_ZERO)
                route.series.value += errors
                for label in route.folded:
                    self.folded[label] += errors
                self._severities[key.severity].value += errors
                if key.hardware_type:
                    self._count_hardware(key.hardware_type, first, errors, scrapes=SCRAPES_AT_ZERO)
                route.worker.note(key.severity, last_seen.timestamp())
                self._first_seen[route.labels.type] = min(first, self._first_seen[route.labels.type])
            self._critical = SlidingCount(HOUR, state.critical_seconds)
            self._received = SlidingCount(MINUTE, state.received_seconds)
            self.reset_at = state.reset_at.timestamp() if state.reset_at else 0.0

    def hear(self, events: Sequence[ErrorEvent]) -> None:
        for event in events:
            moment = event.timestamp.timestamp()
            key = (event.worker_id, event.type, event.category)
            route = self._routes.get(key) or self._route(key, moment)
            severity = self._severities[event.severity]
            route.series.value += 1
            severity.value += 1
            route.series.exemplar = severity.exemplar = event.id
            for label in route.folded:
                self.folded[label] += 1
            route.worker.note(event.severity, moment)
            self._received.add(event.received_at.timestamp())
            if event.hardware_type:
                self._count_hardware(event.hardware_type, moment, 1)
            if event.severity == "critical":
                self._critical.add(moment)
            if event.is_recurring:
                self._note_recurring(event.fingerprint, route.labels.category, moment)
            if '_context"' in event.body:
                self._gauges.note(route.labels.worker, moment, event.body)

    def critical_errors(self, now: float) -> int:
        return self._critical.value(now, since=self.reset_at)

    def reset(self, at: dt.datetime) -> None:
        self.reset_at = at.timestamp()
        self._critical = SlidingCount(HOUR)

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        now = time.time()
        with self._scrape:
            yield counter("errors", "Errors", Labels._fields, self._errors)
            yield counter("errors_by_severity", "Errors by severity", ("severity",), self._severities)
            yield counter("hardware_errors", "Errors by the hardware they name", ("hardware_type",), self._hardware)
            critical = "Critical errors of the last hour, or since the counts were reset"
            yield gauge("critical_errors", critical, self.critical_errors(now))
            yield gauge("error_rate", "Errors a minute", self._received.value(now))
            yield from self._worker_gauges(now)
            yield from self._pattern_gauges(now)
            yield from self._gauges.collect(now)
            folded = CounterMetricFamily(
                PREFIX + "label_values_folded", "Errors whose label value was folded into other", labels=["label"]
            )
            for label, count in self.folded.items():
                folded.add_metric([label], count)
            yield folded

    def _worker_gauges(self, now: float) -> Iterator[Metric]:
        workers = list(self._workers.items())
        status = GaugeMetricFamily(
            PREFIX + "worker_status", "Worker by its last hour: 0 stable, 1 warning, 2 critical", labels=["worker"]
        )
        last = GaugeMetricFamily(
            PREFIX + "worker_last_error_timestamp_seconds", "When the worker last had an error", labels=["worker"]
        )
        for worker, state in workers:
            status.add_metric([worker], state.status(now))
            last.add_metric([worker], state.last)
        yield status
        yield last
        yield gauge(
            "last_critical_error_timestamp_seconds",
            "When the last critical error happened, 0 for never",
            max((state.critical for _, state in workers), default=0.0),
        )

    def _pattern_gauges(self, now: float) -> Iterator[Metric]:
        first_seen = GaugeMetricFamily(
            PREFIX + "type_first_seen_timestamp_seconds", "When the error type was first seen", labels=["type"]
        )
        for type_, moment in list(self._first_seen.items()):
            first_seen.add_metric([type_], moment)
        yield first_seen
        current = [(f, category) for f, (category, moment) in list(self._recurring.items()) if moment > now - HOUR]
        recurring = GaugeMetricFamily(
            PREFIX + "recurring_patterns", "Patterns that recurred in the last hour", labels=["category"]
        )
        categories = Counter(category for _, category in current)
        for category in {labels.category for labels in list(self._errors)}:
            recurring.add_metric([category], categories[category])
        yield recurring

    def _route(self, key: tuple[str, str, str], created: float, *, scrapes: int = 0) -> Route:
        """Where the errors of a worker, type and category are counted; remembered, for it is asked for each."""
        worker, type_, category = key
        labels = Labels(
            self._categories_limit.fold(category), self._workers_limit.fold(worker), self._types_limit.fold(type_)
        )
        if labels not in self._errors and len(self._errors) >= self._max_series:
            labels = labels._replace(worker=OTHER)
        if labels not in self._errors and len(self._errors) >= self._max_series + MAX_TYPE_SERIES:
            labels = Labels(OTHER, OTHER, OTHER)
        series = self._errors.get(labels)
        if series is None:
            series = self._errors[labels] = Series(created, scrapes=scrapes)
        state = self._workers.get(labels.worker)
        if state is None:
            state = self._workers[labels.worker] = WorkerState()
        self._first_seen.setdefault(labels.type, created)
        pairs = (
            ("category", category, labels.category),
            ("worker", worker, labels.worker),
            ("type", type_, labels.type),
        )
        route = Route(labels, series, state, tuple(label for label, value, kept in pairs if value != kept))
        if len(self._routes) < MAX_ROUTES:
            self._routes[key] = route
        return route

    def _note_recurring(self, fingerprint: str, category: str, moment: float) -> None:
        self._recurring.pop(fingerprint, None)
        self._recurring[fingerprint] = (category, moment)
        if len(self._recurring) > MAX_RECURRING:
            del self._recurring[next(iter(self._recurring))]

    def _count_hardware(self, hardware_type: str, created: float, errors: int, *, scrapes: int = 0) -> None:
        name = self._hardware_limit.fold(hardware_type)
        if name != hardware_type:
            self.folded["hardware_type"] += errors
        series = self._hardware.get(name)
        if series is None:
            series = self._hardware[name] = Series(created, scrapes=scrapes)
        series.value += errors
