"""Which lines of the kernel's log are faults: 10,000 lines with a known truth, and each row of the table."""

import pytest
from error_visualization.kernel import recognise
from error_visualization.kernel.recognise import normal_pci
from error_visualization.kernel.table import ROWS
from error_visualization.pipe import kernel_lines
from kernel_log import FAULTS, HARMLESS, LINK_DOWN, kernel_log

pytestmark = pytest.mark.dashboard

MORE = (
    ("mlx5 link down", LINK_DOWN),
    ("GPU fallen off the bus", "NVRM: A GPU crash dump has been created. The GPU has fallen off the bus."),
    ("GPU fallen off the bus", "NVRM: The NVIDIA GPU 0000:3b:00.0 (PCI ID: 10de:2330) installed in this system has fallen off the bus and is not responding"),
    ("amdgpu uncorrectable memory error", "amdgpu 0000:03:00.0: amdgpu: socket: 0, 2 uncorrectable hardware errors detected in umc block"),
    ("amdgpu page fault", "amdgpu 0000:03:00.0: amdgpu: [gfxhub0] no-retry page fault (src_id:0 ring:24 vmid:3 pasid:32770)"),
    ("memory failure", "Memory failure: 0x1f2a3b: recovery action for dirty LRU page: Recovered"),
    ("machine check", "mce: [Hardware Error]: CPU 5: Machine Check Exception: 5 Bank 4: b200000000070f0f"),
    ("fatal hardware error", "{1}[Hardware Error]: event severity: fatal"),
    ("recoverable hardware error", "{1}[Hardware Error]: event severity: recoverable"),
    ("CPU overheated", "CPU3: Core temperature above threshold, cpu clock throttled (total events = 12)"),
    ("disk error", "Buffer I/O error on dev sda1, logical block 0, async page read"),
    ("file system error", "XFS (nvme0n1): metadata I/O error in \"xfs_imap_to_bp\" at daddr 0x80 len 32 error 5"),
    ("mlx5 device failed", "mlx5_core 0000:12:00.0: poll_health:800:(pid 0): Fatal error 3 detected"),
    ("PCIe device gone", "pcieport 0000:00:1c.0: pciehp: Slot(3): Link Down"),
    ("kernel panic", "Kernel panic - not syncing: Fatal exception"),
    ("kernel oops", "BUG: unable to handle page fault for address: ffffa1b2c3d4e5f6"),
    ("RCU stall", "rcu: INFO: rcu_sched self-detected stall on CPU"),
)  # fmt: skip


def test_ten_thousand_lines() -> None:
    text, faults = kernel_log(10_000, seed=14)
    found = []
    for line in text.splitlines():
        entry = kernel_lines.entry(line)
        if entry:
            event = recognise(entry.message)
            if event:
                found.append((entry.fields["kernel"]["sequence"], event.type, entry.message))
    assert len(faults) > 200
    assert found == [tuple(fault) for fault in faults]


def test_each_row_of_the_table_has_a_line() -> None:
    hit = set()
    for type_, line in (*FAULTS, *MORE):
        text = line.format(n=4242, d=3, b=0x3B, c="a", x=31) if "{" in line and not line.startswith("{1}") else line
        event = recognise(text)
        assert event, text
        assert event.type == type_.format(x=31), text
        hit |= {number for number, row in enumerate(ROWS) if row.pattern.search(text)}
    assert [row.pattern.pattern for number, row in enumerate(ROWS) if number not in hit] == []


@pytest.mark.parametrize("line", HARMLESS)
def test_no_fault(line: str) -> None:
    assert recognise(line.format(n=4242, d=3, b=0x3B)) is None


@pytest.mark.parametrize(
    ("written", "normal"),
    [("0000:3b:00", "0000:3b:00.0"), ("3b:00.1", "0000:3b:00.1"), ("00000000:3B:00.0", "0000:3b:00.0"), ("0001:af:00.0", "0001:af:00.0")],
)  # fmt: skip
def test_pci_addresses(written: str, normal: str) -> None:
    assert normal_pci(written) == normal


def test_what_a_report_has() -> None:
    line = "NVRM: Xid (PCI:0000:3b:00): 31, pid=1234, name=python3, Ch 00000008"
    event = recognise(line)
    assert event
    assert event.fields(line) == {
        "type": "XID 31", "message": line, "devices": [{"kind": "gpu", "pci": "0000:3b:00.0"}],
        "kernel": {"process": "python3", "pid": 1234, "number": 31},
    }  # fmt: skip
