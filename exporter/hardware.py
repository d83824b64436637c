"""Reads the state of this machine with psutil and, for NVIDIA GPUs, NVML, as the contexts of a report
(docs/reporting.md).

Values that a machine does not provide are left out or None; no function raises because of them.
"""

import contextlib
import os
import platform
import socket
import threading
from collections.abc import Iterator
from typing import Any, Final

import psutil
import pynvml

GIGABYTE: Final = 2**30
PRESSURE: Final = 95.0  # percent of used memory, of the host or a GPU, above which memory pressure is reported
MARGIN: Final = 2  # °C: a GPU counts as overheating from this far below its slowdown temperature
_SLOWED: Final = (
    pynvml.nvmlClocksEventReasonSwThermalSlowdown
    | pynvml.nvmlClocksThrottleReasonHwSlowdown
    | pynvml.nvmlClocksThrottleReasonHwThermalSlowdown
    | pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown
)
_lock = threading.Lock()
_initialised_in = 0  # id of the process that initialised NVML; a forked process has to do so again
psutil.cpu_percent(None)  # starts the measurement; otherwise the first call in this thread would return 0


def system_context() -> dict[str, Any]:
    """Returns the `system_context` of a report, in percent, GB (2^30 bytes), MHz and °C. The CPU load is the average
    since the previous call in the same thread, or since import; in another thread, the first call returns about 0."""
    context: dict[str, Any] = {
        "hostname": socket.gethostname(),
        "platform": platform.system().lower(),
        "architecture": platform.machine(),
        "python_version": platform.python_version(),
        "metrics": {"cpu": _cpu(), "memory": _memory(), "disk": _disk()},
    }
    devices = [_device(index, handle) for index, handle in _handles()]
    if devices:
        context["gpu_metrics"] = {"count": len(devices), "devices": devices}
    return context


def hardware_context() -> dict[str, Any]:
    """Returns the `hardware_context` of a report: hardware types, and whether the machine overheats, throttles or is
    under memory pressure."""
    handles = list(_handles())
    pressed = [_device(index, handle).get("memory_utilization", 0.0) > PRESSURE for index, handle in handles]
    return {
        "hardware_type": "cuda" if handles else "cpu",
        "hardware_types": ["cuda", "cpu"] if handles else ["cpu"],
        "hardware_status": {
            "overheating": any(_overheats(handle) for _, handle in handles),
            "memory_pressure": any(pressed) or _memory().get("used_percent", 0.0) > PRESSURE,
            "throttling": any(_throttles(handle) for _, handle in handles),
        },
    }


def _cpu() -> dict[str, Any]:
    found: dict[str, Any] = {"percent": psutil.cpu_percent(None), "count": psutil.cpu_count()}
    with contextlib.suppress(OSError, RuntimeError, AttributeError, NotImplementedError):
        found["physical_count"] = psutil.cpu_count(logical=False)
        frequency = psutil.cpu_freq()
        found["frequency_mhz"] = frequency.current if frequency else None
    return found


def _memory() -> dict[str, Any]:
    with contextlib.suppress(OSError, RuntimeError):
        memory = psutil.virtual_memory()
        return {
            "used_percent": memory.percent,
            "total_gb": round(memory.total / GIGABYTE, 2),
            "available_gb": round(memory.available / GIGABYTE, 2),
        }
    return {}


def _disk() -> dict[str, Any]:
    with contextlib.suppress(OSError):
        disk = psutil.disk_usage(os.getcwd())  # noqa: PTH109 - the disk that the tests write to
        return {
            "used_percent": disk.percent,
            "total_gb": round(disk.total / GIGABYTE, 2),
            "free_gb": round(disk.free / GIGABYTE, 2),
        }
    return {}


def _handles() -> Iterator[tuple[int, Any]]:
    """Yields the index and the NVML handle of each NVIDIA GPU that NVML can access."""
    global _initialised_in
    try:
        with _lock:
            if _initialised_in != os.getpid():
                pynvml.nvmlInit()
                _initialised_in = os.getpid()
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError:
        return
    for index in range(count):
        with contextlib.suppress(pynvml.NVMLError):
            yield index, pynvml.nvmlDeviceGetHandleByIndex(index)


def _device(index: int, handle: Any) -> dict[str, Any]:
    device: dict[str, Any] = {"index": index}
    with contextlib.suppress(pynvml.NVMLError):
        name = pynvml.nvmlDeviceGetName(handle)
        device["name"] = name.decode(errors="replace") if isinstance(name, bytes) else name
    with contextlib.suppress(pynvml.NVMLError, ZeroDivisionError):
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        device["memory_utilization"] = round(100 * memory.used / memory.total, 1)
    with contextlib.suppress(pynvml.NVMLError):
        device["temperature"] = pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)
    return device


def _overheats(handle: Any) -> bool:
    with contextlib.suppress(pynvml.NVMLError):
        limit = pynvml.nvmlDeviceGetTemperatureThreshold(handle, pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN)
        return bool(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU) >= limit - MARGIN)
    return False


def _throttles(handle: Any) -> bool:
    with contextlib.suppress(pynvml.NVMLError):
        return bool(pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle) & _SLOWED)
    return False
