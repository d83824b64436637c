"""Reads the measurements of a report. Drops values that no machine can have, each with a warning.

Monitoring libraries write placeholders where they measured nothing: DCGM 2147483632 and its neighbours (32 bits),
9223372036854775792 (64 bits) and 140737488355328 (double), NVML 4294967295 (an unsigned -1). A placeholder that is then
converted can become 82505 °C. Other programs use another unit: the CPU percentage of one process on 16 cores is up to
1600. All these values are outside the ranges of this module, so it needs no list of placeholders.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec import Struct

from exporter.events.report import Cpu, Device, Disk, Memory, SystemContext

MAX_DEVICES: Final = 4  # GPUs of one report whose dropped values are named; the others are counted
MOST_GIGABYTES: Final = 1_000_000_000.0  # the largest file systems have a few million
MOST_MEGAHERTZ: Final = 100_000.0
MOST_WATTS: Final = 100_000.0
ROUNDING: Final = 1.01  # free space may be up to this multiple of the total, because senders round both


class Range(NamedTuple):
    """The possible values of a measurement, both ends included."""

    least: float
    most: float
    unit: str


class Impossible(NamedTuple):
    """A value that is not used. `field` is its path in the schema, one of `tolerant.FIELDS`. `warning` names the path,
    the value and the possible range."""

    field: str
    warning: str


class Measurements(NamedTuple):
    """The measurements that the severity rules read. A measurement that the report lacks is None."""

    cpu_percent: float | None = None
    memory_percent: float | None = None
    disk_percent: float | None = None
    disk_free_percent: float | None = None
    gpu_celsius: float | None = None  # of the hottest GPU


PERCENT: Final = Range(0, 100, "%")
CELSIUS: Final = Range(-50, 150, "°C")
GIGABYTES: Final = Range(0, MOST_GIGABYTES, "GB")
RANGES: Final[dict[type[Struct], dict[str, Range]]] = {
    Cpu: {"percent": PERCENT, "frequency_mhz": Range(0, MOST_MEGAHERTZ, "MHz")},
    Memory: {"used_percent": PERCENT, "total_gb": GIGABYTES, "available_gb": GIGABYTES},
    Disk: {"used_percent": PERCENT, "total_gb": GIGABYTES, "free_gb": GIGABYTES},
    Device: {
        "memory_utilization": PERCENT,
        "temperature": CELSIUS,
        "utilization": PERCENT,
        "power_watts": Range(0, MOST_WATTS, "W"),
        "clock_mhz": Range(0, MOST_MEGAHERTZ, "MHz"),
    },
}
NOTHING_MEASURED: Final = Measurements()


def measure(system: SystemContext | None) -> tuple[Measurements, tuple[Impossible, ...]]:
    """Returns the measurements and the dropped values. Dropped values become None in `system`."""
    if system is None:
        return NOTHING_MEASURED, ()
    measured = _read(system)
    if measured is not None:
        return measured, ()
    dropped = tuple(_drop_impossible(system))
    measured = _read(system)
    assert measured is not None, "`_read` and `RANGES` differ"
    return measured, dropped


def _read(system: SystemContext) -> Measurements | None:
    """Returns the measurements; None if a value is impossible. It repeats the numbers of `RANGES` instead of looking
    them up, because it runs for each report."""
    cpu_percent = memory_percent = disk_percent = disk_free = hottest = None
    if (metrics := system.metrics) is not None:
        if (cpu := metrics.cpu) is not None:
            if (cpu_percent := cpu.percent) is not None and not 0 <= cpu_percent <= 100:
                return None
            if (mhz := cpu.frequency_mhz) is not None and not 0 <= mhz <= MOST_MEGAHERTZ:
                return None
        if (memory := metrics.memory) is not None:
            if (memory_percent := memory.used_percent) is not None and not 0 <= memory_percent <= 100:
                return None
            if (memory.available_gb is not None or memory.total_gb is not None) and not _fits(
                memory.available_gb, memory.total_gb
            ):
                return None
        if (disk := metrics.disk) is not None:
            if (disk_percent := disk.used_percent) is not None and not 0 <= disk_percent <= 100:
                return None
            free, total = disk.free_gb, disk.total_gb
            if free is not None or total is not None:
                if not _fits(free, total):
                    return None
                disk_free = _free_percent(free, total)
    if (gpus := system.gpu_metrics) is not None:
        for device in gpus.devices or ():
            if (celsius := device.temperature) is not None:
                if not -50 <= celsius <= 150:
                    return None
                if hottest is None or celsius > hottest:
                    hottest = celsius
            if (percent := device.memory_utilization) is not None and not 0 <= percent <= 100:
                return None
            if (percent := device.utilization) is not None and not 0 <= percent <= 100:
                return None
            if (watts := device.power_watts) is not None and not 0 <= watts <= MOST_WATTS:
                return None
            if (mhz := device.clock_mhz) is not None and not 0 <= mhz <= MOST_MEGAHERTZ:
                return None
    return Measurements(cpu_percent, memory_percent, disk_percent, disk_free, hottest)


def _fits(free: float | None, total: float | None) -> bool:
    """Returns whether sizes in GB are possible. A total of 0 is not: programs write it if they could not read the
    size."""
    if total is None:
        return free is None or 0 <= free <= MOST_GIGABYTES
    return 0 < total <= MOST_GIGABYTES and (free is None or 0 <= free <= total * ROUNDING)


def _free_percent(free: float | None, total: float | None) -> float | None:
    """Returns the free percentage; None if it is unknown. No free space is 0 %, even if the total is unknown."""
    if free is not None and total is not None:
        return 100 * free / total
    return 0.0 if free == 0 else None


def _drop_impossible(system: SystemContext) -> Iterator[Impossible]:
    """Sets the impossible values of `system` to None and yields a warning for each."""
    if metrics := system.metrics:
        path = "system_context.metrics"
        yield from _drop(metrics.cpu, f"{path}.cpu")
        yield from _drop(metrics.memory, f"{path}.memory")
        yield from _drop_size(metrics.memory, "available_gb", f"{path}.memory")
        yield from _drop(metrics.disk, f"{path}.disk")
        yield from _drop_size(metrics.disk, "free_gb", f"{path}.disk")
    path = "system_context.gpu_metrics.devices"
    devices = (system.gpu_metrics and system.gpu_metrics.devices) or []
    unnamed = 0
    named = 0
    for index, device in enumerate(devices):
        dropped = list(_drop(device, f"{path}[{index}]", f"{path}[]"))
        named += bool(dropped)
        if named <= MAX_DEVICES:
            yield from dropped
        else:
            unnamed += len(dropped)
    if unnamed:
        yield Impossible(path, f"{path}: {unnamed} more impossible values of other devices are not used")


def _drop(part: Struct | None, path: str, field: str = "") -> Iterator[Impossible]:
    for name, possible in RANGES[type(part)].items() if part is not None else ():
        value = getattr(part, name)
        if value is not None and not possible.least <= value <= possible.most:
            setattr(part, name, None)
            bounds = f"{possible.least:g} to {possible.most:.15g} {possible.unit}"
            yield Impossible(f"{field or path}.{name}", f"{path}.{name}: {value:.15g} is outside {bounds} and not used")


def _drop_size(part: Memory | Disk | None, name: str, path: str) -> Iterator[Impossible]:
    """Drops impossible pairs of sizes: a free size that is more than the total; and a total of 0, together with a free
    size of 0, which is then no measurement either."""
    if part is None:
        return
    free, total = getattr(part, name), part.total_gb
    if total == 0:
        part.total_gb = None
        yield Impossible(f"{path}.total_gb", f"{path}.total_gb: 0 is no size and not used")
        if free == 0:
            setattr(part, name, None)
            yield Impossible(f"{path}.{name}", f"{path}.{name}: 0 of a total_gb of 0 is not used")
    elif free is not None and total is not None and free > total * ROUNDING:
        setattr(part, name, None)
        yield Impossible(
            f"{path}.{name}", f"{path}.{name}: {free:.15g} is more than total_gb, {total:.15g}, and not used"
        )
