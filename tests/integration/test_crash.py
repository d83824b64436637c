"""Crashes and stops: what is stored after the next start."""

import asyncio
import random
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from bounded import bounded
from conftest import REPORT, ROOT, Served, eventually, store_processes, stored

pytestmark = pytest.mark.dashboard
KILLS = bounded(20, 6)
REPORTS = 1_000
CLIENTS = 16


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for the tests that neither stop nor kill it."""
    service = Served(tmp_path_factory.mktemp("standing") / "errors.duckdb")
    yield service
    service.stop()


async def storm(url: str, ids: list[str], stop: asyncio.Event, acknowledged: set[str]) -> None:
    """Posts each id once from several clients, until all are sent or `stop` is set; adds acknowledged ids to `acknowledged`."""
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


def errors_total(metrics: dict[str, float]) -> dict[str, float]:
    return {n: v for n, v in metrics.items() if "errors_total{" in n or "errors_by_severity_total{" in n}


async def test_sigkill_loses_and_doubles_nothing(served: Callable[..., Served]) -> None:
    """Sends 1,000 reports and kills at a random moment, several times; alternately the HTTP process and all processes."""
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


async def test_nothing_that_was_accepted_is_lost_while_the_database_is_behind(served: Callable[..., Served]) -> None:
    """Suspends the store process, so that all reports are only in the log; then kills everything."""
    service = served()
    (process,) = store_processes(service)
    process.suspend()
    answers = [service.post({"event_id": f"e{number}", "worker_id": "w"}) for number in range(100)]
    assert [answer["id"] for answer in answers] == list(range(1, 101))
    service.stop(signal.SIGKILL)
    await eventually(lambda: not process.is_running())  # a suspended process also ends with its parent
    service = served()
    assert stored(service) == [f"e{number}" for number in reversed(range(100))]
    assert service.post({"event_id": "e7", "worker_id": "w"}) == answers[7]
    assert service.post({})["id"] == 101


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


def test_a_second_service_on_one_file_says_so(standing: Served) -> None:
    with pytest.raises(AssertionError, match="another service is running on this database"):
        Served(standing.db)


def test_only_the_owner_may_read_the_files(standing: Served) -> None:
    event_id = standing.post({})["event_id"]
    assert event_id in stored(standing)
    files = list(standing.db.parent.glob("errors.duckdb*"))
    assert {file.name for file in files} >= {"errors.duckdb", "errors.duckdb.log", "errors.duckdb.log-lock"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_port_in_use_is_told(served: Callable[..., Served]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(AssertionError, match="address already in use"):
        served(port=taken.getsockname()[1])


def test_a_slow_sender_does_not_hold_others(standing: Served) -> None:
    host, port = standing.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(b"POST /api/report-error HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
        assert standing.post({})["id"] > 0


def test_reads_go_on_beside_writes(standing: Served) -> None:
    stop = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not stop.is_set():
            seen.append(standing.get("/api/errors")["summary"]["total_errors"])

    before = standing.get("/api/errors")["summary"]["total_errors"]
    reader = threading.Thread(target=read)
    reader.start()
    for number in range(100):
        standing.post({"worker_id": f"w{number}"})
    stop.set()
    reader.join(10)
    assert seen == sorted(seen)
    assert standing.get("/api/errors")["summary"]["total_errors"] == before + 100


async def test_a_stop_waits_for_nobody_who_is_stuck(served: Callable[..., Served]) -> None:
    """With clients that do not read, half-sent requests and a silent Alertmanager, a stop takes at most 10 s."""
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
                half.sendall(b"POST /api/report-error HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
                began = time.monotonic()
                assert await asyncio.to_thread(service.stop) == 0
                assert time.monotonic() - began < 10
    assert len(await asyncio.to_thread(stored, served())) == 300
