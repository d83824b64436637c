"""Why a worker of pytest-xdist died: from the status of its process, its control group and the kernel's log."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from error_visualization.pytest_plugin import crash
from error_visualization.pytest_plugin.crash import Cause, Watch
from error_visualization.pytest_plugin.kernel import KernelLog, oom_killed, relevant

pytestmark = pytest.mark.dashboard

SEGFAULT = "4,1200,100000000,-;python[417]: segfault at 0 ip 00007f sp 00007f error 4 in libc.so.6\n SUBSYSTEM=x"
OOM = "3,1201,100500000,-;Memory cgroup out of memory: Killed process 417 (python) total-vm:9kB"
XID = "4,1202,101000000,-;NVRM: Xid (PCI:0000:65:00): 79, GPU has fallen off the bus."
OTHER = "6,1203,101000000,-;eth0: link up 4170"


def node(process: Any, name: str = "gw0", popen: bool = True) -> Any:
    return SimpleNamespace(
        gateway=SimpleNamespace(id=name, spec=SimpleNamespace(popen=popen), _io=SimpleNamespace(popen=process))
    )


def ended(status: int | None) -> Any:
    return SimpleNamespace(pid=417, poll=lambda: status)


def test_lines_of_the_kernel() -> None:
    records = [SEGFAULT, OOM, XID, OTHER, "cut", ""]
    assert [line.split()[0] for line in relevant(records, 417, 102.0)] == ["python[417]:", "Memory", "NVRM:"]
    assert [line.split()[0] for line in relevant(records, 5, 102.0)] == ["Memory", "NVRM:"]  # of these seconds
    assert relevant(records, 5, 500.0) == []
    assert relevant([XID], None, 102.0)
    lines = relevant(records, 417, 102.0)
    assert oom_killed(lines, 417)
    assert not oom_killed(lines, 41)


def test_a_kernel_log_that_cannot_be_read(tmp_path: Path) -> None:
    log = KernelLog(str(tmp_path / "nothing"))
    assert log.about(1) == []
    log.close()
    log.close()


@pytest.mark.parametrize(
    ("process", "kind", "text"),
    [
        (ended(-11), "signal", "was killed by SIGSEGV"),
        (ended(-9), "signal", "was killed by SIGKILL"),
        (ended(-34), "signal", "was killed by SIGRTMIN"),
        (ended(-99), "signal", "was killed by signal 99"),
        (ended(3), "exit", "ended without a word with exit code 3"),
        (ended(0), "exit", "ended without a word with exit code 0"),
        (ended(None), "lost", "lost its connection"),
        (None, "lost", "lost its connection"),
    ],
)
def test_the_status_of_the_process(process: Any, kind: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash, "WAIT", 0.01)
    watch = Watch()
    watch.begin(node(process))
    cause = watch.cause(node(process))
    watch.close()
    assert (cause.kind, cause.text[: len(text)]) == (kind, text)
    fields = cause.fields("gw0", "test_a.py::test_b", True)
    assert fields["message"].startswith(f"pytest worker gw0 {text}")
    assert fields["message"].endswith("while it ran test_a.py::test_b")
    assert fields["error_category"] == "WORKER_CRASHED"


def test_a_worker_on_another_machine() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])  # of ssh, whose status says nothing about the worker
    process.wait()
    assert Watch().cause(node(process, popen=False)) == Cause("lost")
    assert Watch().cause(SimpleNamespace(gateway=SimpleNamespace(id="gw0"))) == Cause("lost")


def test_each_kill_of_the_group_explains_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    kills = [4]
    monkeypatch.setattr(crash, "OomCounter", lambda pid: SimpleNamespace(paths=("group",), kills=lambda: kills[0]))
    watch = Watch()
    workers = [node(ended(-9), f"gw{number}") for number in range(4)]
    for worker in workers[:3]:
        watch.begin(worker)
    assert watch.cause(workers[0]).kind == "signal"
    kills[0] = 5
    assert watch.cause(node(ended(-11), "gw9")).kind == "signal"
    assert watch.cause(workers[1]).kind == "oom"
    watch.begin(workers[3])
    assert watch.cause(workers[3]).kind == "signal"
    kills[0] = 6
    assert watch.cause(workers[2]).kind == "oom"
    assert Cause("oom", -9).fields("gw2", None, False)["type"] == "WorkerOutOfMemory"


def test_the_kernel_names_the_process() -> None:
    watch = Watch()
    watch._kernel = SimpleNamespace(
        about=lambda pid: ["Out of memory: Killed process 417 (python)"], close=lambda: None
    )  # type: ignore[assignment]
    cause = watch.cause(node(ended(-9)))
    assert (cause.kind, cause.kernel) == ("oom", ("Out of memory: Killed process 417 (python)",))
