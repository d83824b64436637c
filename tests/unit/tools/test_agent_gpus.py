"""The GPUs of a machine, asked of a fake NVML in a process of its own."""

import json
import os
import signal
import time
from typing import Any

import pytest
from conftest import ROOT
from error_visualization.agent.gpus import Gpus, GpuWatch, Probe

pytestmark = pytest.mark.dashboard
FAKE = ROOT / "tests" / "fixtures" / "fake_nvml"


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PYTHONPATH", str(FAKE))

    def ask(seconds: float = 10.0, **given: Any) -> Gpus:
        monkeypatch.setenv("FAKE_NVML", json.dumps(given))
        return Probe(seconds=seconds).ask()

    return ask


def test_what_a_gpu_says(ask: Any) -> None:
    found = ask(gpus=2, throttled=[1])
    assert (found.problem, found.hung, found.driver, found.absent) == ("", None, "570.86.15", False)
    first, second = found.devices
    assert first == {
        "index": 0, "name": "NVIDIA H100 80GB HBM3", "uuid": "GPU-00000000", "serial": "1600000000000", "pci": "00000000:3B:00.0",
        "temperature": 61, "overheating": False, "power_watts": 402.5, "power_limit_watts": 700.0, "clock_mhz": 1980, "memory_clock_mhz": 2619,
        "utilization": 97, "throttle_reasons": [], "ecc_corrected": 0, "ecc_uncorrected": 3, "memory_total_mb": 81920,
        "memory_used_mb": 61440, "memory_utilization": 75.0,
    }  # fmt: skip
    assert second["throttle_reasons"] == ["hardware slowdown", "hardware thermal"]


def test_a_gpu_near_its_slowdown_temperature_overheats(ask: Any) -> None:
    cool, hot, silent = (ask(gpus=1, **of).devices[0] for of in (
        {}, {"hot": [0]}, {"unsupported": ["nvmlDeviceGetTemperatureThreshold"]}))  # fmt: skip
    assert (cool["overheating"], hot["overheating"]) == (False, True)
    assert "overheating" not in silent


def test_an_old_library(ask: Any) -> None:
    (found,) = ask(gpus=1, old=True).devices
    assert found["name"] == "NVIDIA H100 80GB HBM3"
    assert found["throttle_reasons"] == []
    assert "mig" not in found
    assert "errors" not in found


def test_what_is_not_supported_is_absent_and_what_is_denied_is_said(ask: Any) -> None:
    (found,) = ask(gpus=1, unsupported=["nvmlDeviceGetTotalEccErrors"], denied=["nvmlDeviceGetSerial"]).devices
    assert "ecc_corrected" not in found
    assert found["errors"] == {"serial": "Insufficient Permissions"}
    assert found["temperature"] == 61


def test_mig(ask: Any) -> None:
    plain, split = ask(gpus=2, mig=[1], unsupported=["nvmlDeviceGetUtilizationRates"]).devices
    assert "mig" not in plain
    assert [device["uuid"] for device in split["mig"]] == ["MIG-1-0", "MIG-1-1"]
    assert "utilization" not in split


@pytest.mark.parametrize(("error", "absent"), [(9, True), (12, True), (4, False), (999, False)])
def test_no_nvml(ask: Any, error: int, absent: bool) -> None:
    found = ask(init=error)
    assert found.devices == []
    assert found.problem
    assert found.absent is absent


def test_a_lost_gpu_leaves_the_others(ask: Any) -> None:
    devices = ask(gpus=3, lost=[1]).devices
    assert [(device["index"], device.get("lost", False)) for device in devices] == [(0, False), (1, True), (2, False)]


@pytest.mark.parametrize(("hang", "known"), [(2, 2), (0, 0), (-1, 0)])
def test_a_hang_is_ended_and_the_gpu_named(ask: Any, hang: int, known: int) -> None:
    begun = time.monotonic()
    found = ask(2.0, gpus=4, hang=hang)
    assert time.monotonic() - begun < 4
    assert (len(found.devices), found.hung) == (known, hang)
    assert "hangs" in found.problem


def test_a_crash_of_the_library(ask: Any) -> None:
    found = ask(gpus=3, crash=1)
    assert (len(found.devices), found.problem) == (1, "the process that asks NVML crashed")


def test_while_a_process_cannot_be_killed_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    monkeypatch.setattr(subprocess.Popen, "kill", lambda _: None)
    probe = Probe(["sleep", "60"], seconds=0.1)
    assert probe.ask().hung == -1
    stuck = probe._stuck
    assert stuck
    assert "still hangs" in probe.ask().problem
    os.kill(stuck.pid, signal.SIGKILL)
    stuck.wait()
    assert "still hangs" not in probe.ask().problem
    assert probe._stuck
    os.kill(probe._stuck.pid, signal.SIGKILL)
    probe._stuck.wait()


def gpus(*indexes: int, lost: tuple[int, ...] = (), hung: int | None = None, problem: str = "") -> Gpus:
    devices = [
        {"index": index, "lost": True} if index in lost else {"index": index, "uuid": f"GPU-{index}", "pci": f"00000000:{index:02}:00.0"}
        for index in indexes
    ]  # fmt: skip
    return Gpus(devices, problem, hung)


def changes(watch: GpuWatch, found: Gpus) -> list[tuple[str, list[Any]]]:
    return [(report["type"], report.get("devices", [])) for report in watch.changes(found)]


def test_each_loss_is_told_once() -> None:
    watch = GpuWatch()
    one = [{"kind": "gpu", "uuid": "GPU-1", "index": 1, "pci": "0000:01:00.0"}]
    assert changes(watch, gpus(0, 1)) == []
    assert changes(watch, gpus(0, 1, lost=(1,))) == [("GPU is lost", one)]
    assert changes(watch, gpus(0, 1, lost=(1,))) == []
    assert changes(watch, gpus(0, 1)) == []
    assert changes(watch, gpus(0, 1, lost=(1,))) == [("GPU is lost", one)]


def test_a_gpu_that_is_taken_out() -> None:
    watch = GpuWatch()
    watch.changes(gpus(0, 1))
    assert changes(watch, Gpus([], "Driver Not Loaded")) == []  # that does not say which are gone
    assert changes(watch, gpus(0)) == [
        ("GPU is gone", [{"kind": "gpu", "uuid": "GPU-1", "index": 1, "pci": "0000:01:00.0"}])
    ]
    assert changes(watch, gpus(0)) == []


def test_indexes_move_when_a_gpu_is_taken_out() -> None:
    watch = GpuWatch()
    watch.changes(gpus(0, 1))
    left = Gpus([{"index": 0, "uuid": "GPU-1", "pci": "00000000:01:00.0"}])
    assert [devices[0]["uuid"] for _, devices in changes(watch, left)] == ["GPU-0"]


def test_a_hang_is_told_once_with_its_gpu() -> None:
    watch = GpuWatch()
    watch.changes(gpus(0, 1))
    hang = gpus(0, hung=1, problem="NVML hangs at GPU 1")
    assert [kind for kind, _ in changes(watch, hang)] == ["NVML hangs"]
    assert changes(watch, hang) == []
    assert changes(watch, gpus(0, 1)) == []
    assert len(changes(watch, hang)) == 1


def test_the_device_of_a_kernel_line_is_known() -> None:
    watch = GpuWatch()
    watch.changes(gpus(0, 1))
    assert watch.identity("0000:01:00.0") == {"uuid": "GPU-1", "index": 1}
    assert watch.identity("0000:07:00.0") == {}
