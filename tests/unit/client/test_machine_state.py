"""The state of the machine: psutil and NVML, asked where they can be given up."""

import json
import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from error_visualization import gpus, machine, nvml, readings
from error_visualization.sampled import Sampled

from exporter.ingest.parse import parse_report

pytestmark = pytest.mark.dashboard
GPU = {"index": 0, "uuid": "GPU-1", "serial": "S", "pci": "0000:01:00.0", "name": "NVIDIA X", "memory_utilization": 97.0,
       "temperature": 70, "utilization": 88, "power_watts": 612.5, "clock_mhz": 1755, "overheating": True,
       "throttling": False}  # fmt: skip


class FakeNvml:
    """Two GPUs; the second has fallen off the bus, and the first cannot say its serial."""

    class NVMLError(Exception):
        pass

    def nvmlInit(self) -> None: ...  # noqa: N802
    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        if index:
            raise self.NVMLError("GPU is lost")
        return index

    def __getattr__(self, name: str) -> Any:
        answers = {
            "nvmlDeviceGetUUID": b"GPU-1", "nvmlDeviceGetPciInfo": SimpleNamespace(busId=b"0000:01:00.0"),
            "nvmlDeviceGetName": "NVIDIA X", "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=40, total=80),
            "nvmlDeviceGetTemperature": 94, "nvmlDeviceGetTemperatureThreshold": 95,
            "nvmlDeviceGetCurrentClocksEventReasons": 0x40, "nvmlDeviceGetPowerUsage": 612_500,
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=88), "nvmlDeviceGetClockInfo": 1755,
        }  # fmt: skip
        if name not in answers:
            raise AttributeError(name)
        return lambda *_: answers[name]


def test_what_nvml_says() -> None:
    first, second = nvml.read(FakeNvml())
    assert first == {"index": 0, "uuid": "GPU-1", "pci": "0000:01:00.0", "name": "NVIDIA X", "memory_utilization": 50.0,
                     "temperature": 94, "utilization": 88, "power_watts": 612.5, "clock_mhz": 1755,
                     "overheating": True, "throttling": True}  # fmt: skip
    assert second == {"index": 1, "problem": "GPU is lost"}


def test_the_gpus_are_asked_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "COMMAND", (sys.executable, "-c", f"print({json.dumps([GPU, 5])!r})"))
    assert gpus.read() == [GPU]
    for code in ("print('no json')", "raise SystemExit(1)", "import os; os.abort()"):
        monkeypatch.setattr(gpus, "COMMAND", (sys.executable, "-c", code))
        assert gpus.read() == []


def test_a_driver_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "SECONDS", 0.3)
    monkeypatch.setattr(gpus, "COMMAND", (sys.executable, "-c", "import time; time.sleep(60)"))
    began = time.monotonic()
    assert gpus.read() == []
    assert time.monotonic() - began < 2
    assert gpus._hung is not None
    assert gpus._hung.poll() is not None  # killed


def test_the_contexts_of_a_machine_with_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "is_possible", lambda: True)
    monkeypatch.setattr(gpus, "sampled", Sampled(lambda: [GPU], 30, 600))
    found = machine.contexts(wait=5)
    assert found["devices"] == [{"kind": "gpu", "uuid": "GPU-1", "serial": "S", "pci": "0000:01:00.0", "index": 0}]
    assert found["system_context"]["gpu_metrics"]["devices"] == [
        {"index": 0, "name": "NVIDIA X", "memory_utilization": 97.0, "temperature": 70, "utilization": 88,
         "power_watts": 612.5, "clock_mhz": 1755},
    ]  # fmt: skip
    assert found["hardware_context"]["hardware_type"] == "cuda"
    status = found["hardware_context"]["hardware_status"]
    assert status == {"overheating": True, "memory_pressure": True, "throttling": False}
    report, _, dropped = parse_report(json.dumps({"worker_id": "w", "message": "m", **found}).encode())
    assert not dropped
    (device,) = report.system_context.gpu_metrics.devices
    assert (device.temperature, device.utilization, device.power_watts, device.clock_mhz) == (70, 88, 612.5, 1755)


def test_readings() -> None:
    deadline = time.monotonic() + 15
    found = readings.read()
    while "percent" not in found.get("cpu", {}) and time.monotonic() < deadline:
        time.sleep(0.05)  # the kernel may not have counted any time since the reading before
        found = readings.read()
    assert 0 <= found["cpu"]["percent"] <= 100
    assert 0 < found["memory"]["used_percent"] < 100
    assert 0 <= found["disk"]["free_gb"] <= found["disk"]["total_gb"]


def test_a_reading_that_hangs_keeps_nobody_waiting_and_the_last_value_stays() -> None:
    hang, released = threading.Event(), threading.Event()
    values = iter([1, 2, 3])

    def read() -> int:
        if hang.is_set():
            released.wait(10)
        return next(values)

    sampled = Sampled(read, fresh=0.0, usable=100)
    assert sampled.value(5) == 1
    hang.set()
    began = time.monotonic()
    assert [sampled.value(0.05) for _ in range(4)] == [1] * 4
    assert time.monotonic() - began < 1
    released.set()
    hang.clear()
    time.sleep(0.05)
    assert sampled.value(5) in (2, 3)


def test_a_value_that_is_too_old_is_none_and_a_failure_is_no_value() -> None:
    def fail() -> int:
        raise OSError

    assert Sampled(fail, 0, 100).value(1) is None
    once = iter([1])
    sampled = Sampled(lambda: next(once), fresh=0.01, usable=0.05)
    assert sampled.value(1) == 1
    time.sleep(0.1)
    assert sampled.value(1) is None
