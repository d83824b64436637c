"""Gauges of each worker's hardware, from its latest report or heartbeat, in Prometheus' base units.

The text of the gauges of a report is made at the first scrape that shows it, and kept until the worker's next one:
making it for 1,000 workers with 8 GPUs takes 45 ms on a slow machine, putting the kept text together 1 ms.
"""

from collections import OrderedDict
from collections.abc import Callable, Container, Iterator, Sequence
from math import inf
from operator import attrgetter
from sys import getsizeof
from typing import Final, NamedTuple

import msgspec
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from exporter.events.report import CONDITIONS, Cpu, Disk, HardwareContext, Memory, Metrics, SystemContext
from exporter.events.stored import decoder
from exporter.ingest.measurements import measure
from exporter.metrics.text import PREFIX, escape, header, number, unit_of

STALE_SECONDS: Final = 3600  # older reports are not exposed
GIGABYTE: Final = 2**30  # psutil's and the guide's GB
MEGAHERTZ: Final = 1e6
PERCENT: Final = 0.01
MAX_DEVICES: Final = 64  # GPUs per worker
MAX_BODY: Final = 65_536  # characters; longer reports are ignored
MAX_BYTES: Final = 2**25  # of all kept reports; beyond it, the oldest one is dropped
WORKERS_AT_ONCE: Final = 100  # whose text is one block, of up to 600 KB

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
    ("gpu_temperature_celsius", "GPU temperature", "temperature", 1),
    ("gpu_utilization_ratio", "Share of time in which the GPU worked", "utilization", PERCENT),
    ("gpu_power_watts", "Power that the GPU draws", "power_watts", 1),
    ("gpu_clock_hertz", "Clock of the GPU's cores", "clock_mhz", MEGAHERTZ),
)
_FACTORS: Final = [factor for *_, factor in _METRICS]
_measured: Final = attrgetter(*[f"{part}.{field}" for _, _, part, field, _ in _METRICS])
_GPU_FACTORS: Final = [factor for *_, factor in _GPU_METRICS]
_measured_gpu: Final = attrgetter(*[field for _, _, field, _ in _GPU_METRICS])
_conditions: Final = attrgetter(*CONDITIONS)


class Contexts(msgspec.Struct):
    """The fields of a report or heartbeat that the gauges are made from."""

    system_context: SystemContext | None = None
    hardware_context: HardwareContext | None = None


class Gauge(NamedTuple):
    """One gauge family. `labels` are in alphabetical order, the worker's is the last one of one or two."""

    name: str
    help: str
    labels: Sequence[str]


GAUGES: Final = (
    *(Gauge(f"{PREFIX}worker_{name}", f"{text}, by the worker's latest report or heartbeat", ["worker"])
      for name, text, *_ in _METRICS),
    *(Gauge(f"{PREFIX}worker_{name}", f"{text}, by the worker's latest report or heartbeat", ["gpu", "worker"])
      for name, text, *_ in _GPU_METRICS),
    Gauge(f"{PREFIX}worker_hardware_condition",
          "Whether the worker's latest report or heartbeat has the condition: 1 yes, 0 no", ["condition", "worker"]),
)  # fmt: skip
_HEADS: Final = [f'{gauge.name}{{{gauge.labels[0]}="' for gauge in GAUGES]
_decode: Final = decoder(Contexts)
Samples = list[tuple[str, float]]  # value of the first of two labels ("" if there is one), and value


class LatestReport:
    """The latest report or heartbeat of a worker: its time in epoch seconds, and its JSON. Any thread may read it; the
    text is made once, or twice if two scrapes need it at the same moment."""

    __slots__ = ("_lines", "body", "moment", "worker")

    def __init__(self, worker: str, moment: float, body: str) -> None:
        self.worker = worker
        self.moment = moment
        self.body = body
        self._lines: list[str] | None = None

    def samples(self) -> list[Samples]:
        """Returns the samples of each of `GAUGES`."""
        report = _decode(self.body)
        measure(report.system_context)  # removes impossible values
        return [*_measurements(report), *_gpus(report), _status(report)]

    def lines(self) -> list[str]:
        """Returns the text of the samples, for each of `GAUGES`."""
        if self._lines is None:
            worker = escape(self.worker)
            alone, second = f'{worker}"}} ', f'",worker="{worker}"}} '
            self._lines = [
                "".join([f"{head}{first}{second if first else alone}{number(value)}\n" for first, value in samples])
                for head, samples in zip(_HEADS, self.samples(), strict=True)
            ]
        return self._lines


