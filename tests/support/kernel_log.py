"""A kernel log as /dev/kmsg writes it, made by rules from real lines, with the faults that are in it."""

import random
import time
from typing import NamedTuple

# What a kernel says without a fault, also what looks like one.
HARMLESS = (
    "usb {n}-1: new high-speed USB device number {n} using xhci_hcd",
    "nvme nvme{d}: {n}/0/0 default/read/poll queues",
    "nvme{d}n1: p1 p2 p3",
    "mlx5_core 0000:{b:02x}:00.0 ens{d}np0: Link up",
    "mlx5_core 0000:{b:02x}:00.0: firmware version: 28.39.1002",
    "NVRM: loading NVIDIA UNIX x86_64 Kernel Module  570.86.15",
    "nvidia-nvlink: Nvlink Core is being initialized, major device number 510",
    "NVRM: GPU at PCI:0000:{b:02x}:00: GPU-5a8b33c4-7e2f-11ee-b962-0242ac1200{d:02x}",
    "EDAC MC{d}: Giving out device to module skx_edac controller Skylake Socket#0 IMC#0: DEV 0000:3a:0a.0 (INTERRUPT)",
    "EDAC MC: Ver: 3.0.0",
    "mce: CPU0: Thermal monitoring enabled (TM1)",
    "EXT4-fs (nvme{d}n1p2): mounted filesystem 3b0c2f0d with ordered data mode. Quota mode: none.",
    "XFS (nvme{d}n1): Ending clean mount",
    "oom_reaper: reaped process {n} (python3), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
    "python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=c1,mems_allowed=0,oom_memcg=/k,task_memcg=/k,task=python3,pid={n},uid=0",
    "docker0: port {d}(veth{n:x}) entered blocking state",
    "eth{d}: renamed from veth{n:x}",
    "pcieport 0000:00:{d:02x}.0: AER: Corrected error received: 0000:00:{d:02x}.0",
    "pcieport 0000:00:{d:02x}.0:    [ 0] RxErr                  (First)",
    "amdgpu 0000:{b:02x}:00.0: amdgpu: SMU is initialized successfully!",
    "amdgpu 0000:{b:02x}:00.0: amdgpu: GPU reset({n}) succeeded!",
    "audit: type=1400 audit(1700000000.{n}:44): apparmor=\"STATUS\" operation=\"profile_load\" name=\"error-handler\"",
    "systemd[1]: Started Journal Service.",
    "TCP: request_sock_TCP: Possible SYN flooding on port 8080. Sending cookies.",
    "perf: interrupt took too long (2517 > 2500), lowering kernel.perf_event_max_sample_rate",
)  # fmt: skip
# The type of its report, and the line.
FAULTS = (
    ("XID {x}", "NVRM: Xid (PCI:0000:{b:02x}:00): {x}, pid={n}, name=python3, Ch 00000008"),
    ("XID 79", "NVRM: Xid (PCI:0000:{b:02x}:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."),
    ("GPU fallen off the bus", "NVRM: GPU 0000:{b:02x}:00.0: GPU has fallen off the bus."),
    ("GPU initialisation failed", "NVRM: GPU 0000:{b:02x}:00.0: RmInitAdapter failed! (0x24:0xffff:1568)"),
    ("SXid {x}", "nvidia-nvswitch{d}: SXid (PCI:0000:{b:02x}:00.0): {x}, Non-fatal, Link 46 MC TS crumbstore MCTO"),
    ("SXid 24007", "nvidia-nvswitch{d}: SXid (PCI:0000:{b:02x}:00.0): 24007, Fatal, Link 28 sourcetrack timeout error"),
    ("OOM kill", "Memory cgroup out of memory: Killed process {n} (python3) total-vm:9000000kB, anon-rss:8000000kB"),
    ("OOM kill", "Out of memory: Killed process {n} (java) total-vm:9000000kB, anon-rss:8000000kB, file-rss:0kB"),
    ("NVMe timeout", "nvme nvme{d}: I/O {n} (I/O Cmd) QID 3 timeout, aborting req_op:READ(0) size:4096"),
    ("NVMe timeout", "nvme nvme{d}: I/O tag {n} (5006) opcode 0x1 (I/O Cmd) QID 3 timeout, reset controller"),
    ("NVMe controller lost", "nvme nvme{d}: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0x10"),
    ("NVMe error", "nvme{d}n1: I/O Cmd(0x2) @ LBA {n}, 8 blocks, I/O Error (sct 0x2 / sc 0x81) MORE DNR"),
    ("disk error", "blk_update_request: critical medium error, dev sd{c}, sector {n} op 0x0:(READ) flags 0x0"),
    ("disk error", "I/O error, dev nvme{d}n1, sector {n} op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 2"),
    ("file system error", "EXT4-fs error (device sd{c}1): ext4_find_entry:1455: inode #2: comm python3: reading directory"),
    ("file system read-only", "EXT4-fs (sd{c}1): Remounting filesystem read-only"),
    ("EDAC corrected memory error", "EDAC MC{d}: 1 CE memory read error on CPU_SrcID#0_MC#0_Chan#1_DIMM#0 (channel:1 slot:0)"),
    ("EDAC uncorrectable memory error", "EDAC MC{d}: 1 UE memory read error on CPU_SrcID#0_MC#0_Chan#1_DIMM#0 (channel:1)"),
    ("machine check", "mce: [Hardware Error]: CPU {d}: Machine Check: 0 Bank 7: 8c00004000010090"),
    ("mlx5 cable error", "mlx5_core 0000:{b:02x}:00.0: Port module event[error]: module 0, Cable error, Bus stuck (I2C)"),
    ("amdgpu ring timeout", "amdgpu 0000:{b:02x}:00.0: [drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring gfx_0.0.0 timeout, signaled seq={n}"),
    ("amdgpu reset", "amdgpu 0000:{b:02x}:00.0: amdgpu: GPU reset begin!"),
    ("amdgpu reset failed", "amdgpu 0000:{b:02x}:00.0: amdgpu: GPU reset end with ret = -62"),
    ("PCIe corrected error", "pcieport 0000:00:{d:02x}.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)"),
    ("PCIe error", "nvme 0000:{b:02x}:00.0: PCIe Bus Error: severity=Uncorrected (Non-Fatal), type=Transaction Layer, (Requester ID)"),
    ("PCIe fatal error", "pcieport 0000:00:{d:02x}.0: PCIe Bus Error: severity=Uncorrected (Fatal), type=Data Link Layer, (Receiver ID)"),
    ("hung task", "INFO: task kworker/u256:{d}:{n} blocked for more than 120 seconds."),
    ("soft lockup", "watchdog: BUG: soft lockup - CPU#{d} stuck for 22s! [python3:{n}]"),
    ("segmentation fault", "python3[{n}]: segfault at 0 ip 00007f4b3c2a1b2c sp 00007ffd0a1b2c3d error 4 in libtorch.so[7f4b3c000000+2000000]"),
)  # fmt: skip
LINK_DOWN = "mlx5_core 0000:12:00.0 ens1np0: Link down"
XIDS = (13, 31, 43, 45, 48, 63, 64, 74, 79, 92, 94, 95, 119, 120)


