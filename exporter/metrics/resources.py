"""The metrics of what the service needs to work: readiness, disk, memory, and the thresholds that it uses."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple, Protocol

import msgspec
import psutil
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from exporter.ingest.ingest import Ingest
from exporter.ingest.readiness import REASONS, NotReady, Readiness
from exporter.ingest.severity import Thresholds
from exporter.metrics.error_snapshot import gauge
from exporter.metrics.text import PREFIX
from exporter.store.client import StoreClient


class Limits(Protocol):
    """The part of `Settings` that is needed here."""

    @property
    def thresholds(self) -> Thresholds: ...
    @property
    def max_db_bytes(self) -> int: ...


class Needed(Protocol):
    """The parts of the service that are needed here."""

    @property
    def readiness(self) -> Readiness: ...
    @property
    def ingest(self) -> Ingest: ...
    @property
    def store(self) -> StoreClient: ...
    @property
    def settings(self) -> Limits: ...
    @property
    def folder(self) -> str: ...


class Resources(NamedTuple):
    """What is read on the event loop, when a scrape begins. `folder` has the database; `store` is the id of its
    process, None if it has none."""

    not_ready: NotReady | None
    oldest_seconds: float
    folder: str
    store: int | None
    limits: Limits

    @classmethod
    def of(cls, service: Needed) -> "Resources":
        return cls(
            service.readiness.latest(),
            service.ingest.oldest_seconds(),
            service.folder,
            service.store.process_id,
            service.settings,
        )

    def families(self) -> Iterator[Metric]:
        """Yields the metric families. Any thread may call it."""
        yield gauge("ready", "Whether a report could be stored, by the latest write", int(self.not_ready is None))
        reasons = GaugeMetricFamily(
            PREFIX + "not_ready", "Why no report could be stored: 1 for the reason, else 0", labels=["reason"]
        )
        for reason in REASONS:
            reasons.add_metric([reason], int(self.not_ready is not None and self.not_ready.reason == reason))
        yield reasons
        yield gauge(
            "oldest_waiting_report_age_seconds", "For how long the oldest report waits to be appended to the log",
            self.oldest_seconds,
        )  # fmt: skip
        with suppress(OSError):  # the folder is gone: the other metrics are still of use
            disk = shutil.disk_usage(self.folder)
            yield gauge("disk_size_bytes", "Size of the file system of the database", disk.total)
            yield gauge("disk_free_bytes", "Free bytes of the file system of the database", disk.free)
        yield gauge(
            "database_size_limit_bytes", "Size above which the oldest errors are deleted, 0 for any size",
            self.limits.max_db_bytes,
        )  # fmt: skip
        memory = GaugeMetricFamily(
            PREFIX + "process_resident_memory_bytes", "Memory in use by each process", labels=["process"]
        )
        for name, process in (("http", os.getpid()), ("store", self.store)):
            if process is not None:
                with suppress(psutil.Error):  # it has just ended
                    memory.add_metric([name], psutil.Process(process).memory_info().rss)
        yield memory
        thresholds = GaugeMetricFamily(
            PREFIX + "threshold", "The thresholds of the severity rules, by the names of their settings",
            labels=["threshold"],
        )  # fmt: skip
        for name, value in msgspec.structs.asdict(self.limits.thresholds).items():
            thresholds.add_metric([name], value)
        yield thresholds
