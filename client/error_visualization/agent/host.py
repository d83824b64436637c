"""CPU, memory, disk and network of this machine, from /proc; nothing of it is needed from psutil."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

GIGABYTE: Final = 2**30
MAX_INTERFACES: Final = 32


class Host:
    """Reads the state of the machine. Rates are averages since the call before; the first one has none. `proc` is
    where procfs is mounted, `disk` a folder on the disk to watch. Values that cannot be read are absent."""

    def __init__(self, proc: str = "/proc", disk: str = "/") -> None:
        self._proc, self._disk = Path(proc), disk
        self._cpu: tuple[int, int] | None = None
        self._network: dict[str, tuple[int, int]] = {}
        self._at = 0.0

    def metrics(self) -> dict[str, Any]:
        """Returns the `metrics` of a report's `system_context`: percent, GB (2^30 bytes), and `network` in bytes/s."""
        now = time.monotonic()
        seconds, self._at = now - self._at, now
        found = {
            "cpu": self._load(),
            "memory": self._memory(),
            "disk": self._space(),
            "network": self._traffic(seconds),
        }
        return {name: value for name, value in found.items() if value}

    def _load(self) -> dict[str, Any]:
        found: dict[str, Any] = {"count": os.cpu_count()}
        words = self._text("stat").split("\n", 1)[0].split()
        if len(words) > 5 and words[0] == "cpu":
            ticks = [int(word) for word in words[1:9]]
            total, idle = sum(ticks), ticks[3] + ticks[4]
            if self._cpu and total > self._cpu[0]:
                busy = 1 - (idle - self._cpu[1]) / (total - self._cpu[0])
                found["percent"] = round(100 * min(max(busy, 0.0), 1.0), 1)
            self._cpu = total, idle
        load = self._text("loadavg").split()
        if load:
            found["load_1m"] = float(load[0])
        return found

    def _memory(self) -> dict[str, Any]:
        sizes = {}
        for line in self._text("meminfo").splitlines():
            name, _, value = line.partition(":")
            if value.split()[:1] and value.split()[0].isdigit():
                sizes[name] = int(value.split()[0]) * 1024
        total = sizes.get("MemTotal", 0)
        if not total:
            return {}
        available = sizes.get("MemAvailable", sizes.get("MemFree", 0))
        return {
            "used_percent": round(100 * (1 - available / total), 1),
            "total_gb": round(total / GIGABYTE, 2),
            "available_gb": round(available / GIGABYTE, 2),
        }

    def _space(self) -> dict[str, Any]:
        try:
            disk = os.statvfs(self._disk)
        except OSError:
            return {}
        total, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
        used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
        if not total or not used + free:
            return {}
        return {
            "used_percent": round(100 * used / (used + free), 1),
            "total_gb": round(total / GIGABYTE, 2),
            "free_gb": round(free / GIGABYTE, 2),
        }

    def _traffic(self, seconds: float) -> dict[str, Any]:
        found: dict[str, Any] = {}
        earlier, self._network = self._network, {}
        for line in self._text("net/dev").splitlines()[2:]:
            name, _, rest = line.partition(":")
            name, words = name.strip(), rest.split()
            if name == "lo" or len(words) < 16 or len(found) >= MAX_INTERFACES:
                continue
            received, sent = int(words[0]), int(words[8])
            self._network[name] = received, sent
            found[name] = {"errors": int(words[2]) + int(words[10]), "dropped": int(words[3]) + int(words[11])}
            if name in earlier and seconds > 0:
                rates = received - earlier[name][0], sent - earlier[name][1]
                found[name]["received_bytes_per_second"] = max(0, round(rates[0] / seconds))
                found[name]["sent_bytes_per_second"] = max(0, round(rates[1] / seconds))
        return found

    def _text(self, name: str) -> str:
        try:
            return (self._proc / name).read_text("utf-8", "replace")
        except OSError:
            return ""
