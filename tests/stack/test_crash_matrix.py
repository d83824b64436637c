"""Crashes under load: the HTTP process, the store process or both are killed, or the store process is stopped, at random
moments. Everything that was acknowledged is stored, counted, pushed and delivered, each exactly once.

A run prints its seed; `CRASH_SEED=n` repeats it (as far as processes can be repeated).
"""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from bounded import ALL, bounded
from conftest import Served, eventually
from crash import Load, Site, listed, seed_of_run, site
from stack import needs_stack

pytestmark = [pytest.mark.dashboard, needs_stack]
HTTP_KILLS = bounded(16, 6)
STORE_KILLS = bounded(22, 6)
KILLS_OF_BOTH = bounded(14, 6)
SHORT_STOPS = bounded(9, 6)
LONG_STOP_SECONDS = 20.0 if ALL else 8.0
LATEST_FAULT = 0.15  # seconds after the clients begin to send without a pause
UNANSWERED_KILLS = 24 if ALL else 3  # at least, and so many more until one comes between the log and the answer
MOST_UNANSWERED_KILLS = 40
UNANSWERED_REQUESTS = 16
LATEST_KILL = 0.01  # seconds after the requests were sent


@pytest.fixture
async def watched(served: Callable[..., Served], tmp_path: Path) -> AsyncIterator[Site]:
    async with site(served, tmp_path, seed_of_run()) as one:
        yield one


async def strike(watched: Site, load: Load, fault: Callable[[], Awaitable[None]]) -> None:
    """One round: full load, the fault at a random moment, less load until the service acknowledges again."""
    load.pause = 0.0
    await asyncio.sleep(watched.rng.uniform(0, LATEST_FAULT))
    striking = asyncio.ensure_future(fault())
    await asyncio.sleep(0.01)
    load.pause = 0.1
    await striking
    acknowledged = len(watched.ledger.acknowledged)
    await eventually(lambda: len(watched.ledger.acknowledged) > acknowledged, 30)


def assert_none(problems: list[str]) -> None:
    assert not problems, "\n".join(["", *problems])


async def test_the_http_process_is_killed(watched: Site) -> None:
    async with watched.load() as load:
        for _ in range(HTTP_KILLS):
            await strike(watched, load, watched.kill_http)
    assert watched.follower.connections > HTTP_KILLS // 2
    assert_none(await watched.problems())


async def test_both_processes_are_killed_at_once(watched: Site) -> None:
    async with watched.load() as load:
        for _ in range(KILLS_OF_BOTH):
            await strike(watched, load, watched.kill_both)
    assert watched.follower.connections > KILLS_OF_BOTH // 2
    assert_none(await watched.problems())


async def test_the_store_process_is_killed_and_no_report_fails(watched: Site) -> None:
    """Waits for reads to succeed before the next kill; every third time only for the new process."""
    async with watched.load() as load:
        for kill in range(STORE_KILLS):
            await strike(watched, load, watched.kill_store)
            if kill % 3:
                await watched.reads()
    assert_none(load.problems() + await watched.problems())
    assert watched.follower.connections == 1


async def test_the_store_process_is_stopped_and_no_report_fails(watched: Site) -> None:
    async with watched.load() as load:
        long = watched.rng.randrange(SHORT_STOPS)
        for stop in range(SHORT_STOPS + 1):
            seconds = LONG_STOP_SECONDS if stop == long else watched.rng.uniform(0.6, 1.6)
            await strike(watched, load, lambda seconds=seconds: watched.stop_store(seconds))
    print("errors acknowledged while the store process was stopped:", watched.acknowledged_during_stops)
    assert_none(load.problems() + await watched.problems())
    assert watched.follower.connections == 1
    assert min(watched.acknowledged_during_stops) > 0
    assert max(watched.acknowledged_during_stops) > 5 * LONG_STOP_SECONDS


async def test_what_was_stored_but_never_answered_reaches_every_reader(watched: Site) -> None:
    """Kills the HTTP process (every third time both processes) right after requests were sent. Nobody waits for an answer,
    and nothing is sent again. The events that reached the log are listed, counted, pushed and delivered like all others."""
    unanswered: set[str] = set()
    stored: set[str] = set()
    for kill in range(MOST_UNANSWERED_KILLS):
        await eventually(lambda kill=kill: watched.follower.connections > kill)
        unanswered |= await asyncio.to_thread(send_and_kill, watched, both=kill % 3 == 0)
        watched.service = await asyncio.to_thread(watched.start)
        stored = {error["event_id"] for error in await asyncio.to_thread(listed, watched.service)}
        if kill + 1 >= UNANSWERED_KILLS and stored & unanswered:
            break
    assert_none(await watched.problems())
    print(f"{len(stored)} of {len(watched.ledger.sent)} stored, {len(stored & unanswered)} of these unanswered")
    assert stored & unanswered, "no kill came between the log and the answer"


def send_and_kill(watched: Site, *, both: bool) -> set[str]:
    """Sends requests and kills the service a few milliseconds later. Returns the event_ids that were not answered."""
    host, port = watched.service.url.removeprefix("http://").split(":")
    reports = [watched.ledger.report() for _ in range(UNANSWERED_REQUESTS)]
    connections = [socket.create_connection((host, int(port)), timeout=10) for _ in reports]
    for connection, report in zip(connections, reports, strict=True):
        connection.sendall(request_of(report, host))
    time.sleep(watched.rng.uniform(0, LATEST_KILL))
    if both:
        watched.service.kill()
    else:
        watched.service.process.kill()
        watched.service.stop()
    unanswered = set()
    for connection, report in zip(connections, reports, strict=True):
        with connection:
            if answer := answer_in(connection):
                watched.ledger.acknowledge(report["event_id"], answer)
            else:
                unanswered.add(report["event_id"])
    return unanswered


def request_of(report: dict[str, Any], host: str) -> bytes:
    body = json.dumps(report).encode()
    head = f"POST /api/report-error HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def answer_in(connection: socket.socket) -> dict[str, Any] | None:
    """The `data` of the answer that came before the connection ended; None if there is no complete success answer."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while chunk := connection.recv(65_536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        return None
    with contextlib.suppress(ValueError):
        return json.loads(body)["data"]
    return None
