"""Machines without errors have gauges, too: of their last heartbeat, and of their hardware."""

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import pytest
from events import event

from exporter.metrics.error_metrics import ErrorMetrics
from exporter.metrics.hardware_reports import STALE_SECONDS
from exporter.metrics.heard import Heard
from exporter.metrics.zero_phase import Scraper
from exporter.store.series import LabelLimits

pytestmark = pytest.mark.dashboard
SCRAPER = Scraper("", "127.0.0.1", 40_000, "Prometheus", True)
SEEN = "distributed_testing_worker_last_seen_timestamp_seconds"
GPU_SEEN = "distributed_testing_worker_gpu_last_seen_timestamp_seconds"
HEAT = "distributed_testing_worker_gpu_temperature_celsius"


def body(celsius: float, **status: bool) -> str:
    system = {"gpu_metrics": {"devices": [{"index": 0, "temperature": celsius}]}}
    return json.dumps({"system_context": system, "hardware_context": {"hardware_status": status}})


class Fleet:
    """Metrics with a clock of their own, in epoch seconds."""

    def __init__(self, workers: int = 10, **more: Any) -> None:
        self.now = 1_800_000_000.0
        self.metrics = ErrorMetrics(
            LabelLimits(workers, 10, 100), longest_scrape_interval=60, clock=lambda: self.now, **more
        )
        self._id = 0

    def fail(self, worker: str, celsius: float, ago: float = 0.0, **status: bool) -> None:
        self._id += 1
        at, received = (dt.datetime.fromtimestamp(moment, dt.UTC) for moment in (self.now - ago, self.now))
        self.metrics.on_events(
            [event(self._id, worker_id=worker, timestamp=at, received_at=received, body=body(celsius, **status))]
        )

    def beat(self, machine: str, celsius: float, *, stopping: bool = False) -> None:
        self.metrics.on_heartbeat(machine, body(celsius).encode(), stopping=stopping)

    def shown(self, name: str) -> dict[str, float]:
        return {sample.labels["worker"]: sample.value for sample in self._samples(name)}

    def conditions(self) -> dict[str, float]:
        name = "distributed_testing_worker_hardware_condition"
        return {sample.labels["condition"]: sample.value for sample in self._samples(name)}

    def _samples(self, name: str) -> Sequence[Any]:
        families = {family.name: family for family in self.metrics.snapshot(SCRAPER, 0.0).collect()}
        return families[name].samples if name in families else []


def test_a_machine_without_errors_is_seen_with_its_hardware_and_has_no_status() -> None:
    fleet = Fleet()
    fleet.beat("node-1", 61)
    assert fleet.shown(SEEN) == {"node-1": fleet.now}
    assert fleet.shown(HEAT) == {"node-1": 61}
    assert fleet.shown("distributed_testing_worker_status") == {}
    fleet.now += STALE_SECONDS
    assert fleet.shown(SEEN) == fleet.shown(HEAT) == {}


def test_of_a_report_and_a_heartbeat_the_later_one_is_shown() -> None:
    fleet = Fleet()
    fleet.fail("node-1", 97)
    fleet.now += 10
    fleet.beat("node-1", 61)
    assert fleet.shown(HEAT) == {"node-1": 61}
    assert fleet.shown(SEEN) == {"node-1": fleet.now}
    fleet.now += 10
    fleet.fail("node-1", 98)
    assert fleet.shown(HEAT) == {"node-1": 98}
    fleet.fail("node-2", 50, ago=-200.0)  # of a clock that is ahead
    fleet.now += 1
    fleet.beat("node-2", 51)
    assert fleet.shown(HEAT)["node-2"] == 51


def test_each_measurement_is_that_of_the_later_of_the_two_that_has_it() -> None:
    fleet = Fleet()
    fleet.fail("node-1", 97, overheating=True, throttling=True)
    reported = fleet.now
    fleet.now += 10
    no_gpu = {"metrics": {"cpu": {"percent": 12}}, "gpu_metrics": {"devices": []}}
    for beat in ({}, {"system_context": None}, {"system_context": no_gpu},
                 {"hardware_context": {"hardware_status": {"throttling": False}}}):  # fmt: skip
        fleet.metrics.on_heartbeat("node-1", json.dumps({"worker_id": "node-1", **beat}).encode())
    fleet.metrics.on_heartbeat(
        "node-1",
        json.dumps({"system_context": no_gpu, "hardware_context": {"hardware_status": {"throttling": False}}}).encode(),
    )
    assert fleet.shown(HEAT) == {"node-1": 97}
    assert fleet.shown("distributed_testing_worker_cpu_utilization_ratio") == {"node-1": 0.12}
    assert fleet.conditions() == {"overheating": 1, "memory_pressure": 0, "throttling": 0}
    assert fleet.shown(SEEN) == {"node-1": fleet.now}
    assert fleet.shown(GPU_SEEN) == {"node-1": reported}, "GPUOverheating must not take the 97 °C for news"
    fleet.beat("node-1", 60)
    assert fleet.shown(HEAT) == {"node-1": 60}
    assert fleet.shown(GPU_SEEN) == {"node-1": fleet.now}


def test_a_machine_that_stops_has_no_state_and_leaves_its_place() -> None:
    fleet = Fleet(workers=2)
    fleet.fail("node-1", 70)
    for name in ("node-1", "node-2"):
        fleet.now += 10
        fleet.beat(name, 61)
    for name in ("node-1", "node-2"):
        fleet.beat(name, 61, stopping=True)
    fleet.beat("node-3", 50)
    assert fleet.shown(HEAT) == {"node-1": 70, "node-3": 50}
    assert fleet.shown(SEEN).keys() == {"node-1", "node-3"}


def test_other_is_no_machine() -> None:
    fleet = Fleet()
    fleet.beat("other", 61)
    assert fleet.shown(SEEN) == fleet.shown(HEAT) == {}


def test_a_machine_keeps_its_gauges_when_it_has_an_error() -> None:
    fleet = Fleet(workers=1)
    fleet.beat("node-1", 61)
    fleet.now += 10
    fleet.fail("node-1", 70)
    assert fleet.shown(SEEN) == {"node-1": fleet.now}
    assert fleet.shown(HEAT) == {"node-1": 70}


def test_workers_with_errors_have_the_places_first() -> None:
    fleet = Fleet(workers=3)
    for number in range(5):
        fleet.beat(f"node-{number}", 61)
    assert list(fleet.shown(HEAT)) == list(fleet.shown(SEEN)) == ["node-0", "node-1", "node-2"]
    fleet.now += 10
    fleet.beat("node-0", 62)
    assert fleet.shown(SEEN)["node-0"] == fleet.now
    fleet.fail("bad-1", 97)
    fleet.fail("bad-2", 97)
    assert fleet.shown(HEAT) == {"node-0": 62, "bad-1": 97, "bad-2": 97}
    fleet.beat("node-1", 62)
    assert "node-1" not in fleet.shown(SEEN)


def test_without_metrics_of_hardware_machines_are_seen() -> None:
    fleet = Fleet(hardware=False)
    fleet.beat("node-1", 61)
    assert list(fleet.shown(SEEN)) == ["node-1"]
    assert fleet.shown(HEAT) == {}


def test_a_snapshot_does_not_change() -> None:
    heard = Heard(10)
    heard.note("a", 1.0, 0)
    before = heard.snapshot((), 2.0)
    heard.note("b", 2.0, 0)
    assert before == {"a": 1.0}
