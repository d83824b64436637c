"""Fixtures with a running service: in the test's process (`service`, fast), or as the real command (`served`)."""

import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bcrypt
import psutil
import pytest
from aiohttp.test_utils import TestClient
from empty import make_empty
from reported import reported, tools_service  # noqa: F401  fixtures
from reruns import (  # noqa: F401  pytest finds these hooks here
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_sessionfinish,
    pytest_terminal_summary,
)
from running import RunningServer

from exporter.access.web_config import WebConfig
from exporter.app import make_app
from exporter.config import Settings
from exporter.service import Service

ROOT = Path(__file__).parent.parent
REPORT = {
    "worker_id": "worker-1",
    "type": "ResourceError",
    "error_category": "RESOURCE_EXHAUSTED",
    "message": "Failed to allocate GPU memory",
}


def free_port() -> int:
    """Returns a free port below the ephemeral range, so that the system does not assign it before a test uses it."""
    while True:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", random.randrange(10_000, 32_000))) as one:
            port: int = one.getsockname()[1]
            return port


@dataclasses.dataclass
class InProcess:
    """The service as an aiohttp application in this process. Its store is a thread unless `process=True`."""

    client: TestClient[Any, Any]
    service: Service

    async def post(self, report: Any = None, **more: Any) -> dict[str, Any]:
        """Reports an error, asserts success, and returns the `data` of the response."""
        async with self.client.post("/api/report-error", json=REPORT | (report or {}), **more) as response:
            answer = await response.json()
            assert response.status == 200, answer
            return answer["data"]

    async def ask(self, path: str, body: Any = None, status: int = 200, **more: Any) -> Any:
        """Sends a POST request, asserts its status, and returns the `data` of a success, else the whole answer."""
        async with self.client.post(path, json=body, **more) as response:
            answer = await response.json()
            assert response.status == status, answer
            return answer["data"] if status == 200 else answer

    async def get(self, path: str, status: int = 200, **query: Any) -> Any:
        async with self.client.get(path, params=query) as response:
            answer = await response.json()
            assert response.status == status, answer
            return answer["data"] if status == 200 else answer

    async def metrics(self) -> dict[str, float]:
        """Returns the samples of /metrics: values by name with labels, as in the exposition."""
        async with self.client.get("/metrics") as response:
            return samples(await response.text())


def samples(text: str) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


@pytest.fixture(autouse=True)
def _same_process() -> Iterator[None]:
    """A command that ran in this process leaves the umask and the log as they were: later tests would write to a stream
    that is closed."""
    os.umask(umask := os.umask(0o077))
    root = logging.getLogger()
    handlers, level = root.handlers.copy(), root.level
    yield
    for handler in root.handlers.copy():
        if type(handler) is logging.StreamHandler and handler not in handlers:
            root.removeHandler(handler)
    root.setLevel(level)
    os.umask(umask)


@pytest.fixture(autouse=True)
def _own_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the client has not delivered is not left to a later test, whose service may have the same port."""
    monkeypatch.setenv("ERROR_VISUALIZATION_SPOOL", str(tmp_path / "spool"))


def _begin(db: Path) -> None:
    if not any(db.parent.glob(f"{db.name}*")):
        make_empty(db)


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Returns a function that starts a service with the given settings. All services of a test use one database file,
    so a second service continues with the data of the first. With `process=True` the store runs in its own process.
    `users` maps names to passwords."""
    clients: list[TestClient[Any, Any]] = []

    async def start(*, process: bool = False, users: dict[str, str] | None = None, **settings: Any) -> InProcess:
        db = tmp_path / "errors.duckdb"
        given = Settings(**{"db_path": str(db), "min_free_bytes": 0} | settings)
        if Path(given.db_path) == db:
            _begin(db)
        service = Service(given, process=process)
        web_config = WebConfig("")
        web_config.users.replace({name: _hashed(password) for name, password in (users or {}).items()})
        server = RunningServer(make_app(service, web_config), port=free_port())
        await server.start_server()
        client: TestClient[Any, Any] = TestClient(server)
        clients.append(client)
        return InProcess(client, service)

    yield start
    for client in clients:
        await client.close()


def _hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()  # 4: the fastest


@pytest.fixture
async def service(serve: Callable[..., Any]) -> InProcess:
    return await serve()


class Requests:
    """Requests to a service at `url`, for tests that are not asynchronous."""

    url: str

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=10) as response:
            return json.load(response)["data"]

    def metrics(self) -> dict[str, float]:
        with urllib.request.urlopen(self.url + "/metrics", timeout=10) as response:
            return samples(response.read().decode())

    def post(self, report: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(REPORT | report).encode()
        request = urllib.request.Request(
            self.url + "/api/report-error", body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)["data"]


class Served(Requests):
    """The real command `serve` in its own process. `prefix` is a wrapper command such as strace."""

    def __init__(self, db: Path, *flags: str, port: int = 0, prefix: Sequence[str] = ()) -> None:
        self.db = db
        command = [*prefix, sys.executable, "-m", "exporter", "serve", "--port", str(port), "--db-path", str(db)]
        self.process = subprocess.Popen(
            [*command, "--min-free-bytes", "0", *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=ROOT, start_new_session=True, env=os.environ | {"SSL_CERT_FILE": os.devnull},
        )  # fmt: skip  # without the system's certificates, which take 0.1 s of CPU to read
        self.log: list[str] = []
        assert self.process.stdout
        assert self.process.stderr
        line = ""
        while not line.startswith("reports"):
            line = self.process.stdout.readline()
            if not line:
                said = self.process.stderr.read()
                self.process.wait(10)
                self.process.stdout.close()
                self.process.stderr.close()
                raise AssertionError(said)
        self.url = line.split()[1].removesuffix("/api/report-error")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        self.log.extend(self.process.stderr)

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(15)
        self._reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        return status

    def kill(self) -> None:
        """Kills the service and its store process with SIGKILL at the same time, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.stop()


def store_processes(served: Served) -> list[psutil.Process]:
    """Returns the store processes of a service: one, or none just after the process ended."""
    found = []
    for child in psutil.Process(served.process.pid).children():
        with contextlib.suppress(psutil.Error):
            if "exporter.store.server" in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def stored(served: Served) -> list[str]:
    """Returns every stored event_id, newest first; reads all pages."""
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        page = served.get("/api/errors/list?time_range=24&limit=1000" + (f"&cursor={cursor}" if cursor else ""))
        found += [error["event_id"] for error in page["errors"]]
        cursor = page["next_cursor"]
    return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Returns a function that starts the command. The fixture stops running services at the end."""
    running: list[Served] = []

    def start(*flags: str, **more: Any) -> Served:
        running.append(Served(tmp_path / "errors.duckdb", *flags, **more))
        return running[-1]

    yield start
    for one in running:
        status = one.process.poll()
        if status is None:
            one.stop()
        print(f"status {status}, log:", *one.log, sep="\n")  # shown if the test failed


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Any]:
    """A real Chromium, started once per session."""
    from chromium import CHROMIUM, FLAGS, Browser
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield Browser(chromium)
        await chromium.close()


@pytest.fixture
async def browser(chromium: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """The real Chromium, cleaned after each test. The page sees a disk that is half full."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10**12, free=5 * 10**11))
    yield chromium
    await chromium.clean()


async def eventually(check: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Calls `check` until its result is true, and returns the result. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = check()
        if asyncio.iscoroutine(result):
            result = await result
        if result or time.monotonic() > deadline:
            assert result
            return result
        await asyncio.sleep(0.02)
