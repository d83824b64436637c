"""Recognises kernel lines. Pure functions."""

from __future__ import annotations

from typing import Any, NamedTuple

from error_visualization.kernel.table import ROWS

# Most lines of the kernel are no error; a line without one of these words matches no row.
_WORDS = (
    "Xid", "fallen off", "RmInit", "amdgpu", "emory", "EDAC", "ardware Error", "temperature", "nvme", "rror", "Link ",
    "XFS", "read-only", "Shut", "panic", "BUG", "fault", "Oops", "blocked", "rcu", "segfault", "LOCKUP", "pciehp",
)  # fmt: skip


class KernelEvent(NamedTuple):
    """A fault in the kernel's log. `device`: its `kind`, and `pci` if known, for the report's `devices`. `name`: as the
    kernel calls it, such as "nvme0"."""

    type: str
    category: str | None
    kind: str
    device: dict[str, Any]
    name: str | None
    process: str | None
    pid: int | None
    number: int | None
    noisy: bool

    def fields(self, message: str) -> dict[str, Any]:
        """Returns the fields of the report, `message` being the kernel's line."""
        known: dict[str, Any] = {
            "type": self.type,
            "message": message,
            "error_category": self.category,
            "devices": [self.device] if "pci" in self.device else None,
            "kernel": {
                "device": self.name,
                "process": self.process,
                "pid": self.pid,
                "number": self.number,
            },
        }
        known["kernel"] = {name: value for name, value in known["kernel"].items() if value is not None} or None
        return {name: value for name, value in known.items() if value is not None}


def recognise(message: str) -> KernelEvent | None:
    """Returns the fault that a line of the kernel's log is about, None if none. `message` has no time and priority."""
    if not any(word in message for word in _WORDS):
        return None
    for row in ROWS:
        found = row.pattern.search(message)
        if found:
            groups = {name: value for name, value in found.groupdict().items() if value}
            device: dict[str, Any] = {"kind": row.kind}
            if "pci" in groups:
                device["pci"] = normal_pci(groups["pci"])
            number, pid = groups.get("number"), groups.get("pid")
            return KernelEvent(
                row.type.format(**groups), row.category, row.kind, device, groups.get("device"), groups.get("process"),
                int(pid) if pid else None, int(number) if number else None, row.noisy,
            )  # fmt: skip
    return None


def normal_pci(address: str) -> str:
    """Returns a PCI address as Linux writes it, "0000:3b:00.0"; the kernel's lines may lack domain and function, NVML
    has a domain of 8 digits."""
    domain, _, rest = address.lower().rpartition(":")[0].rpartition(":")
    bus, slot = rest, address.lower().rpartition(":")[2]
    if "." not in slot:
        slot += ".0"
    return f"{(domain or '0')[-4:].zfill(4)}:{bus}:{slot}"
