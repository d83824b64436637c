"""A service as its users run it, for benchmarks: `python -m exporter serve` with its own processes and files."""

import http.client
import itertools
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

import psutil
from fill import WORKERS, files

from exporter.demo.fleet import story

TIMEOUT: Final = 60.0  # seconds, for one request
SAMPLE_SECONDS: Final = 0.25  # between two measurements of the memory
ROOT: Final = Path(__file__).parent.parent
JSON: Final = {"Content-Type": "application/json"}
HAS_PSS: Final = Path("/proc/self/smaps_rollup").exists()


def unlimited(root: Path) -> tuple[str, ...]:
    """Returns the options that switch off the limits of workers, because benchmarks send everything from a few. Earlier
    releases do not have them."""
    has_limits = "rate_limit:" in (root / "exporter" / "config" / "settings.py").read_text()
    return ("--rate-limit", "0", "--max-new-patterns-per-hour", "0") if has_limits else ()


class Serving:
    """The service on the database at `path`, with more `options` of `serve`. `ready_seconds` passed from its start
    until it was ready. `root` is the checkout whose service runs."""

    def __init__(self, path: Path, *options: str, root: Path = ROOT) -> None:
        began = time.perf_counter()
        self.path = path
        command = ("serve", "--port", "0", "--db-path", str(path), "--log-level", "error", *unlimited(root), *options)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "exporter", *command], stdout=subprocess.PIPE, text=True, cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},
        )  # fmt: skip
        assert self._process.stdout
        line = next(line for line in self._process.stdout if line.startswith("metrics"))
        self.url = line.split()[1].removesuffix("/metrics")
        self._connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=TIMEOUT)
        self.get("/-/ready")
        self.ready_seconds = time.perf_counter() - began

    def __enter__(self) -> "Serving":
        return self

    def __exit__(self, *_: object) -> None:
        """Stops the service, unless it was killed."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(30)

    def get(self, path: str) -> tuple[float, bytes]:
        """Returns the seconds until the answer was there, and its body."""
        began = time.perf_counter()
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        body = response.read()
        took = time.perf_counter() - began
        assert response.status == 200, f"{path}: {response.status} {body[:500]!r}"
        return took, body

    def post(self, reports: list[dict[str, Any]]) -> None:
        self._connection.request("POST", "/api/report-errors", json.dumps(reports), JSON)
        response = self._connection.getresponse()
        body = response.read()
        assert response.status == 200, f"{response.status} {body[:500]!r}"

    def disk(self) -> int:
        """Returns the bytes of the database, its write-ahead log and the log of the service."""
        return sum(file.stat().st_blocks * 512 for file in files(self.path) if file.exists())

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def sizes(self) -> dict[str, int]:
        """Returns the allocated bytes of each file that is there, by the part of its name after that of the
        database."""
        found = {file.name.removeprefix(self.path.name): file for file in files(self.path)}
        return {name or "database": file.stat().st_blocks * 512 for name, file in found.items() if file.exists()}

    def wal(self) -> int:
        """Returns the bytes of the write-ahead log of DuckDB."""
        file = self.path.with_name(f"{self.path.name}.wal")
        return file.stat().st_size if file.exists() else 0

    def memory(self) -> int:
        """Returns the bytes that all processes have in memory: the sum of their PSS, else of their RSS."""
        return sum(pss for pss, _ in self.memories().values())

    def memories(self) -> dict[str, tuple[int, int]]:
        """Returns the bytes of PSS and RSS of each process. Where the kernel has no PSS, both are RSS."""
        names = itertools.chain(("http", "store"), (f"other {number}" for number in itertools.count(1)))
        return {name: _memory(one) for name, one in zip(names, self._processes(), strict=False)}

    def anonymous(self) -> dict[str, int]:
        """Returns the bytes of each process that are no pages of files, which the kernel could take back."""
        return dict(zip(("http", "store"), map(_anonymous, self._processes()), strict=False))

    def cpu_seconds(self) -> float:
        """Returns the seconds of CPU that all processes took since they began."""
        return sum(sum(process.cpu_times()[:2]) for process in self._processes())

    def kill(self) -> None:
        """Ends the processes as a crash does."""
        processes = self._processes()
        self._process.kill()
        self._process.wait(30)
        psutil.wait_procs(processes, 30)  # the kernel ends the process of the database

    def _processes(self) -> list[psutil.Process]:
        own = psutil.Process(self._process.pid)
        return [own, *own.children(recursive=True)]


class Sampling:
    """Calls `sample` in a thread every so many `seconds`, while it is a context."""

    seconds: float

    def sample(self) -> None:
        raise NotImplementedError

    def __init__(self) -> None:
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(self.seconds):
            self.sample()


class Memory(Sampling):
    """Measures the memory of a service. `highest` is in bytes."""

    seconds = SAMPLE_SECONDS

    def __init__(self, serving: Serving) -> None:
        super().__init__()
        self.highest = 0
        self._serving = serving

    def sample(self) -> None:
        self.highest = max(self.highest, self._serving.memory())


def retention(kept: str) -> tuple[str, ...]:
    """Returns the options of `serve` for how long errors are kept (30d, 5m); none if this release has no such
    setting."""
    command = [sys.executable, "-m", "exporter", "serve", "--help"]
    words = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return ("--retention", kept) if "--retention " in words else ()


def reports(workers: int = WORKERS) -> Iterator[dict[str, Any]]:
    """Yields reports of the demo, with the ids that our client gives them, from the workers of the fill."""
    for number, moment in enumerate(story(2)):
        worker = f"worker-{number * 7919 % workers:04d}"
        yield {"event_id": str(uuid.uuid4()), **moment.report, "worker_id": worker}


def some(source: Iterator[dict[str, Any]], many: int) -> list[dict[str, Any]]:
    return list(itertools.islice(source, many))


def _anonymous(process: psutil.Process) -> int:
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Anonymous:"))


def _memory(process: psutil.Process) -> tuple[int, int]:
    if not HAS_PSS:
        rss = int(process.memory_info().rss)
        return rss, rss
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    found = {line.split()[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith(("Pss:", "Rss:"))}
    return found["Pss:"], found["Rss:"]
