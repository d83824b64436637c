"""The crash tests' faults, and the comparison of all outputs after them. `senders.py` has the load, `watchers.py` the
clients that observe the service.

The tests use the service only from outside: its command, HTTP, WebSocket, files and signals. They know two processes:
the HTTP process, which `Served` starts, and its child, the store process, which has the DuckDB file open.
"""

import asyncio
import contextlib
import dataclasses
import os
import random
import signal
import time
import urllib.error
import urllib.parse
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
from conftest import Served, eventually, free_port
from senders import Ledger, Load
from watchers import AlertmanagerStub, Follower, Prometheus

SETTLE_SECONDS = 0.3
SEVERITY_COUNTER = "distributed_testing_errors_by_severity_total"
ERRORS_COUNTER = "distributed_testing_errors_total"
PAGE_SIZE = 1_000


def store_process(pid: int) -> psutil.Process | None:
    """Returns the store process of the service `pid`, None while there is none. If several children have
    `exporter.store.server` in their command line, returns the child that has the database open."""
    found = []
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if (
                    any("exporter.store.server" in word for word in child.cmdline())
                    and child.status() != psutil.STATUS_ZOMBIE
                ):
                    found.append(child)
    return found[0] if len(found) == 1 else next(filter(_has_database, found), None)


def _has_database(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(file.path.endswith(".duckdb") for file in process.open_files())
    return False


def listed(service: Served) -> list[dict[str, Any]]:
    """Returns every stored error, newest first; reads all pages."""
    errors: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        page = service.get(f"/api/errors/list?time_range=24&limit={PAGE_SIZE}&cursor={cursor}")
        errors += page["errors"]
        cursor = page["next_cursor"]
    return errors


@dataclasses.dataclass
class Site:
    """A service with its load, its faults and the clients that observe it."""

    start: Callable[[], Served]
    service: Served
    ledger: Ledger
    rng: random.Random
    follower: Follower
    alertmanager: AlertmanagerStub
    prometheus: Prometheus
    acknowledged_during_stops: list[int] = dataclasses.field(default_factory=list)
    before: int = 0  # old errors in the database at the first start, all of them "info"; no list shows them

    def load(self) -> Load:
        return Load(self.service.url, self.ledger, self.rng)

    def store(self) -> psutil.Process | None:
        return store_process(self.service.process.pid)

    async def kill_http(self) -> None:
        """Kills the HTTP process and restarts it at once, while the old store process may still run."""
        killed = self.service
        killed.process.kill()
        self.service, _ = await asyncio.gather(asyncio.to_thread(self.start), asyncio.to_thread(killed.stop))

    async def kill_both(self) -> None:
        await asyncio.to_thread(self.service.kill)
        self.service = await asyncio.to_thread(self.start)

    async def kill_store(self) -> None:
        store = await eventually(self.store)
        store.kill()
        await eventually(lambda: (now := self.store()) and now.pid != store.pid, 30)

    async def stop_store(self, seconds: float) -> None:
        """Stops the store process for `seconds`, and counts the reports acknowledged meanwhile. Counting begins after
        `SETTLE_SECONDS`, when responses based on earlier work of the store process are over."""
        store = await eventually(self.store)
        store.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(SETTLE_SECONDS)
            before = len(self.ledger.acknowledged)
            await asyncio.sleep(seconds - SETTLE_SECONDS)
            self.acknowledged_during_stops.append(len(self.ledger.acknowledged) - before)
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):  # a service may kill a store process that does not answer
                store.send_signal(signal.SIGCONT)

    async def reads(self) -> None:
        """Waits until the service answers reads."""

        def answered() -> bool:
            with contextlib.suppress(urllib.error.HTTPError, OSError):
                return bool(self.service.get("/api/errors?time_range=1"))
            return False

        await eventually(lambda: asyncio.to_thread(answered), 30)

    async def problems(self) -> list[str]:
        """Compares acknowledged, stored, counted, pushed and delivered errors. Returns a line for each difference."""
        acknowledged = self.ledger.acknowledged
        found = list(self.ledger.contradictions)
        errors = await self._settled()
        stored = {error["event_id"]: error for error in errors}
        if sorted(error["id"] for error in errors) != list(range(self.before + 1, self.before + len(errors) + 1)):
            found.append(f"the ids of the {len(errors)} stored errors have gaps or repeat")
        if len(stored) != len(errors):
            found.append(f"{len(errors) - len(stored)} errors are stored twice")
        if lost := acknowledged.keys() - stored.keys():
            found.append(f"{len(lost)} acknowledged errors are not stored: {_few(lost)}")
        if unknown := stored.keys() - self.ledger.sent.keys():
            found.append(f"{len(unknown)} stored errors were never sent: {_few(unknown)}")
        for event_id in acknowledged.keys() & stored.keys():
            for key in ("id", "severity", "fingerprint"):
                if acknowledged[event_id][key] != stored[event_id][key]:
                    found.append(f"{event_id} was acknowledged {acknowledged[event_id]}, stored {stored[event_id]}")
        by_severity = Counter(error["severity"] for error in errors)
        summary = (await asyncio.to_thread(self.service.get, "/api/errors?time_range=24"))["summary"]
        counts = {severity: summary[f"{severity}_errors"] for severity in ("critical", "warning", "info")}
        if +Counter(counts) != by_severity or summary["total_errors"] != len(errors):
            found.append(f"the summary says {counts}, the list {dict(by_severity)}")
        found += await self._live_problems({error["id"]: error["event_id"] for error in errors})
        found += await self._alert_problems(stored)
        return found + await asyncio.to_thread(self._metrics_problems, by_severity)

    async def _settled(self) -> list[dict[str, Any]]:
        """Returns every stored error once the store has all counted and acknowledged errors, or after 15 seconds."""
        deadline = time.monotonic() + 15
        while True:
            await self.reads()
            errors = await asyncio.to_thread(listed, self.service)
            metrics = await asyncio.to_thread(self.service.metrics)
            counted = sum(value for name, value in metrics.items() if name.startswith(SEVERITY_COUNTER + "{"))
            settled = len(errors) + self.before == counted and self.ledger.acknowledged.keys() <= {
                e["event_id"] for e in errors
            }
            if settled or time.monotonic() > deadline:
                return errors
            await asyncio.sleep(0.2)

    async def _live_problems(self, stored: dict[int, str]) -> list[str]:
        with contextlib.suppress(AssertionError):
            await eventually(lambda: self.follower.seq >= self.before + len(stored), 10)
        found = [f"WebSocket: {fault}" for fault in self.follower.faults]
        if self.follower.received != stored:
            missing = stored.keys() - self.follower.received.keys()
            found.append(f"WebSocket: {len(missing)} of {len(stored)} errors were not delivered: {_few(missing)}")
        return found

    async def _alert_problems(self, stored: dict[str, dict[str, Any]]) -> list[str]:
        workers: dict[str, list[str]] = {}
        for error in stored.values():
            if error["severity"] == "critical":
                workers.setdefault(error["type"], []).append(error["worker_id"])
        expected = {type_: (len(of), len(set(of))) for type_, of in workers.items()}
        with contextlib.suppress(AssertionError):
            await eventually(lambda: self.alertmanager.alerts == expected, 10)
        told = self.alertmanager.alerts
        wrong = {f"{type_}: {told.get(type_)}, stored {expected.get(type_)}" for type_ in told.keys() | expected.keys()
                 if told.get(type_) != expected.get(type_)}  # fmt: skip
        return [f"{len(wrong)} types were pushed with wrong numbers: {_few(wrong)}"] if wrong else []

    def _metrics_problems(self, by_severity: Counter[str]) -> list[str]:
        expected = {severity: by_severity[severity] for severity in ("critical", "warning", "info")}
        expected["info"] += self.before
        active = sum(expected.values()) - self.before  # those before are of workers that are idle for days
        deadline = time.monotonic() + 10
        while True:
            scraped = {labels["severity"]: value for labels, value in self.prometheus.ask(SEVERITY_COUNTER)}
            total = sum(value for _, value in self.prometheus.ask(f"sum({ERRORS_COUNTER})"))
            if (scraped == expected and total == active) or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        found = []
        if scraped != expected:
            found.append(f"Prometheus has {scraped}, the store {expected}")
        if total != active:
            found.append(f"{ERRORS_COUNTER} adds up to {total}, the store has {active} errors of active workers")
        if (gauge := self.service.metrics()["distributed_testing_critical_errors"]) != expected["critical"]:
            found.append(f"the gauge of critical errors says {gauge}, the store has {expected['critical']}")
        for counter in (SEVERITY_COUNTER, ERRORS_COUNTER):
            if resets := [labels for labels, value in self.prometheus.ask(f"resets({counter}[1h])") if value]:
                found.append(f"{len(resets)} series of {counter} went down: {resets[:3]}")
        return found


