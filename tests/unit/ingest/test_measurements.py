"""What no machine can measure is dropped, each value with a warning; what is possible stays."""

import math
from typing import Any

import msgspec
import pytest

from exporter.events.report import Cpu, Device, Disk, Memory, SystemContext
from exporter.events.tolerant import FIELDS as FIELDS_OF_REPORTS
from exporter.ingest.measurements import MAX_DEVICES, RANGES, Impossible, Measurements, measure

pytestmark = pytest.mark.severity

BLANKS = [
    2147483632, 2147483633, 2147483634, 2147483635,  # DCGM, 32 bits: blank, not found, not supported, not permitted
    9223372036854775792.0, 9223372036854775795.0,  # 64 bits
    140737488355328.0, 140737488355331.0,  # double
    4294967295, 18446744073709551615.0,  # an unsigned -1 of 32 and of 64 bits
    2147483647, -2147483648, -1e300, math.nan, math.inf, -math.inf,
]  # fmt: skip
METRICS = "system_context.metrics"
DEVICES = "system_context.gpu_metrics.devices"
PARTS: dict[type, str] = {Cpu: "cpu", Memory: "memory", Disk: "disk"}
FIELDS = [(kind, name) for kind, ranges in RANGES.items() for name in ranges]
IDS = [f"{kind.__name__}.{name}" for kind, name in FIELDS]


def system(**parts: Any) -> SystemContext:
    """The context of a report with some `metrics`; `devices` are its GPUs."""
    gpus = {"gpu_metrics": {"devices": parts.pop("devices")}} if "devices" in parts else {}
    return msgspec.convert({"metrics": parts} | gpus, SystemContext)


def context(kind: type, name: str, value: float) -> tuple[SystemContext, Any, str]:
    """Returns a context with one value, the object that holds it, and its path."""
    if kind is Device:
        whole = system(devices=[{name: value}])
        assert whole.gpu_metrics is not None
        assert whole.gpu_metrics.devices is not None
        return whole, whole.gpu_metrics.devices[0], f"{DEVICES}[0].{name}"
    whole = system(**{PARTS[kind]: {name: value}})
    return whole, getattr(whole.metrics, PARTS[kind]), f"{METRICS}.{PARTS[kind]}.{name}"


@pytest.mark.parametrize("value", BLANKS)
@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=IDS)
def test_a_blank_is_no_measurement(kind: type, name: str, value: float) -> None:
    whole, part, path = context(kind, name, value)
    measured, dropped = measure(whole)
    assert measured == Measurements()
    assert getattr(part, name) is None
    (one,) = dropped
    assert one.field == path.replace("[0]", "[]")
    assert path in one.warning
    assert f"{value:.15g}" in one.warning


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=IDS)
def test_both_ends_of_a_range_are_possible(kind: type, name: str) -> None:
    least, most, _ = RANGES[kind][name]
    for value in (least, most):
        if (name, value) != ("total_gb", 0):
            whole, part, _ = context(kind, name, value)
            assert measure(whole)[1] == ()
            assert getattr(part, name) == value
    for value in (least - 0.1, most * 1.001):
        whole, part, _ = context(kind, name, value)
        assert len(measure(whole)[1]) == 1
        assert getattr(part, name) is None


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"cpu": {"percent": 1593.4, "count": 16}},
         f"{METRICS}.cpu.percent: 1593.4 is outside 0 to 100 % and not used"),
        ({"memory": {"used_percent": -1}}, f"{METRICS}.memory.used_percent: -1 is outside 0 to 100 % and not used"),
        ({"devices": [{"temperature": 82505}]}, f"{DEVICES}[0].temperature: 82505 is outside -50 to 150 °C and not used"),
        ({"devices": [{"power_watts": 4294967.295}]},
         f"{DEVICES}[0].power_watts: 4294967.295 is outside 0 to 100000 W and not used"),
        ({"disk": {"free_gb": -0.5}}, f"{METRICS}.disk.free_gb: -0.5 is outside 0 to 1000000000 GB and not used"),
        ({"disk": {"free_gb": 200, "total_gb": 100}},
         f"{METRICS}.disk.free_gb: 200 is more than total_gb, 100, and not used"),
        ({"memory": {"available_gb": 64.7, "total_gb": 64}},
         f"{METRICS}.memory.available_gb: 64.7 is more than total_gb, 64, and not used"),
        ({"disk": {"total_gb": 0, "free_gb": 3}}, f"{METRICS}.disk.total_gb: 0 is no size and not used"),
        ({"memory": {"total_gb": 0}}, f"{METRICS}.memory.total_gb: 0 is no size and not used"),
    ],
)  # fmt: skip
def test_the_warning_says_what_is_possible(parts: dict[str, Any], text: str) -> None:
    _, dropped = measure(system(**parts))
    assert [one.warning for one in dropped] == [text]


@pytest.mark.parametrize(
    ("disk", "free_percent"),
    [
        ({"total_gb": 200, "free_gb": 50}, 25),
        ({"total_gb": 200, "free_gb": 0}, 0),
        ({"free_gb": 0}, 0),
        ({"free_gb": 1}, None),
        ({"total_gb": 200}, None),
        ({"total_gb": 0, "free_gb": 0}, None),
        ({"total_gb": 2147483632, "free_gb": 10}, None),
        ({"total_gb": 931.5, "free_gb": 931.51}, 100 * 931.51 / 931.5),  # rounded differently
        ({"total_gb": 100, "free_gb": 102}, None),
    ],
)
def test_free_disk(disk: dict[str, float], free_percent: float | None) -> None:
    assert measure(system(disk=disk))[0].disk_free_percent == free_percent


def test_the_other_values_stay() -> None:
    whole = system(
        cpu={"percent": 400, "frequency_mhz": 3200}, memory={"used_percent": 50, "total_gb": 64, "available_gb": 32},
        disk={"used_percent": 20, "total_gb": 10, "free_gb": 99},
        devices=[{"temperature": 70, "memory_utilization": 101}, {"temperature": 2147483632}, {"temperature": 61}],
    )  # fmt: skip
    measured, dropped = measure(whole)
    assert measured == Measurements(None, 50, 20, None, 70)
    fields = [one.field for one in dropped]
    assert set(fields) <= set(FIELDS_OF_REPORTS)
    assert fields == [
        f"{METRICS}.cpu.percent", f"{METRICS}.disk.free_gb",
        f"{DEVICES}[].memory_utilization", f"{DEVICES}[].temperature",
    ]  # fmt: skip
    assert measure(whole) == (measured, ())  # what is left is possible


def test_many_gpus_without_values_need_few_warnings() -> None:
    blank = {"temperature": 2147483632, "memory_utilization": 4294967295}
    whole = system(devices=[{"temperature": 50}] + [blank] * 72)
    _, dropped = measure(whole)
    assert len(dropped) == 2 * MAX_DEVICES + 1
    more = 2 * (72 - MAX_DEVICES)
    assert dropped[-1] == Impossible(DEVICES, f"{DEVICES}: {more} more impossible values of other devices are not used")
    assert whole.gpu_metrics is not None
    assert [one.temperature for one in whole.gpu_metrics.devices or ()] == [50] + [None] * 72


@pytest.mark.parametrize(
    "whole", [None, SystemContext(), system(), system(devices=[]), system(cpu={}, disk={}, memory={})]
)
def test_nothing_is_measured(whole: SystemContext | None) -> None:
    assert measure(whole) == (Measurements(), ())
