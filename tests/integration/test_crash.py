"""What a crash, a stop and a lost store process leave behind."""

import asyncio
import contextlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import aiohttp
import psutil
import pytest
from conftest import REPORT, ROOT, Served, eventually

pytestmark = pytest.mark.dashboard
KILLS = 20
REPORTS = 1_000
CLIENTS = 16


async def storm(url: str, ids: list[str], stop: asyncio.Event, acknowledged: set[str]) -> None:
    """Posts each id once from several clients, until all are sent or `stop`; notes what was acknowledged."""
    waiting = list(reversed(ids))

    async def client(session: aiohttp.ClientSession) -> None:
        while waiting and not stop.is_set():
            event_id = waiting.pop()
            report = REPORT | {"event_id": event_id, "worker_id": f"w{len(waiting) % 9}"}
            try:
                async with session.post(f"{url}/api/report-error", json=report) as response:
                    answer = await response.json()
                    if response.status == 200:
                        assert answer["data"]["event_id"] == event_id
                        acknowledged.add(event_id)
            except aiohttp.ClientError:
                return

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(client(session) for _ in range(CLIENTS)))


def stored(served: Served) -> list[str]:
    """Every stored event_id, page by page."""
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        page = served.get(f"/api/errors/list?time_range=24&limit=1000&cursor={cursor}")
        found += [error["event_id"] for error in page["errors"]]
        cursor = page["next_cursor"]
    return found


def errors_total(metrics: dict[str, float]) -> dict[str, float]:
    return {n: v for n, v in metrics.items() if "errors_total{" in n or "errors_by_severity_total{" in n}


async def test_sigkill_loses_and_doubles_nothing(served: Callable[..., Served]) -> None:
    """1,000 reports, killed at a random moment, 20 times: by turns the service alone and all its processes."""
    rng = random.Random(11)
    acknowledged: set[str] = set()
    sent: list[str] = []
    scraped: dict[str, float] = {}
    service = served()
    for kill in range(KILLS):
        ids = [f"{kill}-{number}" for number in range(REPORTS)]
        sent += ids
        stop = asyncio.Event()
        task = asyncio.create_task(storm(service.url, ids, stop, acknowledged))
        await asyncio.sleep(rng.uniform(0.02, 0.4))
        scraped = errors_total(await asyncio.to_thread(service.metrics))
        await asyncio.sleep(rng.uniform(0, 0.1))
        if kill % 2:
            service.stop(signal.SIGKILL)
        else:
            service.kill()
        stop.set()
        await task
        service = await asyncio.to_thread(served)
        after = errors_total(await asyncio.to_thread(service.metrics))
        assert {name for name, value in scraped.items() if after.get(name, -1) < value} == set(), f"kill {kill}"
    found = await asyncio.to_thread(stored, service)
    assert len(found) == len(set(found)), "an error is stored twice"
    assert acknowledged <= set(found), "an acknowledged error is lost"
    assert set(found) <= set(sent)
    assert len(acknowledged) > KILLS * 10
    assert service.get("/api/errors")["summary"]["total_errors"] == len(found)
    total = sum(value for name, value in service.metrics().items() if "errors_by_severity_total{" in name)
    assert total == len(found)


async def test_a_repeat_after_a_crash_is_stored_once(served: Callable[..., Served]) -> None:
    service = served()
    first = service.post({"event_id": "e1"})
    service.kill()
    assert served().post({"event_id": "e1"}) == first


