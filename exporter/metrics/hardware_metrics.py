"""Gauges of each worker's hardware as its latest report told of it, in Prometheus' base units."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from exporter.events.report import HardwareContext, SystemContext

PREFIX: Final = "distributed_testing_worker_"
STALE_SECONDS: Final = 3600  # a report older than this says nothing about now
GIGABYTE: Final = 2**30  # psutil's and the guide's GB
MEGAHERTZ: Final = 1e6
PERCENT: Final = 0.01
MAX_DEVICES: Final = 64
MAX_BODY: Final = 65_536  # characters
CONDITIONS: Final = ("overheating", "memory_pressure", "throttling")

_METRICS: Final = (
    ("cpu_utilization_ratio", "CPU in use", "cpu", "percent", PERCENT),
    ("cpu_frequency_hertz", "CPU frequency", "cpu", "frequency_mhz", MEGAHERTZ),
    ("memory_utilization_ratio", "Memory in use", "memory", "used_percent", PERCENT),
    ("memory_total_bytes", "Memory", "memory", "total_gb", GIGABYTE),
    ("memory_available_bytes", "Memory that can be had", "memory", "available_gb", GIGABYTE),
    ("disk_utilization_ratio", "Disk in use", "disk", "used_percent", PERCENT),
    ("disk_total_bytes", "Disk", "disk", "total_gb", GIGABYTE),
    ("disk_free_bytes", "Free disk", "disk", "free_gb", GIGABYTE),
)
_GPU_METRICS: Final = (
    ("gpu_memory_utilization_ratio", "GPU memory in use", "memory_utilization", PERCENT),
    ("gpu_temperature_celsius", "GPU temperature", "temperature", 1.0),
)


class Contexts(msgspec.Struct):
    """The part of a report that is looked at here."""

    system_context: SystemContext | None = None
    hardware_context: HardwareContext | None = None


LatestReport = tuple[float, str]  # epoch seconds, and the report's JSON
_decode: Final = msgspec.json.Decoder(Contexts).decode


class HardwareReports:
    """The latest report of each worker that describes its hardware. Only the event loop may use it."""

    def __init__(self) -> None:
        self._latest: dict[str, LatestReport] = {}

    def note(self, worker: str, moment: float, body: str) -> None:
        """Keeps a report's JSON unless it is older than the one known, or so large that a thousand would fill the
        memory. `moment` is in epoch seconds."""
        known = self._latest.get(worker)
        if len(body) <= MAX_BODY and (known is None or known[0] <= moment):
            self._latest[worker] = (moment, body)

    def snapshot(self) -> list[tuple[str, LatestReport]]:
        """The latest report by worker; their JSON is decoded later, in the thread that answers the scrape."""
        return list(self._latest.items())


def hardware_families(latest: Sequence[tuple[str, LatestReport]], now: float) -> Iterator[Metric]:
    """The gauges of the workers that reported within the hour before `now` (epoch seconds). Any thread may call it."""
    since = now - STALE_SECONDS
    current = [(worker, _decode(body)) for worker, (moment, body) in latest if moment > since]
    for name, help_, part, field, factor in _METRICS:
        family = GaugeMetricFamily(PREFIX + name, f"{help_}, by the worker's latest report", labels=["worker"])
        for worker, report in current:
            metrics = report.system_context.metrics if report.system_context else None
            value = getattr(getattr(metrics, part, None), field, None)
            if value is not None:
                family.add_metric([worker], value * factor)
        yield family
    yield from _gpus(current)
    yield _conditions(current)


def _gpus(current: list[tuple[str, Contexts]]) -> Iterator[Metric]:
    for name, help_, field, factor in _GPU_METRICS:
        family = GaugeMetricFamily(PREFIX + name, f"{help_}, by the worker's latest report", labels=["worker", "gpu"])
        for worker, report in current:
            gpus = report.system_context.gpu_metrics if report.system_context else None
            values: dict[str, float] = {}
            for place, device in enumerate((gpus.devices if gpus else None) or ()):
                value = getattr(device, field)
                known = device.index is not None and 0 <= device.index < MAX_DEVICES
                if value is not None and place < MAX_DEVICES:
                    values[str(device.index if known else place)] = value * factor
            for gpu, value in values.items():
                family.add_metric([worker, gpu], value)
        yield family


def _conditions(current: list[tuple[str, Contexts]]) -> Metric:
    family = GaugeMetricFamily(
        PREFIX + "hardware_condition",
        "Whether the worker's latest report names the condition: 1 yes, 0 no",
        labels=["worker", "condition"],
    )
    for worker, report in current:
        status = report.hardware_context.hardware_status if report.hardware_context else None
        for condition in CONDITIONS if status else ():
            family.add_metric([worker, condition], int(bool(getattr(status, condition))))
    return family
