"""The state of this machine as the contexts of a report."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import sys
from typing import Any

from error_visualization import gpus, readings
from error_visualization.sampled import Sampled

PRESSURE = 95.0  # percent of used memory, of the host or a GPU, above which memory pressure is reported
SHOWN = ("index", "name", "memory_utilization", "temperature", "utilization", "power_watts", "clock_mhz", "problem")
READING_SECONDS = 0.02  # for which a report waits for psutil
_metrics: Sampled[dict[str, Any]] = Sampled(readings.read, fresh=1.0, usable=60.0)


def prepare() -> None:
    """Begins to read in the background, so that the first report has the values."""
    _metrics.refresh()
    if gpus.is_possible():
        gpus.sampled.refresh()


def contexts(wait: float = 0.0) -> dict[str, Any]:
    """Returns `system_context`, `hardware_context` and, if there are GPUs, `devices`. Waits at most `wait` seconds for
    the GPUs, if they were not asked yet. Raises nothing."""
    metrics: dict[str, Any] = {}
    found: list[dict[str, Any]] = []
    with contextlib.suppress(Exception):
        metrics = _metrics.value(READING_SECONDS) or {}
        found = (gpus.sampled.value(wait) or []) if gpus.is_possible() else []
    return {
        "system_context": _system_context(metrics, found),
        "hardware_context": _hardware_context(metrics, found),
        **({"devices": _devices(found)} if found else {}),
    }


def _system_context(metrics: dict[str, Any], found: list[dict[str, Any]]) -> dict[str, Any]:
    context: dict[str, Any] = {
        "hostname": socket.gethostname(),
        "platform": {"win32": "windows"}.get(sys.platform, sys.platform),
        "architecture": os.uname().machine if hasattr(os, "uname") else platform.machine(),
        "python_version": platform.python_version(),
    }
    if metrics:
        context["metrics"] = metrics
    if found:
        devices = [{name: gpu[name] for name in SHOWN if name in gpu} for gpu in found]
        context["gpu_metrics"] = {"count": len(found), "devices": devices}
    return context


def _hardware_context(metrics: dict[str, Any], found: list[dict[str, Any]]) -> dict[str, Any]:
    used = [metrics.get("memory", {}).get("used_percent", 0.0), *(gpu.get("memory_utilization", 0.0) for gpu in found)]
    return {
        "hardware_type": "cuda" if found else "cpu",
        "hardware_types": ["cuda", "cpu"] if found else ["cpu"],
        "hardware_status": {
            "overheating": any(gpu.get("overheating") for gpu in found),
            "memory_pressure": any(percent > PRESSURE for percent in used),
            "throttling": any(gpu.get("throttling") for gpu in found),
        },
    }


def _devices(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = ("uuid", "serial", "pci", "index")
    return [{"kind": "gpu", **{name: gpu[name] for name in names if name in gpu}} for gpu in found]
