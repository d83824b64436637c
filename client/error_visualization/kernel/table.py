# ruff: noqa: E501 - a table reads better unbroken
"""The table of kernel lines that are reported. The first row that matches counts.

A row has exactly one line for one fault, also where the kernel writes several: of the lines about an out-of-memory kill,
that which says "Killed process"; of the lines about a PCIe error, that with its severity. Named groups of a pattern: `pci`,
`device` (a disk, an interface), `number`, `process`, `pid`, `detail`. A type may use them in braces.
"""

from __future__ import annotations

import re
from re import Pattern
from typing import Final, NamedTuple

PCI: Final = r"(?P<pci>(?:[0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.[0-7])?)"
LOST: Final = "HARDWARE_NOT_AVAILABLE"  # critical
FAULT: Final = "HARDWARE_FAULT"  # warning, as all other categories of hardware
CRASH: Final = "WORKER_CRASHED"
LINK: Final = "NETWORK_LINK_DOWN"


class Row(NamedTuple):
    """`type` and `category` of the report, None where the service derives it from the message. `kind`: of the device."""

    type: str
    category: str | None
    kind: str
    pattern: Pattern[str]
    noisy: bool = False


def _row(type_: str, category: str | None, kind: str, pattern: str, *, noisy: bool = False) -> Row:
    return Row(type_, category, kind, re.compile(pattern), noisy)


