"""The metrics of the service itself, and the complete response of /metrics."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Final, Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from exporter import __version__
from exporter.access.secrets import without_secrets
from exporter.alerting.alertmanager import Notifier
from exporter.alerting.queue import Queue
from exporter.config import Settings
from exporter.events.tolerant import FIELDS
from exporter.ingest.readiness import Readiness
from exporter.live.hub import Live
from exporter.live.machines import MachineBook
from exporter.log import LogError
from exporter.log.embedded import EmbeddedLog
from exporter.log.readers import Readers
from exporter.metrics.error_metrics import ErrorMetrics
from exporter.metrics.error_snapshot import ErrorSnapshot, gauge
from exporter.metrics.exposition import exposition
from exporter.metrics.pace import Pace
from exporter.metrics.resources import Needed, Resources
from exporter.metrics.text import PREFIX
from exporter.metrics.zero_phase import scraper_of
from exporter.protocols.sentry import REASONS
from exporter.revision import revision

REJECTED: Final = (
    "malformed", "invalid_field", "too_large", "unsupported_type", "unsupported_encoding", "forbidden_origin",
    "forbidden_host", "queue_full", "store_failed", "internal_error", "deleted", "unauthenticated", "forbidden_scope",
    "forbidden_worker", "forbidden_csrf", "rate_limited", "too_slow",
)  # fmt: skip
PROTOCOLS: Final = ("json", "json_batch", "sentry", "otlp_logs", "otlp_traces", "alertmanager", "junit")
LOGINS: Final = ("token", "basic", "form")
_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_READ_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BATCH: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)


class ServiceMetrics:
    """The registry of the service's own metrics, and the metrics that the service updates itself. With `created`,
    OpenMetrics has times of creation."""

    def __init__(self, errors: ErrorMetrics, *, created: bool = False) -> None:
        self._errors = errors
        self._created = created
        self._service: Watched | None = None
        self.registry = CollectorRegistry()
        self.received = Counter(PREFIX + "reports_received", "Reports received", ["protocol"], registry=self.registry)
        self.rejected = Counter(PREFIX + "reports_rejected", "Reports rejected", ["reason"], registry=self.registry)
        self.ingest_seconds = Histogram(
            PREFIX + "ingest_duration_seconds",
            "Time from the arrival of a request's body to the commit of its reports",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.commit_seconds = Histogram(
            PREFIX + "commit_duration_seconds",
            "Duration of one commit to the log",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batch_size = Histogram(
            PREFIX + "commit_batch_size", "Errors in one commit", buckets=_BATCH, registry=self.registry
        )
        self.read_seconds = Histogram(
            PREFIX + "read_duration_seconds",
            "Time until a request that reads was answered",
            ["endpoint"],
            buckets=_READ_SECONDS,
            registry=self.registry,
        )
        self.database_errors = Counter(PREFIX + "database_errors", "Commits that failed", registry=self.registry)
        build = Gauge(PREFIX + "build_info", "Always 1", ["version", "revision"], registry=self.registry)
        build.labels(__version__, revision()).set(1)
        self.failed_logins = Counter(
            PREFIX + "failed_logins", "Wrong tokens and passwords", ["method"], registry=self.registry
        )
        for method in LOGINS:
            self.failed_logins.labels(method)
        self.reload_successful = Gauge(
            PREFIX + "config_last_reload_successful",
            "Whether the settings could be used when they were read the last time",
            registry=self.registry,
        )
        self.reload_time = Gauge(
            PREFIX + "config_last_reload_success_timestamp_seconds",
            "When the settings were read successfully the last time",
            registry=self.registry,
        )
        self.reloaded(successful=True)
        self.lost_at_client = Counter(
            PREFIX + "reports_lost_at_client",
            "Errors that a client of another protocol says it has lost or left out before it sent them",
            ["reason"],
            registry=self.registry,
        )
        for reason in REASONS:
            self.lost_at_client.labels(reason)
        self.items_skipped = Counter(
            PREFIX + "items_skipped",
            "Parts of messages of other protocols that are no errors and were not stored",
            ["protocol"],
            registry=self.registry,
        )
        for protocol in PROTOCOLS:
            self.received.labels(protocol)
        for protocol in PROTOCOLS[2:]:
            self.items_skipped.labels(protocol)
        self.received_json = self.received.labels("json")
        self.received_batch = self.received.labels("json_batch")
        for reason in REJECTED:
            self.rejected.labels(reason)
        ProcessCollector(registry=self.registry)

    def watch(self, service: "Watched") -> None:
        """Registers the metrics that each scrape reads from the parts of the service."""
        self._service = service
        self.registry.register(_Parts(service))
        self.registry.register(_Notifications(service.notifier.queues))
        page = Gauge(PREFIX + "page_info", "Always 1; url is the address of the page", ["url"], registry=self.registry)
        page.labels(without_secrets(service.notifier.push.page_url)).set(1)
        if labels := service.settings.labels:
            info = Gauge(PREFIX + "external_labels_info", "Always 1", list(labels), registry=self.registry)
            info.labels(*labels.values()).set(1)

    def appended(self, events: int, seconds: float) -> None:
        self.commit_seconds.observe(seconds)
        self.batch_size.observe(events)

    def reloaded(self, *, successful: bool) -> None:
        self.reload_successful.set(int(successful))
        if successful:
            self.reload_time.set_to_current_time()

    def login_failed(self, method: str) -> None:
        self.failed_logins.labels(method).inc()

    def begin_scrape(self, request: web.BaseRequest) -> Callable[[str], tuple[Iterator[bytes], str]]:
        """Copies the state on the event loop. Returns a function that takes the value of the `Accept` header and
        returns the blocks of the exposition and its content type. Call that function, and iterate over the blocks, in
        a thread: formatting is slow."""
        resources = Resources.of(self._service) if self._service else None
        return partial(self._format, self._errors.snapshot(scraper_of(request)), resources)

    def _format(self, errors: ErrorSnapshot, resources: Resources | None, accept: str) -> tuple[Iterator[bytes], str]:
        pause = Pace()
        families = chain(errors.families(pause), resources.families() if resources else (), self.registry.collect())
        return exposition(families, accept, pause, created=self._created)


class Watched(Needed, Protocol):
    """The parts of the service that a scrape reads."""

    @property
    def live(self) -> Live: ...
    @property
    def machines(self) -> MachineBook: ...
    @property
    def notifier(self) -> Notifier: ...
    @property
    def readers(self) -> Readers: ...
    @property
    def log(self) -> EmbeddedLog: ...
    @property
    def readiness(self) -> Readiness: ...
    @property
    def settings(self) -> Settings: ...
    def sizes(self) -> tuple[int, int, int]: ...


class _Parts(Collector):
    def __init__(self, service: Watched) -> None:
        self._service = service

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        service = self._service
        yield gauge("ingest_queue_length", "Reports waiting to be appended to the log", service.ingest.queued)
        yield gauge("ingest_queue_capacity", "Most reports that may wait to be appended", service.ingest.capacity)
        up = not service.readiness.failure and not service.store.failure
        yield gauge("database_up", "Whether the last commit succeeded and the database follows the log", int(up))
        yield gauge("database_size_bytes", "Size of the database and the log on disk", sum(service.sizes()))
        yield gauge("websocket_clients", "Connected WebSocket clients", len(service.live.clients))
        yield _counter("websocket_messages_sent", "Updates sent to WebSocket clients", service.live.sent)
        yield _counter(
            "websocket_messages_dropped", "Updates not sent because a client was too slow", service.live.dropped
        )
        machines = GaugeMetricFamily(PREFIX + "machines", "Machines that send heartbeats", labels=["status"])
        for status, count in service.machines.counts(time.time())._asdict().items():
            machines.add_metric([status], count)
        yield machines
        yield _counter("heartbeats_received", "Heartbeats received", service.machines.received)
        yield _counter("machines_forgotten", "Machines dropped because there were too many", service.machines.forgotten)
        yield _counter(
            "reports_duplicate",
            "Reports whose id was accepted before",
            service.ingest.pipeline.duplicates,
        )
        limited = CounterMetricFamily(
            PREFIX + "rate_limited_reports",
            "Reports above a rate limit that were refused, repeats not counted",
            labels=["worker"],
        )
        for worker, reports in list(service.ingest.pipeline.refused.counted.items()):
            limited.add_metric([worker], reports)
        yield limited
        dropped = CounterMetricFamily(
            PREFIX + "report_fields_dropped", "Values of reports that could not be read", labels=["field"]
        )
        for field in FIELDS:
            dropped.add_metric([field], service.ingest.pipeline.dropped[field])
        yield dropped
        redactions = CounterMetricFamily(
            PREFIX + "redactions", "Secrets that were replaced in reports", labels=["rule"]
        )
        if service.ingest.pipeline.redaction is not None:
            for rule, count in service.ingest.pipeline.redaction.counts.items():
                redactions.add_metric([rule], count)
        yield redactions
        yield _counter("database_restarts", "Restarts of the database process", service.store.restarts)
        yield gauge("log_position", "Position of the newest event in the log", service.log.last)
        with suppress(LogError):  # the file was cut, say: the other metrics are still of use
            yield gauge("log_events_bytes", "Size of the events in the log", service.log.bytes_used())
        lag = GaugeMetricFamily(PREFIX + "reader_lag_events", "Events that a reader has not read", labels=["reader"])
        restarts = CounterMetricFamily(PREFIX + "reader_restarts", "Failures of a reader", labels=["reader"])
        skipped = CounterMetricFamily(
            PREFIX + "reader_skipped_events", "Events that a reader skipped", labels=["reader"]
        )
        for follower in service.readers.followers:
            lag.add_metric([follower.name], follower.lag)
            restarts.add_metric([follower.name], follower.restarts)
            skipped.add_metric([follower.name], follower.skipped)
        lag.add_metric(["database"], max(0, service.log.last - service.store.position))
        yield from (lag, restarts, skipped)


def _counter(name: str, help_: str, value: float) -> Metric:
    family = CounterMetricFamily(PREFIX + name, help_)
    family.add_metric([], value)
    return family


class _Notifications(Collector):
    def __init__(self, queues: Sequence[Queue]) -> None:
        self._queues = queues

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        for name, help_ in (
            ("sent", "Alerts sent to an Alertmanager"),
            ("errors", "Alerts that an Alertmanager did not accept when they were sent"),
            ("dropped", "Alerts dropped because the queue was full"),
            ("confirmed", "Alerts that an Alertmanager was seen to hold when it was asked"),
        ):
            family = CounterMetricFamily(f"{PREFIX}notifications_{name}", help_, labels=["alertmanager"])
            for queue in self._queues:
                family.add_metric([queue.name], getattr(queue, name))
            yield family
        length = GaugeMetricFamily(
            PREFIX + "notifications_queue_length", "Alerts waiting to be sent", labels=["alertmanager"]
        )
        capacity = GaugeMetricFamily(
            PREFIX + "notifications_queue_capacity", "Most alerts that may wait to be sent", labels=["alertmanager"]
        )
        unconfirmed = GaugeMetricFamily(
            PREFIX + "notifications_unconfirmed",
            "Alerts that an Alertmanager accepted over a minute ago and was not seen to hold",
            labels=["alertmanager"],
        )
        for queue in self._queues:
            length.add_metric([queue.name], len(queue))
            capacity.add_metric([queue.name], queue.capacity)
            unconfirmed.add_metric([queue.name], queue.unconfirmed)
        yield length
        yield capacity
        yield unconfirmed
