"""Gauges of each worker's hardware, from its latest report or heartbeat, in Prometheus' base units.

The text of the gauges of a worker is made at the first scrape after its report or heartbeat, and kept until the next.
Workers whose reports have the same measurements share a template of it, so that Python formats all values of a worker
in one step.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import compress
from operator import attrgetter
from typing import Any, Final, NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from exporter.events.report import CONDITIONS, Cpu, Device, Disk, HardwareStatus, Memory, Metrics, SystemContext
from exporter.metrics.hardware_reports import Latest
from exporter.metrics.text import PREFIX, escape, header, numbers, unit_of

GIGABYTE: Final = 2**30  # psutil's and the guide's GB
MEGAHERTZ: Final = 1e6
PERCENT: Final = 0.01
MAX_DEVICES: Final = 64  # GPUs per worker
MAX_TEXT: Final = 2**26  # characters of all gauges; the names of workers may be long, and each may have 64 GPUs
WORKERS_AT_ONCE: Final = 100  # whose text is one block, of up to 600 KB
MAX_TEMPLATES: Final = 64  # of up to 30 KB each; machines with the same parts share one

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
    Gauge(f"{PREFIX}worker_gpu_last_seen_timestamp_seconds",
          "When a report or heartbeat with the state of the worker's GPUs was last received", ["worker"]),
    Gauge(f"{PREFIX}worker_hardware_condition",
          "Whether the worker's latest report or heartbeat has the condition: 1 yes, 0 no", ["condition", "worker"]),
)  # fmt: skip
_ALONE: Final = ("",)
_WORKER: Final = "\1"  # stands for the name of the worker in a template
_NEXT: Final = '"\n'  # is between two gauges in a template; no line of theirs ends with a quote


class Samples(NamedTuple):
    """The samples of all gauges of a worker. `labels` has the values of the first of two labels for each of `GAUGES`,
    ("",) if it has one label and a sample; `values` are those of all samples, in this order."""

    labels: tuple[tuple[str, ...], ...]
    values: list[float]


_NOT_MEASURED: Final = Samples(((),) * len(_METRICS), [])
_NO_GPUS: Final = Samples(((),) * len(_GPU_METRICS), [])
_NOT_SEEN = _NO_CONDITIONS = Samples(((),), [])


def samples_of(latest: Latest) -> Samples:
    """Returns each measurement, the list of GPUs and each condition from the later of report and heartbeat that has
    it."""
    descriptions = latest.newest_first()
    read = [one.contexts() for one in descriptions]
    systems = [one.system_context for one in read if one.system_context]
    statuses = [one.hardware_context.hardware_status for one in read if one.hardware_context]
    measured = _measurements(systems)
    gpus, seen = _NO_GPUS, _NOT_SEEN
    for description, contexts in zip(descriptions, read, strict=True):
        if devices := _devices(contexts.system_context):
            gpus, seen = _gpu_samples(devices), Samples((_ALONE,), [description.received])
            break
    conditions = _conditions_of([one for one in statuses if one])
    return Samples(
        measured.labels + gpus.labels + seen.labels + conditions.labels,
        measured.values + gpus.values + seen.values + conditions.values,
    )


def lines_of(latest: Latest) -> list[str]:
    """Returns the text of the samples, for each of `GAUGES`."""
    if latest.text is None:
        samples = samples_of(latest)
        text = _template(samples.labels) % tuple(numbers(samples.values))
        latest.text = text.replace(_WORKER, escape(latest.worker)).split(_NEXT)
    return latest.text


@lru_cache(MAX_TEMPLATES)
def _template(labels: tuple[tuple[str, ...], ...]) -> str:
    """Returns the text of samples with these labels, with `%s` for each value."""
    gauges = []
    for gauge, firsts in zip(GAUGES, labels, strict=True):
        heads = [f'{gauge.labels[0]}="{first}",' if first else "" for first in firsts]
        gauges.append("".join([f'{gauge.name}{{{head}worker="{_WORKER}"}} %s\n' for head in heads]))
    return _NEXT.join(gauges)


class HardwareFamily:
    """The gauge family with the number `place` in `GAUGES`, of these workers."""

    def __init__(self, place: int, workers: Sequence[Latest]) -> None:
        self._place = place
        self._workers = workers

    def family(self) -> Metric:
        """Returns the family for `prometheus_client`."""
        name, help_, labels = GAUGES[self._place]
        family = GaugeMetricFamily(name, help_, labels=labels, unit=unit_of(name))
        for latest in self._workers:
            firsts, values = samples_of(latest)
            before = sum(map(len, firsts[: self._place]))
            for first, value in zip(firsts[self._place], values[before:], strict=False):
                family.add_metric([first, latest.worker] if first else [latest.worker], value)
        return family

    def blocks(self, *, openmetrics: bool) -> Iterator[str]:
        """Yields the text of the family, which is the same in both formats but for the line UNIT."""
        name, help_, _ = GAUGES[self._place]
        yield header(name, help_, "gauge", unit_of(name) if openmetrics else "")
        for first in range(0, len(self._workers), WORKERS_AT_ONCE):
            some = self._workers[first : first + WORKERS_AT_ONCE]
            yield "".join([lines_of(latest)[self._place] for latest in some])


def hardware_families(known: Iterable[Latest], pause: Callable[[], None]) -> Iterator[HardwareFamily]:
    """Yields the gauges of the workers, the first ones whose text fits in `MAX_TEXT`. Any thread may call it. `pause`
    is called after each worker."""
    shown, size = [], 0
    for latest in known:
        size += sum(map(len, lines_of(latest)))
        if size > MAX_TEXT:
            latest.text = None
            break
        shown.append(latest)
        pause()
    for place in range(len(GAUGES)):
        yield HardwareFamily(place, shown)


def _measurements(systems: Sequence[SystemContext]) -> Samples:
    read = [
        _measured(Metrics(metrics.cpu or Cpu(), metrics.memory or Memory(), metrics.disk or Disk()))
        for metrics in (one.metrics for one in systems)
        if metrics
    ]
    return _table(_ALONE, [[value] for value in _first_known(read)], _FACTORS) if read else _NOT_MEASURED


def _devices(system: SystemContext | None) -> Sequence[Device]:
    return ((system and system.gpu_metrics and system.gpu_metrics.devices) or ())[:MAX_DEVICES]


def _gpu_samples(devices: Sequence[Device]) -> Samples:
    measured: dict[str, Sequence[float | None]] = {}
    for place, device in enumerate(devices):
        index = device.index
        gpu = str(index if index is not None and 0 <= index < MAX_DEVICES else place)
        values = _measured_gpu(device)
        measured[gpu] = _first_known([values, measured[gpu]]) if gpu in measured else values
    return _table(tuple(measured), list(zip(*measured.values(), strict=True)), _GPU_FACTORS)


def _conditions_of(statuses: Sequence[HardwareStatus]) -> Samples:
    if not statuses:
        return _NO_CONDITIONS
    values = _first_known([_conditions(status) for status in statuses])
    return Samples((CONDITIONS,), [float(bool(value)) for value in values])


def _table(labels: tuple[str, ...], rows: Sequence[Sequence[float | None]], factors: Sequence[float]) -> Samples:
    """Returns the samples of several gauges, of which each has a row of values in our reports' unit, and a factor."""
    values = [value * factor for row, factor in zip(rows, factors, strict=True) for value in row if value is not None]
    if len(values) == len(labels) * len(rows):
        return Samples((labels,) * len(rows), values)
    known = [[value is not None for value in row] for row in rows]
    return Samples(tuple([tuple(compress(labels, row)) for row in known]), values)


def _first_known(rows: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """Returns of each column the first value that is not None, if there is one."""
    if len(rows) == 1:
        return rows[0]
    return [next((value for value in values if value is not None), None) for values in zip(*rows, strict=True)]