class Fault(NamedTuple):
    """A fault in the log: the sequence number of its line, the type of its report, and the line."""

    sequence: int
    type: str
    line: str


def microseconds(ago: float = 0.0) -> int:
    """Returns the time of so many seconds ago as the kernel's log has it. Of a machine that runs for more than a day,
    the first lines of the log are too old to be reported at the first start of an agent, or to be listed."""
    return max(1, int((time.monotonic() - ago) * 1e6))


def kernel_log(lines: int, seed: int, first: int = 100, links: bool = True) -> tuple[str, list[Fault]]:
    """Returns the text of a log with that many lines, beside continuation lines, and its faults. One line in 40 is a
    fault; some faults are repeated word for word. The last line is of a minute ago, unless the machine was started
    since the first one."""
    began = microseconds(0.7 * lines + 60)
    rng = random.Random(seed)
    text: list[str] = []
    faults: list[Fault] = []
    repeated = ("", "")
    for number in range(lines):
        values = {
            "n": rng.randrange(1_000, 60_000), "d": rng.randrange(8), "b": rng.randrange(0x10, 0xF0), "c": rng.choice("abcd"),
            "x": rng.choice(XIDS),
        }  # fmt: skip
        sequence, type_ = first + number, ""
        if links and number and number % 997 == 0:
            type_, line = "mlx5 link down", LINK_DOWN
        elif rng.random() < 1 / 40:
            type_, line = repeated if repeated[0] and rng.random() < 0.2 else rng.choice(FAULTS)
            type_, line = type_.format(**values), line.format(**values)
            repeated = type_, line
        else:
            line = rng.choice(HARMLESS).format(**values)
        priority = 3 if type_ else rng.choice((4, 5, 6, 6))
        text.append(f"{priority},{sequence},{began + number * 700_000},-;{line}\n")
        if type_:
            faults.append(Fault(sequence, type_, line))
        if rng.random() < 0.05:
            text.append(" SUBSYSTEM=pci\n DEVICE=+pci:0000:00:1c.0\n")
    return "".join(text), faults
