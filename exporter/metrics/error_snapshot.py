"""The metrics of errors, workers and hardware at one moment."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from exporter.metrics.counters import CounterSnapshot
from exporter.metrics.exposition import Family
from exporter.metrics.gauges import GaugeFamily
from exporter.metrics.hardware_metrics import hardware_families
from exporter.metrics.hardware_reports import Latest
from exporter.metrics.text import PREFIX


class ErrorSnapshot(NamedTuple):
    """A copy of the state of `ErrorMetrics`, made on the event loop. It never changes, so any thread may call its
    methods."""

    counters: Sequence[CounterSnapshot]
    critical_errors: int
    error_rate: int
    workers: Sequence[tuple[str, int, float, float]]  # name, status; epoch seconds of its last error and last receipt
    last_critical_error: float
    type_first_seen: Mapping[str, float]
    categories: Sequence[str]  # of all errors
    recurring_categories: Sequence[str]  # of each pattern that recurred in the last hour
    hardware: Sequence[Latest] | None  # None: it has no metrics
    folded: Mapping[str, int]
    heard: Mapping[str, float] = {}  # never changed; epoch seconds of the last heartbeats of machines without errors
    clock_offsets: Mapping[str, int] = {}  # never changed; seconds, of workers in a wrong zone

    def collect(self) -> Iterator[Metric]:
        """Yields the metric families for `prometheus_client`, in the order of the exposition."""
        for family in self.families():
            yield family if isinstance(family, Metric) else family.family()

    def families(self, pause: Callable[[], None] = lambda: None) -> Iterator[Metric | Family]:
        """Yields the metric families in the order of the exposition. `pause` is called often between."""
        yield from self.counters
        critical = "Critical errors of the last hour, or since the counts were reset"
        yield gauge("critical_errors", critical, self.critical_errors)
        yield gauge("error_rate", "Errors received in the last minute", self.error_rate)
        yield from self._worker_gauges()
        yield from self._pattern_gauges()
        if self.hardware is not None:
            yield from hardware_families(self.hardware, pause)
        folded = CounterMetricFamily(
            PREFIX + "label_values_folded", "Errors whose label value was folded into other", labels=["label"]
        )
        for label, count in self.folded.items():
            folded.add_metric([label], count)
        yield folded

    def _worker_gauges(self) -> Iterator[Metric | Family]:
        status = GaugeFamily(
            "worker_status", "Status by errors of the last hour: 0 stable, 1 warning, 2 critical", "worker"
        )
        last = GaugeFamily("worker_last_error_timestamp_seconds", "When the worker last had an error", "worker")
        seen = GaugeFamily(
            "worker_last_seen_timestamp_seconds", "When an error or heartbeat of the worker was last received", "worker"
        )
        for worker, status_code, last_error, received in self.workers:
            status.add((worker,), status_code)
            last.add((worker,), last_error)
            seen.add((worker,), received)
        for machine, heard in self.heard.items():
            seen.add((machine,), heard)
        offset = GaugeFamily(
            "worker_clock_offset_seconds",
            "By how much the times of a worker are ahead, if it seems to send those of another time zone",
            "worker",
        )
        for worker, seconds in self.clock_offsets.items():
            offset.add((worker,), seconds)
        yield status
        yield last
        yield seen
        yield offset
        yield gauge(
            "last_critical_error_timestamp_seconds",
            "When the last critical error happened, 0 for never",
            self.last_critical_error,
        )

    def _pattern_gauges(self) -> Iterator[Family]:
        first_seen = GaugeFamily("type_first_seen_timestamp_seconds", "When the error type was first seen", "type")
        for type_, moment in self.type_first_seen.items():
            first_seen.add((type_,), moment)
        yield first_seen
        recurring = GaugeFamily("recurring_patterns", "Patterns that recurred in the last hour", "category")
        counts = Counter(self.recurring_categories)
        for category in self.categories:
            recurring.add((category,), counts[category])
        yield recurring


def gauge(name: str, help_: str, value: float) -> Metric:
    """Returns a gauge without labels; `name` is without the prefix."""
    return GaugeMetricFamily(PREFIX + name, help_, value=value)
