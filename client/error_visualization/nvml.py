"""Reads the NVIDIA GPUs with NVML and prints them as JSON: `python -m error_visualization.nvml`.

A call of NVML may hang for ever with its driver, so it is made in this process, which another one can give up.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from typing import Any, Callable

SECONDS = 10  # after which this process ends itself
MARGIN = 2  # °C: a GPU counts as overheating from this far below its slowdown temperature
_SLOWED = 0x8 | 0x20 | 0x40 | 0x80  # throttle reasons: hardware slowdown, its own and the driver's heat, power brake


def read(nvml: Any) -> list[dict[str, Any]]:
    """Returns what NVML says of each GPU: index, uuid, serial, pci, name, memory_utilization and utilization (percent),
    temperature (°C), power_watts, clock_mhz, overheating, throttling. What a GPU does not say is left out. `nvml` is
    the module `pynvml`."""
    try:
        nvml.nvmlInit()
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError:
        return []
    return [_gpu(nvml, index) for index in range(count)]


def _gpu(nvml: Any, index: int) -> dict[str, Any]:
    gpu: dict[str, Any] = {"index": index}
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError as error:  # fallen off the bus, or not permitted
        return {**gpu, "problem": str(error)}

    def ask(name: str, of: Callable[[], Any]) -> None:
        with contextlib.suppress(nvml.NVMLError, ZeroDivisionError, AttributeError):
            gpu[name] = of()

    ask("uuid", lambda: _text(nvml.nvmlDeviceGetUUID(handle)))
    ask("serial", lambda: _text(nvml.nvmlDeviceGetSerial(handle)))
    ask("pci", lambda: _text(nvml.nvmlDeviceGetPciInfo(handle).busId))
    ask("name", lambda: _text(nvml.nvmlDeviceGetName(handle)))
    ask("memory_utilization", lambda: _memory_percent(nvml.nvmlDeviceGetMemoryInfo(handle)))
    ask("temperature", lambda: nvml.nvmlDeviceGetTemperature(handle, 0))
    ask("utilization", lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    ask("power_watts", lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000)
    ask("clock_mhz", lambda: nvml.nvmlDeviceGetClockInfo(handle, 1))  # NVML_CLOCK_SM
    ask("overheating", lambda: gpu["temperature"] >= nvml.nvmlDeviceGetTemperatureThreshold(handle, 1) - MARGIN
        if "temperature" in gpu else False)  # fmt: skip
    ask("throttling", lambda: bool(nvml.nvmlDeviceGetCurrentClocksEventReasons(handle) & _SLOWED))
    return gpu


def _memory_percent(memory: Any) -> float:
    return round(100 * float(memory.used) / float(memory.total), 1)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def main() -> int:
    if hasattr(signal, "alarm"):
        signal.alarm(SECONDS)
    try:
        import pynvml
    except ImportError:
        return 1
    json.dump(read(pynvml), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