ROWS: Final[tuple[Row, ...]] = (
    # NVIDIA: the number decides, and the service knows the numbers
    _row("XID {number}", None, "gpu", rf"NVRM: Xid \(PCI:{PCI}\): (?P<number>\d+)(?:, pid='?(?P<pid>\d+)'?)?(?:, name=(?P<process>[^,<]+))?"),
    _row("SXid {number}", LOST, "nvswitch", rf"SXid \(PCI:{PCI}\): (?P<number>\d+), Fatal\b"),
    _row("SXid {number}", FAULT, "nvswitch", rf"SXid \(PCI:{PCI}\): (?P<number>\d+)"),
    _row("GPU fallen off the bus", LOST, "gpu", rf"NVRM: (?:The NVIDIA )?GPU (?:at )?(?:PCI:)?{PCI}.*fallen off the bus"),
    _row("GPU fallen off the bus", LOST, "gpu", r"NVRM: .*fallen off the bus"),
    _row("GPU initialisation failed", LOST, "gpu", rf"NVRM: (?:GPU (?:at )?(?:PCI:)?{PCI}.* )?RmInitAdapter failed"),
    # AMD
    _row("amdgpu ring timeout", "WORKER_GPU_FAULT", "gpu", rf"(?:amdgpu {PCI}: .*|amdgpu.*)\bring (?P<detail>\S+) timeout\b"),
    _row("amdgpu reset failed", LOST, "gpu", rf"amdgpu {PCI}: .*(?:GPU reset end with ret = -\d+|GPU (?:reset|recovery)(?:\(\d+\))? failed)"),
    _row("amdgpu reset", FAULT, "gpu", rf"amdgpu {PCI}: .*GPU reset begin"),
    _row("amdgpu uncorrectable memory error", LOST, "gpu", rf"amdgpu {PCI}: .*\b(?P<number>[1-9]\d*) (?:new )?uncorrectable hardware errors? detected"),
    _row("amdgpu page fault", "WORKER_GPU_FAULT", "gpu", rf"amdgpu {PCI}: .*\[\w*hub\d?\] (?:no-retry )?page fault", noisy=True),
    # Memory of the host
    _row("OOM kill", None, "memory", r"[Oo]ut of memory(?: \([^)]*\))?: Killed process (?P<pid>\d+) \((?P<process>[^)]*)\)"),
    _row("EDAC uncorrectable memory error", LOST, "memory", r"EDAC (?P<device>MC\d+): (?P<number>[1-9]\d*) UE "),
    _row("EDAC corrected memory error", "HARDWARE_MEMORY_CORRECTED", "memory", r"EDAC (?P<device>MC\d+): (?P<number>[1-9]\d*) CE ", noisy=True),
    _row("memory failure", LOST, "memory", r"Memory failure: 0x[0-9a-f]+: "),
    _row("machine check", LOST, "cpu", r"mce: \[Hardware Error\]: CPU (?P<device>\d+): Machine Check Exception"),
    _row("machine check", FAULT, "cpu", r"mce: \[Hardware Error\]: CPU (?P<device>\d+): Machine Check", noisy=True),
    _row("fatal hardware error", LOST, "machine", r"\[Hardware Error\]: event severity: fatal"),
    _row("recoverable hardware error", FAULT, "machine", r"\[Hardware Error\]: event severity: recoverable"),
    _row("CPU overheated", "HARDWARE_OVERHEATING", "cpu", r"CPU(?P<device>\d+): (?:Core|Package) temperature (?:is )?above threshold", noisy=True),
    # Disks
    _row("NVMe controller lost", LOST, "disk", r"nvme (?P<device>nvme\d+): (?:controller is down|Removing after probe failure|Device not ready; aborting|Disabling device after reset failure|failed to set APST feature \(-19\))"),
    _row("NVMe timeout", FAULT, "disk", r"nvme (?P<device>nvme\d+): I/O (?:tag )?\d+ .*timeout\b"),
    _row("NVMe error", FAULT, "disk", r"(?P<device>nvme\d+n\d+): (?:I/O Cmd|\w+\(0x\w+\)).*I/O Error \(sct 0x\w+ / sc 0x\w+\)", noisy=True),
    _row("disk error", FAULT, "disk", r"(?:I/O|critical (?:medium|target|space allocation|nexus)|protection) error, dev (?P<device>\w+), sector \d+", noisy=True),
    _row("disk error", FAULT, "disk", r"Buffer I/O error on (?:dev|device) (?P<device>[\w-]+), logical block \d+", noisy=True),
    _row("file system error", FAULT, "disk", r"(?:EXT4-fs|BTRFS|F2FS-fs) (?:error|critical) \(device (?P<device>[\w-]+)(?: state \w+)?\)", noisy=True),
    _row("file system error", FAULT, "disk", r"XFS \((?P<device>[\w-]+)\): (?:.*\bI/O error\b|Corruption|Filesystem has been shut down|.*Shutting down filesystem)"),
    _row("file system read-only", LOST, "disk", r"EXT4-fs \((?P<device>[\w-]+)\): Remounting filesystem read-only"),
    # Network
    _row("mlx5 link down", LINK, "nic", rf"mlx5_core {PCI} (?P<device>[\w.-]+): Link down"),
    _row("mlx5 cable error", FAULT, "nic", rf"mlx5_core {PCI}: .*Port module event(?:\[error\])?: module \d+, Cable error"),
    _row("mlx5 device failed", LOST, "nic", rf"mlx5_core {PCI}: .*(?:Fatal error \d+ detected|device's health compromised|mlx5_error_sw_reset|handling bad device)"),
    # PCIe
    _row("PCIe fatal error", LOST, "pci", rf"{PCI}: PCIe Bus Error: severity=(?:Uncorrected|Uncorrectable) \(Fatal\)"),
    _row("PCIe error", FAULT, "pci", rf"{PCI}: PCIe Bus Error: severity=Uncorrect(?:ed|able) \(Non-Fatal\)"),
    _row("PCIe corrected error", "HARDWARE_PCIE_CORRECTED", "pci", rf"{PCI}: PCIe Bus Error: severity=Correct(?:ed|able)", noisy=True),
    _row("PCIe device gone", LOST, "pci", rf"pcieport {PCI}: pciehp: Slot\([^)]*\): (?:Link Down|Card not present)"),
    # The kernel itself, and programs
    _row("kernel panic", LOST, "machine", r"Kernel panic - not syncing"),
    _row("kernel oops", FAULT, "machine", r"BUG: (?:unable to handle|kernel NULL pointer)|general protection fault, |Oops: "),
    _row("soft lockup", FAULT, "machine", r"watchdog: BUG: soft lockup - CPU#\d+ stuck for|NMI watchdog: Watchdog detected hard LOCKUP"),
    _row("hung task", FAULT, "machine", r"INFO: task (?P<process>.+):(?P<pid>\d+) blocked for more than \d+ seconds"),
    _row("RCU stall", FAULT, "machine", r"rcu: INFO: rcu_\w+ (?:self-)?detected (?:expedited )?stalls?"),
    _row("segmentation fault", None, "program", r"(?P<process>\S{1,32})\[(?P<pid>\d+)\]: segfault at [0-9a-f]+ ip "),
)  # fmt: skip