async def test_sigterm_answers_what_was_taken(served: Callable[..., Served]) -> None:
    service = served()
    acknowledged: set[str] = set()
    stop = asyncio.Event()
    ids = [f"e{number}" for number in range(5_000)]
    task = asyncio.create_task(storm(service.url, ids, stop, acknowledged))
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{service.url}/ws/error-visualization") as live:
        await eventually(lambda: len(acknowledged) > 200)
        began = time.monotonic()
        service.process.terminate()
        message = await live.receive(timeout=10)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.GOING_AWAY)
    assert await asyncio.to_thread(service.stop) == 0
    assert time.monotonic() - began < 10
    stop.set()
    await task
    assert not (service.db.with_name(service.db.name + ".wal")).exists(), "the last checkpoint was not made"
    found = await asyncio.to_thread(stored, served())
    assert set(found) == acknowledged, "what was stored was answered, and what was answered was stored"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_service_stops_with_0(served: Callable[..., Served], number: int) -> None:
    service = served()
    assert service.stop(number) == 0
    assert not [line for line in service.log if "Traceback" in line]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_that_is_still_starting_stops_with_0(tmp_path: Path, number: int) -> None:
    db = tmp_path / "errors.duckdb"
    command = [sys.executable, "-m", "exporter", "serve", "--port", "0", "--db-path", str(db)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not db.exists() and time.monotonic() < deadline:  # the store opens before the port does
            time.sleep(0.001)
        process.send_signal(number)
        _, log = process.communicate(timeout=30)
    assert process.returncode == 0, log
    assert "Traceback" not in log


async def test_a_lost_store_process_is_started_again(served: Callable[..., Served]) -> None:
    service = served()
    service.post({"event_id": "e1"})
    (child,) = store_processes(service.process.pid)
    child.kill()

    def taken() -> bool:
        try:
            return bool(service.post({"event_id": "e2"}))
        except urllib.error.HTTPError as error:
            with error:
                assert (error.code, error.headers["Retry-After"]) == (503, "5")
            return False

    await eventually(lambda: asyncio.to_thread(taken), 15)
    assert service.get("/-/ready")
    assert stored(service) == ["e2", "e1"]
    metrics = service.metrics()
    assert metrics['distributed_testing_errors_by_severity_total{severity="critical"}'] == 2


async def test_a_store_process_that_dies_again_and_again_is_started_in_the_end(served: Callable[..., Served]) -> None:
    service = served()
    service.post({"event_id": "e1"})
    killed: set[int] = set()

    def enough() -> bool:
        for child in store_processes(service.process.pid):
            with contextlib.suppress(psutil.Error):
                child.kill()
                killed.add(child.pid)
        return len(killed) > 3

    await eventually(enough, 30)

    def taken() -> bool:
        with contextlib.suppress(urllib.error.HTTPError):
            return bool(service.post({"event_id": "e2"}))
        return False

    await eventually(lambda: asyncio.to_thread(taken), 30)
    assert service.get("/-/ready")
    assert len(store_processes(service.process.pid)) == 1
    assert stored(service) == ["e2", "e1"]
    assert service.stop() == 0


def store_processes(pid: int) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(pid).children():
        with contextlib.suppress(psutil.Error):
            if any("spawn_main" in word for word in child.cmdline()):
                found.append(child)
    return found


def test_a_second_service_on_one_file_says_so(served: Callable[..., Served]) -> None:
    served()
    with pytest.raises(AssertionError, match="Could not set lock"):
        served()


def test_a_port_in_use_is_told(served: Callable[..., Served]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(AssertionError, match="address already in use"):
        served(port=taken.getsockname()[1])


def test_a_slow_sender_does_not_hold_others(served: Callable[..., Served]) -> None:
    service = served()
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(b"POST /api/report-error HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        assert service.post({})["id"] == 1


def test_reads_go_on_beside_writes(served: Callable[..., Served]) -> None:
    service = served()
    stop = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not stop.is_set():
            seen.append(service.get("/api/errors")["summary"]["total_errors"])

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(100):
        service.post({"worker_id": f"w{number}"})
    stop.set()
    reader.join(10)
    assert seen == sorted(seen)
    assert service.get("/api/errors")["summary"]["total_errors"] == 100


async def test_a_stop_waits_for_nobody_who_is_stuck(served: Callable[..., Served]) -> None:
    """Clients that do not read, requests that were half sent, an Alertmanager that says nothing: within 10 s."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        service = await asyncio.to_thread(served, "--alertmanager-url", f"http://127.0.0.1:{silent.getsockname()[1]}")
        host, port = service.url.removeprefix("http://").split(":")
        async with aiohttp.ClientSession() as session:
            for _ in range(3):
                live = await session.ws_connect(f"{service.url}/ws/error-visualization")
                await live.send_json({"type": "error_visualization_init"})
                live._conn.protocol.pause_reading()  # type: ignore[union-attr]
            for number in range(300):
                await asyncio.to_thread(service.post, {"worker_id": f"w{number}", "traceback": "x" * 32_000})
            with socket.create_connection((host, int(port))) as half:
                half.sendall(b"POST /api/report-error HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
                began = time.monotonic()
                assert await asyncio.to_thread(service.stop) == 0
                assert time.monotonic() - began < 10
    assert len(await asyncio.to_thread(stored, served())) == 300
