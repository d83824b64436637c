"""Why a worker of pytest-xdist died: from its process, its control group and the kernel's log."""

from __future__ import annotations

import signal
import time
from typing import Any, NamedTuple

from error_visualization.oom import OomCounter
from error_visualization.pytest_plugin.kernel import KernelLog, oom_killed

WAIT = 1.0  # seconds for a process whose connection is closed to end


class Cause(NamedTuple):
    """`status` is that of `subprocess`: the exit code, or minus the signal; None if it is not known."""

    kind: str  # "signal", "oom", "exit" or "lost"
    status: int | None = None
    pid: int | None = None
    kernel: tuple[str, ...] = ()

    @property
    def signal(self) -> str | None:
        """Returns the name of the signal, as "SIGSEGV"."""
        if self.status is None or self.status >= 0:
            return None
        try:
            return signal.Signals(-self.status).name
        except ValueError:
            return f"signal {-self.status}"

    @property
    def text(self) -> str:
        if self.kind == "oom":
            return "was killed by the kernel because memory ran out (OOM kill)"
        if self.kind == "signal":
            return f"was killed by {self.signal}"
        if self.kind == "exit":
            return f"ended without a word with exit code {self.status}"
        return "lost its connection; why is not known"

    def fields(self, worker: str, test: str | None, running: bool) -> dict[str, Any]:
        """Returns the fields of an error report."""
        where = f" while it ran {test}" if test and running else f" before it ran {test}" if test else ""
        return {
            "type": _TYPES[self.kind],
            "error_category": "WORKER_CRASHED",
            "message": f"pytest worker {worker} {self.text}{where}",
            "cause": {
                "kind": self.kind,
                "signal": self.signal,
                "exit_code": self.status if self.kind == "exit" else None,
                "pid": self.pid,
                "kernel": list(self.kernel),
            },
        }


_TYPES = {
    "oom": "WorkerOutOfMemory",
    "signal": "WorkerKilled",
    "exit": "WorkerExited",
    "lost": "WorkerLost",
}


class Watch:
    """Finds the causes for the workers of a session. Of kills in one control group each explains one worker."""

    def __init__(self) -> None:
        self._kernel = KernelLog()
        self._counters: dict[str, OomCounter] = {}
        self._kills: dict[tuple[str, ...], int] = {}

    def begin(self, node: Any) -> None:
        """To be called when a worker was started."""
        process = _process(node)
        if process is not None:
            counter = OomCounter(int(process.pid))
            self._counters[node.gateway.id] = counter
            self._kills.setdefault(_key(counter), counter.kills() or 0)

    def cause(self, node: Any) -> Cause:
        """Returns why a worker died; waits for its process for at most `WAIT`."""
        process = _process(node)
        counter = self._counters.pop(node.gateway.id, None)
        if process is None:
            return Cause("lost")
        status, pid = _ended(process), int(process.pid)
        kernel = self._kernel.about(pid)
        if status is None:
            return Cause("lost", None, pid, tuple(kernel))
        if status >= 0:
            return Cause("exit", status, pid, tuple(kernel))
        killed = status == -9 and (oom_killed(kernel, pid) | self._one_more(counter))
        return Cause("oom" if killed else "signal", status, pid, tuple(kernel))

    def close(self) -> None:
        self._kernel.close()

    def _one_more(self, counter: OomCounter | None) -> bool:
        """Returns whether there is a kill that explains no other worker yet."""
        now = counter.kills() if counter is not None else None
        if counter is None or now is None or now <= self._kills[_key(counter)]:
            return False
        self._kills[_key(counter)] += 1
        return True


def _key(counter: OomCounter) -> tuple[str, ...]:
    return tuple(map(str, counter.paths))


def _process(node: Any) -> Any:
    """Returns the `Popen` of a local worker, else None. It is not part of execnet's interface."""
    gateway = node.gateway
    if not getattr(getattr(gateway, "spec", None), "popen", False):
        return None
    return getattr(getattr(gateway, "_io", None), "popen", None)


def _ended(process: Any) -> int | None:
    """Returns the status of the process; None if it still runs after `WAIT`."""
    deadline = time.monotonic() + WAIT
    while True:
        status = process.poll()
        if status is not None or time.monotonic() > deadline:
            return None if status is None else int(status)
        time.sleep(0.005)
