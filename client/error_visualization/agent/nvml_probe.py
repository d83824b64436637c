"""Asks NVML about the GPUs of this machine, in a process of its own: NVML may hang in the driver.

`python -m error_visualization.agent.nvml_probe` writes one JSON object a line:

    {"driver": "570.86"}                       first
    {"asking": 0}                              before a GPU is asked; a hang is therefore known by its GPU
    {"index": 0, "uuid": "GPU-…", …}           what it answered
    {"error": "Insufficient Permissions"}      why there are no GPUs
    {"done": true}                             last
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

from error_visualization.nvml import MARGIN

THROTTLED: Final = {  # bits of nvmlDeviceGetCurrentClocksEventReasons; 1 is "idle" and 2 "application clocks"
    0x4: "power cap", 0x8: "hardware slowdown", 0x10: "sync boost", 0x20: "software thermal", 0x40: "hardware thermal",
    0x80: "power brake", 0x100: "display clocks",
}  # fmt: skip
LOST: Final = 15  # NVML_ERROR_GPU_IS_LOST
MAX_MIG: Final = 8
MEBIBYTE: Final = 2**20


def answers(nvml: Any) -> Iterator[dict[str, Any]]:
    """Yields the objects, of the module `pynvml` or one like it."""
    try:
        nvml.nvmlInit()
        yield {"driver": _said(nvml.nvmlSystemGetDriverVersion)}
        count = nvml.nvmlDeviceGetCount()
    except Exception as error:
        yield {"error": str(error) or type(error).__name__}
        return
    for index in range(count):
        yield {"asking": index}
        yield _gpu(nvml, index)
    yield {"done": True}


def _gpu(nvml: Any, index: int) -> dict[str, Any]:
    """Returns what a GPU says. What it does not say is absent; `errors` has why, except that it has no such value."""
    found: dict[str, Any] = {"index": index}
    errors: dict[str, str] = {}

    def ask(name: str, question: Callable[[], Any]) -> Any:
        try:
            answer = question()
        except Exception as error:
            if "Not Supported" not in str(error) and not isinstance(error, AttributeError):
                errors[name] = str(error) or type(error).__name__
            if getattr(error, "value", None) == LOST:
                found["lost"] = True
            return None
        if answer is not None:
            found[name] = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
        return answer

    handle = ask("handle", lambda: nvml.nvmlDeviceGetHandleByIndex(index))
    found.pop("handle", None)
    if handle is not None:
        ask("name", lambda: nvml.nvmlDeviceGetName(handle))
        ask("uuid", lambda: nvml.nvmlDeviceGetUUID(handle))
        ask("serial", lambda: nvml.nvmlDeviceGetSerial(handle))
        ask("pci", lambda: _text(nvml.nvmlDeviceGetPciInfo(handle).busId))
        celsius = ask("temperature", lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
        if celsius is not None:
            ask("overheating", lambda: celsius >= _slowdown_celsius(nvml, handle) - MARGIN)
        ask("power_watts", lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000)
        ask("power_limit_watts", lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000)
        ask("clock_mhz", lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM))
        ask("memory_clock_mhz", lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM))
        ask("utilization", lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        ask("throttle_reasons", lambda: _reasons(nvml, handle))
        ask("ecc_corrected", lambda: _ecc(nvml, handle, nvml.NVML_MEMORY_ERROR_TYPE_CORRECTED))
        ask("ecc_uncorrected", lambda: _ecc(nvml, handle, nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED))
        memory = ask("memory", lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
        found.pop("memory", None)
        if memory is not None and memory.total:
            found["memory_total_mb"] = memory.total // MEBIBYTE
            found["memory_used_mb"] = memory.used // MEBIBYTE
            found["memory_utilization"] = round(100 * memory.used / memory.total, 1)
        ask("mig", lambda: _mig(nvml, handle))
    if errors:
        found["errors"] = errors
    return found


def _reasons(nvml: Any, handle: Any) -> list[str]:
    ask = (
        getattr(nvml, "nvmlDeviceGetCurrentClocksEventReasons", None) or nvml.nvmlDeviceGetCurrentClocksThrottleReasons
    )
    bits = ask(handle)
    return [name for bit, name in THROTTLED.items() if bits & bit]


def _slowdown_celsius(nvml: Any, handle: Any) -> int:
    return int(nvml.nvmlDeviceGetTemperatureThreshold(handle, nvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN))


def _ecc(nvml: Any, handle: Any, kind: int) -> int:
    return int(nvml.nvmlDeviceGetTotalEccErrors(handle, kind, nvml.NVML_VOLATILE_ECC))


def _mig(nvml: Any, handle: Any) -> list[dict[str, Any]] | None:
    """Returns the MIG devices of a GPU, None if MIG is off."""
    current, _ = nvml.nvmlDeviceGetMigMode(handle)
    if not current:
        return None
    devices = []
    for number in range(min(nvml.nvmlDeviceGetMaxMigDeviceCount(handle), MAX_MIG)):
        try:
            device = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
        except Exception:  # a place without a device
            continue
        memory = nvml.nvmlDeviceGetMemoryInfo(device)
        devices.append({
            "uuid": _text(nvml.nvmlDeviceGetUUID(device)),
            "memory_total_mb": memory.total // MEBIBYTE,
            "memory_used_mb": memory.used // MEBIBYTE,
        })  # fmt: skip
    return devices


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace").rstrip("\0") if isinstance(value, bytes) else value


def _said(question: Callable[[], Any]) -> Any:
    try:
        return _text(question())
    except Exception as error:
        return str(error)


def main() -> int:
    """Writes the answers; returns 0."""
    try:
        import pynvml
    except ImportError:
        print(json.dumps({"error": "nvidia-ml-py is not installed"}), flush=True)
        return 0
    for answer in answers(pynvml):
        print(json.dumps(answer, default=str), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
