"""The contexts of a report, with and without a GPU. The GPU is a stand-in that refuses as NVML does."""

from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from exporter import hardware
from exporter.ingest.parse import parse_report

pytestmark = pytest.mark.dashboard


class FakeNvml:
    """Two GPUs; `missing` names what the second cannot tell."""

    missing: frozenset[str] = frozenset()
    temperature = 70
    used = 40
    reasons = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hardware, "_initialised_in", 0)
        monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 2)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: index)
        answers: dict[str, Any] = {
            "nvmlDeviceGetName": lambda: b"NVIDIA X",
            "nvmlDeviceGetMemoryInfo": lambda: SimpleNamespace(used=self.used, total=80),
            "nvmlDeviceGetTemperature": lambda: self.temperature,
            "nvmlDeviceGetTemperatureThreshold": lambda: 95,
            "nvmlDeviceGetCurrentClocksEventReasons": lambda: self.reasons,
        }
        for name, answer in answers.items():
            monkeypatch.setattr(pynvml, name, self._function(name, answer))

    def _function(self, name: str, answer: Any) -> Any:
        def ask(handle: int, *_: int) -> Any:
            if handle == 1 and name in self.missing:
                raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
            return answer()

        return ask


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    fake = FakeNvml()
    fake.install(monkeypatch)
    return fake


def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(hardware, "_initialised_in", 0)
    monkeypatch.setattr(pynvml, "nvmlInit", absent)


def test_a_machine_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    without_gpu(monkeypatch)
    context = hardware.system_context()
    assert set(context) == {"hostname", "platform", "architecture", "python_version", "metrics"}
    metrics = context["metrics"]
    assert 0 <= metrics["cpu"]["percent"] <= 100
    assert metrics["cpu"]["count"] >= 1
    assert 0 < metrics["memory"]["used_percent"] < 100
    assert 0 < metrics["memory"]["available_gb"] <= metrics["memory"]["total_gb"]
    assert 0 <= metrics["disk"]["free_gb"] <= metrics["disk"]["total_gb"]
    assert hardware.hardware_context() == {
        "hardware_type": "cpu", "hardware_types": ["cpu"],
        "hardware_status": {"overheating": False, "memory_pressure": False, "throttling": False},
    }  # fmt: skip


def test_a_machine_with_gpus(nvml: FakeNvml) -> None:
    assert hardware.system_context()["gpu_metrics"] == {
        "count": 2,
        "devices": [
            {"index": index, "name": "NVIDIA X", "memory_utilization": 50.0, "temperature": 70} for index in (0, 1)
        ],
    }
    assert hardware.hardware_context()["hardware_type"] == "cuda"
    assert hardware.hardware_context()["hardware_types"] == ["cuda", "cpu"]


@pytest.mark.parametrize(
    ("field", "value", "condition"),
    [("temperature", 93, "overheating"), ("used", 77, "memory_pressure"), ("reasons", 0x40, "throttling"),
     ("reasons", 0x8, "throttling"), ("reasons", 0x20, "throttling")],
)  # fmt: skip
def test_trouble_is_told(nvml: FakeNvml, field: str, value: int, condition: str) -> None:
    setattr(nvml, field, value)
    status = hardware.hardware_context()["hardware_status"]
    assert {name for name, holds in status.items() if holds} == {condition}


def test_a_gpu_that_is_idle_or_capped_is_not_throttling(nvml: FakeNvml) -> None:
    nvml.reasons = pynvml.nvmlClocksEventReasonGpuIdle | pynvml.nvmlClocksThrottleReasonSwPowerCap
    assert hardware.hardware_context()["hardware_status"]["throttling"] is False


def test_what_a_gpu_cannot_tell_is_left_out(nvml: FakeNvml) -> None:
    nvml.missing = frozenset({"nvmlDeviceGetMemoryInfo", "nvmlDeviceGetTemperature", "nvmlDeviceGetTemperatureThreshold",
                              "nvmlDeviceGetCurrentClocksEventReasons"})  # fmt: skip
    devices = hardware.system_context()["gpu_metrics"]["devices"]
    assert devices[1] == {"index": 1, "name": "NVIDIA X"}
    assert "temperature" in devices[0]
    hardware.hardware_context()


def test_the_service_takes_it(nvml: FakeNvml) -> None:
    import msgspec

    body = {"worker_id": "w", "message": "m", "system_context": hardware.system_context(),
            "hardware_context": hardware.hardware_context()}  # fmt: skip
    report, _, dropped = parse_report(msgspec.json.encode(body))
    assert not dropped
    assert report.system_context.gpu_metrics.devices[1].temperature == 70
