"""The commands of the client as processes, and what they reported to a real service."""

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Served

_numbers = itertools.count(1)
_MAIN = "import sys; from error_visualization.cli import main; sys.exit(main())"


def tool(*arguments: object) -> list[str]:
    """Returns the command line of `error-visualization` with `arguments`."""
    return [sys.executable, "-c", _MAIN, *map(str, arguments)]


def on_slow_disk(command: list[str]) -> list[str]:
    """Returns a command line of `tool` for which each flush takes 0.2 s."""
    slow = "import os, time; from error_visualization import segment; "
    slow += "segment._flush = lambda descriptor: (time.sleep(0.2), os.fsync(descriptor)); "
    return [*command[:2], slow + command[2], *command[3:]]


class Reported:
    """A service, and commands that report to it as `worker`, each test as a worker of its own."""

    def __init__(self, served: "Served", worker: str, folder: Path) -> None:
        self.served, self.worker, self.folder = served, worker, folder

    def options(self, command: str) -> list[str]:
        return tool(
            command, "--error-dashboard", self.served.url, "--worker-id", self.worker, "--spool", self.folder / "spool"
        )

    def run(self, *command: object, **more: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self.options("run"), "--", *map(str, command)],
            **{"capture_output": True, "text": True, "timeout": 60, "check": False} | more,
        )

    def reports(self, count: int, seconds: float = 10.0) -> list[dict[str, Any]]:
        """Returns the reports as they were sent, oldest first, once there are `count`; fails if there are others."""
        deadline = time.monotonic() + seconds
        while True:
            listed = self.served.get(f"/api/errors/list?time_range=24&limit=1000&worker={self.worker}")["errors"]
            if len(listed) >= count or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        assert len(listed) == count, [(error["type"], error["message"]) for error in listed]
        details = [self.served.get(f"/api/errors/{error['id']}") for error in listed]
        return [{**detail, **detail["report"]} for detail in reversed(details)]

    def report(self) -> dict[str, Any]:
        return self.reports(1)[0]


@pytest.fixture(scope="session")
def tools_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Served"]:
    """One service for all tests of the client's commands."""
    from conftest import Served

    served = Served(tmp_path_factory.mktemp("tools") / "errors.duckdb")
    yield served
    served.stop()


@pytest.fixture
def reported(tools_service: "Served", tmp_path: Path) -> Reported:
    return Reported(tools_service, f"tool-{next(_numbers)}", tmp_path)
