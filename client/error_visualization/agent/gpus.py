"""The GPUs of this machine, asked in a process that is killed if it hangs."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

SECONDS: Final = 5.0
MAX_BYTES: Final = 1024 * 1024
NO_NVML: Final = ("nvidia-ml-py is not installed", "NVML Shared Library Not Found", "Driver Not Loaded")


class Gpus(NamedTuple):
    """`problem`: why some or all GPUs are not known, "" if all are. `hung`: index of the GPU at which NVML hung, -1
    before the first; None if it did not hang. `absent`: the machine has no NVIDIA driver."""

    devices: list[dict[str, Any]]
    problem: str = ""
    hung: int | None = None
    driver: str | None = None
    absent: bool = False


class Probe:
    """Runs the probe, never two at one time. A process that hangs in the driver cannot be killed until the driver lets
    it go; until then nothing is asked."""

    def __init__(self, command: Sequence[str] | None = None, seconds: float = SECONDS) -> None:
        self._command = list(command or (sys.executable, "-m", "error_visualization.agent.nvml_probe"))
        self._seconds = seconds
        self._stuck: subprocess.Popen[bytes] | None = None
        self._hung: int | None = None

    def ask(self) -> Gpus:
        """Returns the GPUs; takes at most `seconds` and a little."""
        if self._stuck:
            if self._stuck.poll() is None:
                return Gpus([], "NVML still hangs, and its process cannot be killed", self._hung)
            self._stuck = None
        try:
            process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            return Gpus([], f"the probe of the GPUs cannot be started: {error}")
        assert process.stdout
        output, in_time = _read(process.stdout.fileno(), time.monotonic() + self._seconds)
        process.stdout.close()
        process.kill()
        try:
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            self._stuck = process
        found = read(output, in_time)
        self._hung = found.hung
        return found


def read(output: bytes, in_time: bool) -> Gpus:
    """Returns what the probe wrote. `in_time`: whether it ended by itself."""
    devices: list[dict[str, Any]] = []
    asking, driver, problem, done = -1, None, "", False
    for line in output.split(b"\n"):
        try:
            answer: Mapping[str, Any] = json.loads(line)
        except ValueError:
            continue
        if "asking" in answer:
            asking = answer["asking"]
        elif "index" in answer:
            devices.append(dict(answer))
        else:
            problem = str(answer.get("error", problem))
            done = done or "done" in answer or "error" in answer
            driver = answer.get("driver", driver)
    if not in_time:
        where = f"GPU {asking}" if asking >= 0 else "the start"
        return Gpus(devices, f"NVML hangs at {where}: no answer in {SECONDS:g} s", asking, driver)
    if not done:
        problem = problem or "the process that asks NVML crashed"
    return Gpus(devices, problem, None, driver, absent=any(words in problem for words in NO_NVML))


def _read(descriptor: int, deadline: float) -> tuple[bytes, bool]:
    """Returns what was written, and whether the writer ended by itself before the deadline."""
    output = b""
    while len(output) < MAX_BYTES:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return output, False
        chunk = os.read(descriptor, 65_536)
        if not chunk:
            return output, True
        output += chunk
    return output, True


class GpuWatch:
    """Tells, from one heartbeat to the next, which GPUs were lost. Each loss is told once; when the GPU is back, its
    next loss is told again."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {}
        self._told: set[str] = set()
        self._hangs = False

    def changes(self, gpus: Gpus) -> list[dict[str, Any]]:
        """Returns the reports of what went wrong since the last call."""
        reports: list[dict[str, Any]] = []
        if gpus.hung is not None and not self._hangs:
            reports.append(_report("NVML hangs", gpus.problem, self._at(gpus.hung)))
        self._hangs = gpus.hung is not None
        present = {self._key(device): device for device in gpus.devices}
        for key, device in present.items():
            lost = device.get("lost") is True
            earlier = self._known.get(key, {})
            if lost and key not in self._told:
                self._told.add(key)
                reports.append(_report("GPU is lost", f"NVML: GPU {device['index']} is lost", {**earlier, **device}))
            elif not lost:
                self._told.discard(key)
                self._known[key] = device
        if gpus.hung is None and not gpus.problem:
            for key in [key for key in self._known if key not in present]:
                device = self._known.pop(key)
                reports.append(_report("GPU is gone", f"GPU {device['index']} is not there any more", device))
        return reports

    def identity(self, pci: str) -> dict[str, Any]:
        """Returns what is known of the GPU with this PCI address: `uuid`, `serial`, `index`."""
        for device in list(self._known.values()):  # another thread asks the GPUs
            if device.get("pci") and _pci(device["pci"]) == _pci(pci):
                return {name: device[name] for name in ("uuid", "serial", "index") if name in device}
        return {}

    def _key(self, device: Mapping[str, Any]) -> str:
        """Returns what tells GPUs apart: the UUID, since indexes move when a GPU is taken out. A lost GPU does not say
        it, so that of the GPU that had its index counts."""
        if device.get("uuid"):
            return str(device["uuid"])
        index = device["index"]
        return next((key for key, known in self._known.items() if known["index"] == index), str(index))

    def _at(self, index: int) -> dict[str, Any]:
        return next((device for device in self._known.values() if device.get("index") == index), {})


def identity(device: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the entry of a GPU in the `devices` of a report."""
    known = {name: device[name] for name in ("uuid", "serial", "index") if device.get(name) is not None}
    return {"kind": "gpu", **known, **({"pci": _pci(device["pci"])} if device.get("pci") else {})}


def _report(type_: str, message: str, device: Mapping[str, Any]) -> dict[str, Any]:
    report: dict[str, Any] = {"type": type_, "message": message, "error_category": "HARDWARE_NOT_AVAILABLE"}
    return {**report, "devices": [identity(device)]} if device else report


def _pci(address: str) -> str:
    from error_visualization.kernel.recognise import normal_pci

    return normal_pci(address)
