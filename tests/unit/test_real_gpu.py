"""What was recorded on a real GPU (tests/fixtures/gpu): the contexts made of it, and the categories of its errors."""

import json
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest
from conftest import ROOT

from exporter import hardware
from exporter.ingest.category import derived_category

pytestmark = pytest.mark.severity
RECORDED = json.loads((ROOT / "tests/fixtures/gpu/h200.json").read_text())
ANSWERS = {
    "nvmlDeviceGetCount": "count", "nvmlDeviceGetName": "name", "nvmlDeviceGetMemoryInfo": "memory",
    "nvmlDeviceGetTemperature": "temperature", "nvmlDeviceGetCurrentClocksEventReasons": "reasons",
    "nvmlDeviceGetTemperatureThreshold": f"threshold_{pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN}",
}  # fmt: skip
CATEGORIES = {
    "oom": "RESOURCE_EXHAUSTED",
    "jax_oom": "RESOURCE_EXHAUSTED",
    "segv": "WORKER_CRASHED",
    "nccl": "NETWORK_TIMEOUT",
    "device_assert": "WORKER_GPU_FAULT",
    "loss_assert": "WORKER_GPU_FAULT",
    "illegal": "WORKER_GPU_FAULT",
    "illegal_torch": "WORKER_GPU_FAULT",
    "misaligned": "WORKER_GPU_FAULT",
    "trap": "WORKER_GPU_FAULT",
}  # fmt: skip  the others are faults of the program that leave the GPU usable


def play(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any]) -> None:
    """Makes NVML answer as it was recorded: a call before `nvmlInit` fails."""
    initialised: list[bool] = []

    def function(key: str) -> Any:
        def ask(*_: Any) -> Any:
            if not initialised:
                raise pynvml.NVMLError(RECORDED["uninitialised"])
            if "error" in answers[key]:
                raise pynvml.NVMLError(answers[key]["error"])
            value = answers[key]["value"]
            return SimpleNamespace(**value) if isinstance(value, dict) else value

        return ask

    monkeypatch.setattr(hardware, "_initialised_in", 0)
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: initialised.append(True))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: index)
    for name, key in ANSWERS.items():
        monkeypatch.setattr(pynvml, name, function(key))


@pytest.mark.parametrize(("state", "used", "celsius"), [("idle", 0.4, 42), ("loaded", 97.1, 63)])
def test_the_contexts_of_a_real_gpu(monkeypatch: pytest.MonkeyPatch, state: str, used: float, celsius: int) -> None:
    """Under load it is at its power limit, which is no throttling."""
    play(monkeypatch, RECORDED[state])
    assert hardware.system_context()["gpu_metrics"] == {
        "count": 1,
        "devices": [{"index": 0, "name": "NVIDIA H200", "memory_utilization": used, "temperature": celsius}],
    }
    assert hardware.hardware_context()["hardware_status"] == {
        "overheating": False, "memory_pressure": state == "loaded", "throttling": False,
    }  # fmt: skip


@pytest.mark.parametrize("error", RECORDED["errors"], ids=lambda error: error["program"])
def test_the_category_of_a_real_error(error: dict[str, str]) -> None:
    found = derived_category(error["type"], error["message"], error["traceback"]).name
    assert found == CATEGORIES.get(error["program"], "UNKNOWN_ERROR")


@pytest.mark.parametrize("line", RECORDED["kernel"])
def test_the_category_of_a_line_of_the_kernel(line: str) -> None:
    found = derived_category("KernelMessage", line, None).name
    assert found == ("WORKER_GPU_FAULT" if "Xid" in line else "UNKNOWN_ERROR")
