"""What a heartbeat says. Pure functions."""

from __future__ import annotations

import platform
import socket
import time
from collections.abc import Mapping
from typing import Any, Final

from error_visualization.agent.gpus import Gpus

PRESSURE: Final = 95.0  # percent of used memory, of the machine or a GPU
THERMAL: Final = ("hardware slowdown", "software thermal", "hardware thermal", "power brake")
SHOWN: Final = ("index", "name", "memory_utilization", "temperature", "utilization", "power_watts", "clock_mhz")


def body_of(
    worker_id: str, interval: float, boot: str, metrics: Mapping[str, Any], gpus: Gpus | None,
    kernel_log: Mapping[str, Any], version: str,
) -> dict[str, Any]:  # fmt: skip
    """Returns the JSON object of `POST /api/heartbeat`. Its contexts have the schema of a report."""
    devices = list(gpus.devices) if gpus else []
    problems = [
        problem for problem in (gpus.problem if gpus and not gpus.absent else "", kernel_log.get("problem")) if problem
    ]
    hot = [device["overheating"] for device in devices if "overheating" in device]
    system: dict[str, Any] = {
        "hostname": socket.gethostname(),
        "platform": platform.system().lower(),
        "architecture": platform.machine(),
        "metrics": dict(metrics),
    }
    if devices:
        shown = [{name: device[name] for name in SHOWN if name in device} for device in devices]
        system["gpu_metrics"] = {"count": len(devices), "devices": shown}
    return {
        "worker_id": worker_id,
        "sent_at": time.time(),
        "interval": interval,
        "boot_id": boot,
        "agent": version,
        "system_context": system,
        "hardware_context": {
            "hardware_type": "cuda" if devices else "cpu",
            "hardware_status": {
                **({"overheating": any(hot)} if hot else {}),
                "throttling": any(_throttles(device) for device in devices),
                "memory_pressure": any(
                    (percent or 0) > PRESSURE
                    for percent in (
                        metrics.get("memory", {}).get("used_percent"),
                        *(device.get("memory_utilization") for device in devices),
                    )
                ),
            },
        },
        "gpus": devices,
        "driver": gpus.driver if gpus else None,
        "kernel_log": dict(kernel_log),
        "problems": problems,
    }


def _throttles(device: Mapping[str, Any]) -> bool:
    return any(reason in THERMAL for reason in device.get("throttle_reasons", ()))
