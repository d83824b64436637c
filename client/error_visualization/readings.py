"""CPU, memory and disk of this machine, with psutil if it is installed."""

from __future__ import annotations

import contextlib
import os
from typing import Any

GIGABYTE = 2**30
_last_times: Any = None  # cumulative CPU times at the last reading


def read() -> dict[str, Any]:
    """Returns the `metrics` of a `system_context`, in percent, GB (2^30 bytes) and MHz; {} without psutil. The CPU load
    is the average since the last reading. What the machine does not say is left out. It may hang as the disk does."""
    try:
        import psutil
    except ImportError:
        return {}
    return {"cpu": _cpu(psutil), "memory": _memory(psutil), "disk": _disk(psutil)}


def _cpu(psutil: Any) -> dict[str, Any]:
    global _last_times
    found: dict[str, Any] = {}
    with contextlib.suppress(Exception):
        found["count"] = psutil.cpu_count()
        found["physical_count"] = psutil.cpu_count(logical=False)
        times, previous = psutil.cpu_times(), _last_times
        _last_times = times
        percent = busy_percent(previous, times)
        if percent is not None:
            found["percent"] = percent
        frequency = psutil.cpu_freq()
        found["frequency_mhz"] = frequency.current if frequency else None
    return found


def busy_percent(before: Any, after: Any) -> float | None:
    """Returns the share of time that the CPUs were busy between two results of `psutil.cpu_times()`."""
    if before is None:
        return None
    # Linux counts guest time in user time, too
    fields = [name for name in after._fields if name not in ("guest", "guest_nice")]
    passed = {name: max(getattr(after, name) - getattr(before, name), 0.0) for name in fields}
    total = sum(passed.values())
    idle = passed.get("idle", 0.0) + passed.get("iowait", 0.0)
    return round(100 * (total - idle) / total, 1) if total > 0 else None


def _memory(psutil: Any) -> dict[str, Any]:
    with contextlib.suppress(Exception):
        memory = psutil.virtual_memory()
        return {
            "used_percent": memory.percent,
            "total_gb": round(memory.total / GIGABYTE, 2),
            "available_gb": round(memory.available / GIGABYTE, 2),
        }
    return {}


def _disk(psutil: Any) -> dict[str, Any]:
    with contextlib.suppress(Exception):
        disk = psutil.disk_usage(os.getcwd())
        return {
            "used_percent": disk.percent,
            "total_gb": round(disk.total / GIGABYTE, 2),
            "free_gb": round(disk.free / GIGABYTE, 2),
        }
    return {}
