"""What the service tells of itself, and the /metrics page as a whole."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from exporter import __version__
from exporter.alerting.alertmanager import Queue
from exporter.ingest.batching import Intake
from exporter.ingest.pipeline import Taken
from exporter.live.hub import Live
from exporter.metrics.error_metrics import PREFIX, ErrorMetrics, gauge

REJECTED: Final = (
    "malformed", "invalid_field", "too_large", "unsupported_type", "unsupported_encoding", "forbidden_origin",
    "queue_full", "store_failed", "internal_error",
)  # fmt: skip
_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BATCH: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)


class ServiceMetrics:
    """The registry with all metrics of one service, and what the service moves itself."""

    def __init__(self, errors: ErrorMetrics) -> None:
        self.registry = CollectorRegistry()
        self.received = Counter(PREFIX + "reports_received", "Reports that came", ["protocol"], registry=self.registry)
        self.rejected = Counter(PREFIX + "reports_rejected", "Reports refused", ["reason"], registry=self.registry)
        self.duplicates = Counter(
            PREFIX + "reports_duplicate", "Reports whose event_id was stored already", registry=self.registry
        )
        self.ingest_seconds = Histogram(
            PREFIX + "ingest_duration_seconds",
            "From a request's body to its commit",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.commit_seconds = Histogram(
            PREFIX + "commit_duration_seconds", "One transaction", buckets=_SECONDS, registry=self.registry
        )
        self.batch_size = Histogram(
            PREFIX + "commit_batch_size", "Errors in one transaction", buckets=_BATCH, registry=self.registry
        )
        self.database_errors = Counter(PREFIX + "database_errors", "Transactions that failed", registry=self.registry)
        build = Gauge(PREFIX + "build_info", "Always 1", ["version", "revision"], registry=self.registry)
        build.labels(__version__, revision()).set(1)
        self.received_json = self.received.labels("json")
        self.received_batch = self.received.labels("json_batch")
        for reason in REJECTED:
            self.rejected.labels(reason)
        self.registry.register(errors)
        ProcessCollector(registry=self.registry)

    def watch(
        self, intake: Intake, live: Live, queues: Sequence[Queue], size: Callable[[], int], healthy: Callable[[], bool]
    ) -> None:
        """Adds what is read from the service's parts when it is scraped."""
        self.registry.register(_Parts(intake, live, size, healthy))
        self.registry.register(_Notifications(queues))

    def taken(self, taken: Taken) -> None:
        if taken.failure:
            self.database_errors.inc()
        if taken.events:
            self.commit_seconds.observe(taken.seconds)
            self.batch_size.observe(len(taken.events))
        if taken.duplicates:
            self.duplicates.inc(taken.duplicates)

    def page(self, accept: str) -> tuple[bytes, str]:
        """The exposition in the format that `accept` asks for, and its content type. Takes a while: not for the
        event loop."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class _Parts(Collector):
    def __init__(self, intake: Intake, live: Live, size: Callable[[], int], healthy: Callable[[], bool]) -> None:
        self._intake = intake
        self._live = live
        self._size = size
        self._healthy = healthy

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield gauge("ingest_queue_length", "Reports that wait to be written", self._intake.queued)
        yield gauge("ingest_queue_capacity", "Reports that may wait to be written", self._intake.capacity)
        yield gauge("database_up", "Whether the last transaction was kept", int(self._healthy()))
        yield gauge("database_size_bytes", "The database and its log on disk", self._size())
        yield gauge("websocket_clients", "Connected WebSocket clients", len(self._live.clients))
        sent = CounterMetricFamily(PREFIX + "websocket_messages_sent", "Updates sent to WebSocket clients")
        sent.add_metric([], self._live.sent)
        yield sent
        dropped = CounterMetricFamily(PREFIX + "websocket_messages_dropped", "Updates a slow client did not get")
        dropped.add_metric([], self._live.dropped)
        yield dropped


class _Notifications(Collector):
    def __init__(self, queues: Sequence[Queue]) -> None:
        self._queues = queues

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        for name, help_ in (
            ("sent", "Alerts sent to an Alertmanager"),
            ("errors", "Alerts that an Alertmanager did not take when they were sent"),
            ("dropped", "Alerts dropped because too many waited"),
        ):
            family = CounterMetricFamily(f"{PREFIX}notifications_{name}", help_, labels=["alertmanager"])
            for queue in self._queues:
                family.add_metric([queue.name], getattr(queue, name))
            yield family
        length = GaugeMetricFamily(PREFIX + "notifications_queue_length", "Alerts that wait", labels=["alertmanager"])
        capacity = GaugeMetricFamily(
            PREFIX + "notifications_queue_capacity", "Alerts that may wait", labels=["alertmanager"]
        )
        for queue in self._queues:
            length.add_metric([queue.name], len(queue))
            capacity.add_metric([queue.name], queue.capacity)
        yield length
        yield capacity


def revision() -> str:
    """The commit this runs from: as the image's builder set it, or the checkout's."""
    if given := os.environ.get("SOURCE_REVISION"):
        return given
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=Path(__file__).parent, capture_output=True, text=True, timeout=2, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return asked.stdout.strip()
