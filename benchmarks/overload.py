"""What an overload does to a well-behaved worker, to memory, and to what was acknowledged.

    python benchmarks/overload.py [--times 5] [--seconds 60] [--connections 512] [--batch 100]
    python benchmarks/overload.py --listeners 1000 --unread 100

First the capacity is measured: the reports a second that are stored while each connection sends the next batch when it
has its answer. Then batches come at `--times` that rate, whatever the service answers (`flood.py`), while one worker
sends ten reports a second over a connection of its own, as our client does: refused, it waits as long as it is told.
Afterwards the database is compared with what was acknowledged.

With `--listeners`, WebSocket clients listen instead, some of which do not read, and there is no flood.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
import duckdb
import numpy as np
import uvloop
from figures import quantiles
from flood import Flooded, Plan, flood
from listener import listen
from load import allow_sockets
from read_results import machine
from serving import Sampling, Serving

RATE: Final = 10.0  # reports a second of the well-behaved worker
CAPACITY_SECONDS: Final = 8.0
CALM: Final = 0.1  # seconds; an acknowledgement that is faster is one of a service that is not overloaded
RECOVERY_SECONDS: Final = 30.0
LISTEN_SECONDS: Final = 20.0
LISTEN_RATE: Final = 100.0
MOST_BYTES: Final = 500e6


class Peak(Sampling):
    """The highest memory in bytes: of all processes with the pages of the log, and of each without them."""

    seconds = 0.25

    def __init__(self, serving: Serving) -> None:
        super().__init__()
        self.all = 0
        self.anonymous: dict[str, int] = {}
        self._serving = serving

    def sample(self) -> None:
        self.all = max(self.all, self._serving.memory())
        for name, size in self._serving.anonymous().items():
            self.anonymous[name] = max(size, self.anonymous.get(name, 0))

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in self.anonymous.items())
        return (
            f"{sum(self.anonymous.values()) / 1e6:.0f} MB ({parts}); with the pages of the log {self.all / 1e6:.0f} MB"
        )


class Worker(NamedTuple):
    """A well-behaved worker: seconds until each report was acknowledged, refusals by status, and the stored ids."""

    took: list[float]
    refused: Counter[int]
    ids: set[str]


async def report(session: aiohttp.ClientSession, url: str, worker: Worker) -> float:
    """Sends one report until it is acknowledged. Returns the seconds that this took."""
    id_ = uuid.uuid4().hex
    body = {"worker_id": "well-behaved", "type": "RuntimeError", "message": "CUDA out of memory", "event_id": id_}
    began = time.monotonic()
    while True:
        async with session.post(url + "/api/report-error", json=body) as answer:
            await answer.read()
            if answer.status == 200:
                worker.ids.add(id_)
                return time.monotonic() - began
            worker.refused[answer.status] += 1
            await asyncio.sleep(float(answer.headers.get("Retry-After", 5)))


async def behave(url: str, ended: asyncio.Event, rate: float = RATE) -> Worker:
    """Reports `rate` times a second, at fixed times, until `ended`."""
    worker = Worker([], Counter(), set())
    tasks = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
        began = time.monotonic()
        for number in range(10**6):
            wait = began + number / rate - time.monotonic()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), max(0.0, wait))
            if ended.is_set():
                break
            tasks.append(asyncio.create_task(report(session, url, worker)))
        worker.took.extend(await asyncio.gather(*tasks))
    return worker


async def recovery(url: str) -> tuple[float, float]:
    """Returns the seconds until a report is acknowledged as fast as usual, and until the overview has everything."""
    began = time.monotonic()
    async with aiohttp.ClientSession() as session:
        while time.monotonic() - began < RECOVERY_SECONDS:
            took = await report(session, url, Worker([], Counter(), set()))
            if took < CALM:
                break
        reports = time.monotonic() - began
        async with session.get(url + "/api/errors") as answer:
            await answer.read()
    return reports, time.monotonic() - began


async def overloaded(url: str, plan: Plan) -> tuple[Flooded, Worker, tuple[float, float]]:
    ended = asyncio.Event()
    behaving = asyncio.create_task(behave(url, ended))
    flooded = await asyncio.to_thread(flood, plan)
    recovered = await recovery(url)
    ended.set()
    return flooded, await behaving, recovered


def lost(path: Path, flooded: Flooded, worker: Worker) -> int:
    """Returns how many acknowledged reports the database of a stopped service lacks."""
    with duckdb.connect(str(path), read_only=True) as db:
        ids = {id_ for (id_,) in db.execute("SELECT event_id FROM errors").fetchall()}
    keys = Counter(id_.partition("#")[0] for id_ in ids if "#" in id_)
    return len(worker.ids - ids) + sum(max(0, stored - keys[key]) for key, stored in flooded.stored.items())


def overload(given: argparse.Namespace, path: Path) -> list[str]:
    with Serving(path) as serving:
        plan = Plan(serving.port, 0, min(given.seconds, CAPACITY_SECONDS), 64, given.batch)
        first = flood(plan)
        capacity = sum(first.stored.values()) / first.seconds
        plan = Plan(serving.port, given.times * capacity / given.batch, given.seconds, given.connections, given.batch)
        with Peak(serving) as memory:
            flooded, worker, recovered = uvloop.run(overloaded(serving.url, plan))
    acknowledged = sum(flooded.stored.values())
    missing = lost(path, flooded, worker)
    ack = quantiles(np.array(worker.took) * 1000)
    refused = sum(count for status, count in flooded.statuses.items() if status not in (200, 207))
    print(
        f"capacity {capacity:,.0f} reports a second; offered {given.times:g} times as many for {given.seconds:g} s "
        f"over {given.connections} connections in batches of {given.batch}",
        f"flood: {acknowledged / flooded.seconds:,.0f} reports a second acknowledged, batches by status "
        f"{flooded.statuses}, {flooded.told} of {refused} refused were told when to come back, {flooded.unsent} not "
        f"sent, {flooded.closed} connections closed",
        f"well-behaved worker: {ack.count} reports, acknowledged in {ack.p50:.0f} ms (p50), {ack.p99:.0f} ms (p99), "
        f"{ack.worst:.0f} ms (worst); refused {dict(worker.refused)}",
        f"memory, the highest: {memory}",
        f"recovered: reports after {recovered[0]:.1f} s, reads after {recovered[1]:.1f} s",
        f"acknowledged and lost: {missing}",
        sep="\n",
    )
    bars = {
        "acknowledged reports were lost": missing > 0,
        "the well-behaved worker waited for more than 1 s (p99)": ack.p99 > 1000,
        "more than 500 MB of memory": sum(memory.anonymous.values()) > MOST_BYTES,
        "not recovered within 5 s": max(recovered) > 5,
        "refused without Retry-After": flooded.told < refused,
    }
    return [words for words, missed in bars.items() if missed]


async def listening(serving: Serving, listeners: int, unread: int) -> Worker:
    """Returns the worker that reported while so many clients listened, and others did not read."""
    host, port = serving.url.removeprefix("http://").split(":")
    crowd = [await listen(serving.url, most=20) for _ in range(listeners)]
    deaf = [deaf_client(host, int(port)) for _ in range(unread)]
    ended = asyncio.Event()
    behaving = asyncio.create_task(behave(serving.url, ended, LISTEN_RATE))
    await asyncio.sleep(LISTEN_SECONDS)
    ended.set()
    worker = await behaving
    print(f"{listeners} listeners, {unread} that do not read: {sum(one.messages for one in crowd)} messages, "
          f"{sum(one.closed for one in crowd)} closed")  # fmt: skip
    for one in crowd:
        one.transport.close()
    for other in deaf:
        other.close()
    return worker


def deaf_client(host: str, port: int) -> socket.socket:
    """A WebSocket client that asks for all updates and reads nothing."""
    client = socket.create_connection((host, port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.sendall(
        b"GET /ws/error-visualization HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    body = json.dumps({"type": "error_visualization_init"}).encode()
    client.sendall(b"\x81" + bytes([128 | len(body)]) + bytes(4) + body)
    return client


def listeners(given: argparse.Namespace, path: Path) -> list[str]:
    with Serving(path) as serving, Peak(serving) as memory:
        for unread in (0, given.unread, 0, given.unread):
            worker = uvloop.run(listening(serving, given.listeners - given.unread, unread))
            ack = quantiles(np.array(worker.took) * 1000)
            print(f"  acknowledged in {ack.p50:.1f} ms (p50), {ack.p99:.1f} ms (p99); refused {dict(worker.refused)}; "
                  f"memory so far {memory}", flush=True)  # fmt: skip
    return []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=float, default=5, help="the capacity (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=512)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--listeners", type=int, default=0, help="WebSocket clients, instead of an overload")
    parser.add_argument("--unread", type=int, default=100, help="of these do not read (default: %(default)s)")
    given = parser.parse_args()
    allow_sockets()
    with tempfile.TemporaryDirectory() as folder:
        run: Any = listeners if given.listeners else overload
        print(machine())
        missed = run(given, Path(folder, "errors.duckdb"))
    for words in missed:
        print("MISSED:", words)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
