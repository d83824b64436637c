"""`error-visualization agent` as a process, with a real service, a fake NVML and a kernel log with a known truth."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from kernel_log import kernel_log, microseconds
from reported import Reported, on_slow_disk

pytestmark = pytest.mark.dashboard
FAKE = ROOT / "tests" / "fixtures" / "fake_nvml"


class Agent:
    """Starts agents one after the other, with the same state."""

    def __init__(self, reported: Reported, folder: Path) -> None:
        self.reported, self.folder, self.log = reported, folder, folder / "kmsg"
        self.log.write_text("")
        self.nvml: dict[str, Any] = {"gpus": 2}
        self.processes: list[subprocess.Popen[bytes]] = []

    def command(self, *options: object) -> list[str]:
        return [
            *self.reported.options("agent"), "--state", str(self.folder / "state"), "--kernel-log", str(self.log),
            "--interval", "0.3", *map(str, options),
        ]  # fmt: skip

    def environ(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(FAKE), "FAKE_NVML": json.dumps(self.nvml)}

    def start(self, *options: object) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(self.command(*options), env=self.environ(), stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def once(self, *options: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command("--once", *options),
            env=self.environ(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def machine(self) -> dict[str, Any] | None:
        found = self.reported.served.get(f"/api/heartbeats?worker={self.reported.worker}")["machines"]
        return found[0] if found else None

    def eventually(self, check: Any) -> Any:
        deadline = time.monotonic() + 20
        while True:
            machine = self.machine()
            if machine and check(machine):
                return machine
            assert time.monotonic() < deadline, machine
            time.sleep(0.1)


@pytest.fixture
def agent(reported: Reported, tmp_path: Path) -> Iterator[Agent]:
    one = Agent(reported, tmp_path)
    yield one
    for process in one.processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_one_round(agent: Agent) -> None:
    text, faults = kernel_log(300, seed=8, links=False)
    agent.log.write_text(text)
    done = agent.once()
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert [(report["type"], report["message"]) for report in agent.reported.reports(len(faults))] == [
        (fault.type, fault.line) for fault in faults
    ]
    machine = agent.machine()
    assert machine
    beat = machine["heartbeat"]
    assert [gpu["uuid"] for gpu in beat["gpus"]] == ["GPU-00000000", "GPU-00000001"]
    assert beat["kernel_log"] == {"problem": None, "lines": 300, "faults": len(faults), "lost": 0}
    assert beat["system_context"]["metrics"]["memory"]["total_gb"] > 0
    assert beat["problems"] == []
    agent.once()
    agent.reported.reports(len(faults))


def test_faults_of_gpus_name_the_device(agent: Agent) -> None:
    agent.log.write_text("")
    agent.start()
    agent.eventually(lambda machine: machine["heartbeat"]["gpus"])
    with agent.log.open("a") as log:
        log.write(f"3,5,{microseconds()},-;NVRM: Xid (PCI:0000:3c:00): 48, pid=1, name=x\n")
    (device,) = agent.reported.report()["devices"]
    assert (device["uuid"], device["serial"], device["index"]) == ("GPU-00000001", "1600000000001", 1)


def test_kills_at_any_time_lose_and_double_no_fault(agent: Agent) -> None:
    rng = random.Random(3)
    text, faults = kernel_log(1_200, seed=9, links=False)
    for part in range(6):
        with agent.log.open("a") as log:
            log.write("".join(text.splitlines(keepends=True)[part * 220 : (part + 1) * 220]))
        process = agent.start("--no-gpus")
        time.sleep(rng.uniform(0.2, 1.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
    with agent.log.open("w") as log:
        log.write(text)
    assert agent.once("--no-gpus").returncode == 0
    found = {report["event_id"]: report["type"] for report in agent.reported.reports(len(faults), seconds=30)}
    assert sorted(found.values()) == sorted(fault.type for fault in faults)


def test_a_stopped_agent_is_not_silent(agent: Agent) -> None:
    process = agent.start()
    agent.eventually(lambda machine: machine["status"] == "heard")
    process.terminate()
    assert process.wait(20) == 0
    agent.eventually(lambda machine: machine["status"] == "stopped")


def test_a_gpu_that_is_taken_out_is_reported(agent: Agent) -> None:
    count = agent.folder / "gpus"
    count.write_text("2")
    agent.nvml = {"gpus": str(count)}
    agent.start()
    agent.eventually(lambda machine: len(machine["heartbeat"]["gpus"]) == 2)
    count.write_text("1")
    report = agent.reported.report()
    assert (report["type"], report["severity"]) == ("GPU is gone", "critical")
    assert report["devices"][0]["uuid"] == "GPU-00000001"


def test_a_hanging_nvml_delays_no_fault(agent: Agent) -> None:
    agent.nvml = {"gpus": 2, "hang": 1}
    agent.start()
    with agent.log.open("a") as log:
        log.write(f"3,5,{microseconds()},-;NVRM: Xid (PCI:0000:3c:00): 79, pid=1, name=x\n")
    begun = time.monotonic()
    assert agent.reported.reports(1, seconds=4)[0]["type"] == "XID 79"  # NVML is given 5 s
    assert time.monotonic() - begun < 5
    machine = agent.eventually(lambda machine: machine["heartbeat"]["problems"])
    assert "NVML hangs at GPU 1" in machine["heartbeat"]["problems"][0]
    assert len(machine["heartbeat"]["gpus"]) == 1


def test_a_log_that_cannot_be_read_is_said(agent: Agent) -> None:
    agent.log.unlink()
    done = agent.once("--no-gpus")
    assert done.returncode == 1
    assert "No such file" in done.stderr
    assert "Traceback" not in done.stderr
    agent.eventually(lambda machine: "No such file" in machine["heartbeat"]["problems"][0])


def test_a_slow_disk_does_not_stop_it(agent: Agent) -> None:
    lines = [f"3,{number},{microseconds()},-;NVRM: Xid (PCI:0000:3b:00): 79, GPU" for number in (1, 2)]
    agent.log.write_text("\n".join([*lines, ""]))
    subprocess.run(on_slow_disk(agent.command("--once")), env=agent.environ(), timeout=30, check=True)
    agent.reported.reports(2)


def test_the_program_that_reads_the_log_ends_with_it(agent: Agent) -> None:
    program = agent.folder / "bin" / "dmesg"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho $$ > {agent.folder}/pid\necho 'kern  :err   : [    1.0] x'\nexec sleep 60\n")
    program.chmod(0o755)
    environ = {**agent.environ(), "PATH": f"{program.parent}:{os.environ['PATH']}"}
    command = [*agent.command("--once"), "--kernel-log", "dmesg"]
    subprocess.run(command, env=environ, timeout=30, check=True)
    deadline = time.monotonic() + 5
    while not (agent.folder / "pid").exists():
        assert time.monotonic() < deadline
    assert not Path("/proc", (agent.folder / "pid").read_text().strip()).exists()
