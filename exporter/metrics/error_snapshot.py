"""The metrics of errors, workers and hardware at one moment, and their exposition."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from exporter.metrics.counters import PREFIX, CounterSnapshot
from exporter.metrics.hardware_metrics import LatestReport, hardware_families


class ErrorSnapshot(NamedTuple):
    """A copy of the state of `ErrorMetrics`, made on the event loop. It never changes, so `collect` may run in any
    thread."""

    now: float
    counters: Sequence[CounterSnapshot]
    critical_errors: int
    error_rate: int
    workers: Sequence[tuple[str, int, float]]  # name, status, epoch seconds of the last error
    last_critical_error: float
    type_first_seen: Mapping[str, float]
    categories: Sequence[str]
    recurring_categories: Sequence[str]  # of each pattern that recurred in the last hour
    latest_reports: Sequence[tuple[str, LatestReport]]
    folded: Mapping[str, int]
    clock_offsets: Mapping[str, int] = {}  # never changed; seconds, of workers in a wrong zone

    def collect(self) -> Iterator[Metric]:
        """Yields the metric families in the order of the exposition."""
        for counter in self.counters:
            yield counter.family()
        critical = "Critical errors of the last hour, or since the counts were reset"
        yield gauge("critical_errors", critical, self.critical_errors)
        yield gauge("error_rate", "Errors received in the last minute", self.error_rate)
        yield from self._worker_gauges()
        yield from self._pattern_gauges()
        yield from hardware_families(self.latest_reports, self.now)
        folded = CounterMetricFamily(
            PREFIX + "label_values_folded", "Errors whose label value was folded into other", labels=["label"]
        )
        for label, count in self.folded.items():
            folded.add_metric([label], count)
        yield folded

    def _worker_gauges(self) -> Iterator[Metric]:
        status = GaugeMetricFamily(
            PREFIX + "worker_status",
            "Status by errors of the last hour: 0 stable, 1 warning, 2 critical",
            labels=["worker"],
        )
        last = GaugeMetricFamily(
            PREFIX + "worker_last_error_timestamp_seconds", "When the worker last had an error", labels=["worker"]
        )
        for worker, status_code, last_error in self.workers:
            status.add_metric([worker], status_code)
            last.add_metric([worker], last_error)
        offset = GaugeMetricFamily(
            PREFIX + "worker_clock_offset_seconds",
            "By how much the times of a worker are ahead, if it seems to send those of another time zone",
            labels=["worker"],
        )
        for worker, seconds in self.clock_offsets.items():
            offset.add_metric([worker], seconds)
        yield status
        yield last
        yield offset
        yield gauge(
            "last_critical_error_timestamp_seconds",
            "When the last critical error happened, 0 for never",
            self.last_critical_error,
        )

    def _pattern_gauges(self) -> Iterator[Metric]:
        first_seen = GaugeMetricFamily(
            PREFIX + "type_first_seen_timestamp_seconds", "When the error type was first seen", labels=["type"]
        )
        for type_, moment in self.type_first_seen.items():
            first_seen.add_metric([type_], moment)
        yield first_seen
        recurring = GaugeMetricFamily(
            PREFIX + "recurring_patterns", "Patterns that recurred in the last hour", labels=["category"]
        )
        counts = Counter(self.recurring_categories)
        for category in dict.fromkeys(self.categories):
            recurring.add_metric([category], counts[category])
        yield recurring


class Exposition(Collector):
    """The response to one scrape: the metrics of a snapshot of errors, then those of the service."""

    def __init__(self, errors: ErrorSnapshot, service: Collector) -> None:
        self._errors = errors
        self._service = service

    def collect(self) -> Iterator[Metric]:
        yield from self._errors.collect()
        yield from self._service.collect()


def gauge(name: str, help_: str, value: float) -> Metric:
    """Returns a gauge without labels; `name` is without the prefix."""
    return GaugeMetricFamily(PREFIX + name, help_, value=value)