class HardwareReports:
    """The latest report or heartbeat of each worker that describes its hardware. Only the event loop may use it."""

    def __init__(self) -> None:
        # With the bytes that it was counted with: a text grows when Python makes its UTF-8 form.
        self._latest: OrderedDict[str, tuple[LatestReport, int]] = OrderedDict()
        self._bytes = 0

    def note(self, worker: str, moment: float, body: str, latest: float = inf) -> None:
        """Keeps a report's JSON, unless the worker has a newer report or the JSON is longer than `MAX_BODY`. `moment`
        is in epoch seconds. A known report that is later than `latest` is of a clock that was wrong, and replaced."""
        known = self._latest.get(worker)
        if len(body) > MAX_BODY or (known is not None and moment < known[0].moment <= latest):
            return
        if known is not None:
            self._latest.move_to_end(worker)
            self._bytes -= known[1]
        self._latest[worker] = LatestReport(worker, moment, body), getsizeof(body)
        self._bytes += getsizeof(body)
        while self._bytes > MAX_BYTES:
            _, (_, size) = self._latest.popitem(last=False)
            self._bytes -= size

    def keep_only(self, workers: Container[str]) -> None:
        """Forgets the reports of all other workers."""
        for worker in [worker for worker in self._latest if worker not in workers]:
            self._bytes -= self._latest.pop(worker)[1]

    def snapshot(self) -> list[LatestReport]:
        """Returns the latest report of each worker. The thread that formats the scrape decodes their JSON."""
        return [report for report, _ in self._latest.values()]


class HardwareFamily:
    """The gauge family with the number `place` in `GAUGES`, of these reports."""

    def __init__(self, place: int, reports: Sequence[LatestReport]) -> None:
        self._place = place
        self._reports = reports

    def family(self) -> Metric:
        """Returns the family for `prometheus_client`."""
        name, help_, labels = GAUGES[self._place]
        family = GaugeMetricFamily(name, help_, labels=labels, unit=unit_of(name))
        for report in self._reports:
            for first, value in report.samples()[self._place]:
                family.add_metric([first, report.worker] if first else [report.worker], value)
        return family

    def blocks(self, *, openmetrics: bool) -> Iterator[str]:
        """Yields the text of the family, which is the same in both formats but for the line UNIT."""
        name, help_, _ = GAUGES[self._place]
        yield header(name, help_, "gauge", unit_of(name) if openmetrics else "")
        for first in range(0, len(self._reports), WORKERS_AT_ONCE):
            some = self._reports[first : first + WORKERS_AT_ONCE]
            yield "".join([report.lines()[self._place] for report in some])


def hardware_families(
    latest: Sequence[LatestReport], now: float, pause: Callable[[], None]
) -> Iterator[HardwareFamily]:
    """Yields the gauges of workers that reported in the hour before `now` (epoch seconds). Any thread may call it.
    `pause` is called after each report."""
    current = [report for report in latest if report.moment > now - STALE_SECONDS]
    for report in current:
        report.lines()
        pause()
    for place in range(len(GAUGES)):
        yield HardwareFamily(place, current)


def _measurements(report: Contexts) -> list[Samples]:
    metrics = report.system_context.metrics if report.system_context else None
    if metrics is None:
        return [[] for _ in _METRICS]
    whole = Metrics(metrics.cpu or Cpu(), metrics.memory or Memory(), metrics.disk or Disk())
    return [
        [] if value is None else [("", value * factor)]
        for value, factor in zip(_measured(whole), _FACTORS, strict=True)
    ]


def _gpus(report: Contexts) -> list[Samples]:
    gpus = report.system_context.gpu_metrics if report.system_context else None
    samples: list[dict[str, float]] = [{} for _ in _GPU_METRICS]
    for place, device in enumerate(((gpus.devices if gpus else None) or ())[:MAX_DEVICES]):
        index = device.index
        gpu = str(index if index is not None and 0 <= index < MAX_DEVICES else place)
        for of_gpus, value, factor in zip(samples, _measured_gpu(device), _GPU_FACTORS, strict=True):
            if value is not None:
                of_gpus[gpu] = value * factor
    return [list(of_gpus.items()) for of_gpus in samples]


def _status(report: Contexts) -> Samples:
    status = report.hardware_context.hardware_status if report.hardware_context else None
    if status is None:
        return []
    return [(name, int(bool(value))) for name, value in zip(CONDITIONS, _conditions(status), strict=True)]