def _few(values: Any) -> str:
    return ", ".join(map(str, sorted(values)[:5]))


@contextlib.asynccontextmanager
async def site(
    start: Callable[..., Served], folder: Path, seed: int, *flags: str, before: int = 0
) -> AsyncIterator[Site]:
    """A service that keeps its port across restarts, observed by a WebSocket client, a Prometheus and a stub of
    Alertmanager. `start` is the fixture `served`."""
    print(f"seed {seed}")
    alertmanager = AlertmanagerStub()
    await alertmanager.start()
    port = free_port()

    def start_again() -> Served:
        return start("--alertmanager-url", alertmanager.url, "--longest-scrape-interval", "1", *flags, port=port)

    service = await asyncio.to_thread(start_again)
    prometheus = await asyncio.to_thread(Prometheus, folder, f"127.0.0.1:{port}")
    follower = Follower(service.url, before)
    rng = random.Random(seed)
    try:
        yield Site(start_again, service, Ledger(rng), rng, follower, alertmanager, prometheus, before=before)
    finally:
        await follower.stop()
        await asyncio.to_thread(prometheus.stop)
        await alertmanager.stop()


def seed_of_run() -> int:
    """Returns a random seed, or the seed in CRASH_SEED, to repeat a run."""
    return int(os.environ.get("CRASH_SEED") or random.randrange(1_000_000))
