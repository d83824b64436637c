"""Gauges of each worker's hardware, from its latest report, in Prometheus' base units."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from math import inf
from sys import getsizeof
from typing import Final

import msgspec

from exporter.events.report import CONDITIONS, HardwareContext, SystemContext
from exporter.events.stored import decoder
from exporter.ingest.measurements import measure
from exporter.metrics.gauges import GaugeFamily

STALE_SECONDS: Final = 3600  # older reports are not exposed
GIGABYTE: Final = 2**30  # psutil's and the guide's GB
MEGAHERTZ: Final = 1e6
PERCENT: Final = 0.01
MAX_DEVICES: Final = 64  # GPUs per worker
MAX_BODY: Final = 65_536  # characters; longer reports are ignored
MAX_BYTES: Final = 2**25  # of all kept reports; beyond it, the oldest one is dropped

_METRICS: Final = (
    ("cpu_utilization_ratio", "CPU in use", "cpu", "percent", PERCENT),
    ("cpu_frequency_hertz", "CPU frequency", "cpu", "frequency_mhz", MEGAHERTZ),
    ("memory_utilization_ratio", "Memory in use", "memory", "used_percent", PERCENT),
    ("memory_total_bytes", "Total memory", "memory", "total_gb", GIGABYTE),
    ("memory_available_bytes", "Available memory", "memory", "available_gb", GIGABYTE),
    ("disk_utilization_ratio", "Disk in use", "disk", "used_percent", PERCENT),
    ("disk_total_bytes", "Total disk space", "disk", "total_gb", GIGABYTE),
    ("disk_free_bytes", "Free disk space", "disk", "free_gb", GIGABYTE),
)
_GPU_METRICS: Final = (
    ("gpu_memory_utilization_ratio", "GPU memory in use", "memory_utilization", PERCENT),
    ("gpu_temperature_celsius", "GPU temperature", "temperature", 1.0),
)


class Contexts(msgspec.Struct):
    """The fields of a report that the gauges are made from."""

    system_context: SystemContext | None = None
    hardware_context: HardwareContext | None = None


LatestReport = tuple[float, str]  # epoch seconds, and the report's JSON
_decode: Final = decoder(Contexts)


class HardwareReports:
    """The latest report of each worker that describes its hardware. Only the event loop may use it."""

    def __init__(self) -> None:
        # With the bytes that it was counted with: a text grows when Python makes its UTF-8 form.
        self._latest: OrderedDict[str, tuple[LatestReport, int]] = OrderedDict()
        self._bytes = 0

    def note(self, worker: str, moment: float, body: str, latest: float = inf) -> None:
        """Keeps a report's JSON, unless the worker has a newer report or the JSON is longer than `MAX_BODY`. `moment`
        is in epoch seconds. A known report that is later than `latest` is of a clock that was wrong, and replaced."""
        known = self._latest.get(worker)
        if len(body) > MAX_BODY or (known is not None and moment < known[0][0] <= latest):
            return
        if known is not None:
            self._latest.move_to_end(worker)
            self._bytes -= known[1]
        self._latest[worker] = (moment, body), getsizeof(body)
        self._bytes += getsizeof(body)
        while self._bytes > MAX_BYTES:
            _, (_, size) = self._latest.popitem(last=False)
            self._bytes -= size

    def snapshot(self) -> list[tuple[str, LatestReport]]:
        """Returns the latest report of each worker. The thread that formats the scrape decodes their JSON."""
        return [(worker, report) for worker, (report, _) in self._latest.items()]


def hardware_families(
    latest: Sequence[tuple[str, LatestReport]], now: float, pause: Callable[[], None]
) -> Iterator[GaugeFamily]:
    """Yields the gauges of workers that reported in the hour before `now` (epoch seconds). Any thread may call it.
    `pause` is called after each report."""
    since = now - STALE_SECONDS
    current = []
    for worker, (moment, body) in latest:
        if moment > since:
            report = _decode(body)
            measure(report.system_context)  # removes impossible values
            current.append((worker, report))
            pause()
    for name, help_, part, field, factor in _METRICS:
        family = GaugeFamily(f"worker_{name}", f"{help_}, by the worker's latest report", "worker")
        for worker, report in current:
            metrics = report.system_context.metrics if report.system_context else None
            value = getattr(getattr(metrics, part, None), field, None)
            if value is not None:
                family.add((worker,), value * factor)
        yield family
    yield from _gpus(current)
    yield _conditions(current)


def _gpus(current: list[tuple[str, Contexts]]) -> Iterator[GaugeFamily]:
    for name, help_, field, factor in _GPU_METRICS:
        family = GaugeFamily(f"worker_{name}", f"{help_}, by the worker's latest report", "gpu", "worker")
        for worker, report in current:
            gpus = report.system_context.gpu_metrics if report.system_context else None
            values: dict[str, float] = {}
            for place, device in enumerate((gpus.devices if gpus else None) or ()):
                value = getattr(device, field)
                known = device.index is not None and 0 <= device.index < MAX_DEVICES
                if value is not None and place < MAX_DEVICES:
                    values[str(device.index if known else place)] = value * factor
            for gpu, value in values.items():
                family.add((gpu, worker), value)
        yield family


def _conditions(current: list[tuple[str, Contexts]]) -> GaugeFamily:
    family = GaugeFamily(
        "worker_hardware_condition",
        "Whether the worker's latest report has the condition: 1 yes, 0 no",
        "condition",
        "worker",
    )
    for worker, report in current:
        status = report.hardware_context.hardware_status if report.hardware_context else None
        for condition in CONDITIONS if status else ():
            family.add((condition, worker), int(bool(getattr(status, condition))))
    return family
