"""The load of the crash tests: clients that retry reports until they are acknowledged, and a ledger of both."""

import asyncio
import contextlib
import itertools
import random
import time
from collections import Counter
from typing import Any

import aiohttp

CLIENTS = 6
CRITICAL_SHARE = 0.1
TYPES = 150  # of critical errors; fewer than `max_type_labels`, so that no label is folded
ATTEMPT_SECONDS = 5.0
DELIVERY_SECONDS = 45.0  # bounds the retries of one request
RETRY_SECONDS = 0.05


class Ledger:
    """Makes reports, and records sent and acknowledged reports by event_id."""

    def __init__(self, rng: random.Random) -> None:
        self.sent: dict[str, dict[str, Any]] = {}
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.contradictions: list[str] = []  # retries with a different response than before
        self._rng = rng
        self._numbers = itertools.count()
        self._critical = itertools.count()

    def report(self) -> dict[str, Any]:
        """Returns a new report. Each critical report has its own pair of type and worker, so each changes the number
        of workers that the alerts of its type say."""
        number = next(self._numbers)
        report = {
            "event_id": f"e{number}",
            "worker_id": f"w{number % 7}",
            "type": self._rng.choice(("AssertionError", "TimeoutError", "KeyError")),
            "error_category": self._rng.choice(("TEST_FAILURE", "NETWORK_TIMEOUT", "UNKNOWN_ERROR")),
            "message": f"message {number}",
            "traceback": "x" * self._rng.randrange(2_000),
        }
        if self._rng.random() < CRITICAL_SHARE:
            critical = next(self._critical)
            report |= {
                "type": f"Critical{critical % TYPES}",
                "worker_id": f"c{critical // TYPES}",
                "error_category": "RESOURCE_EXHAUSTED",
            }
        self.sent[report["event_id"]] = report
        return report

    def acknowledge(self, event_id: str, answer: dict[str, Any]) -> None:
        known = self.acknowledged.setdefault(event_id, answer)
        if answer["event_id"] != event_id or known != answer:
            self.contradictions.append(f"{event_id} was answered {known}, then {answer}")


class Load:
    """Clients that send single reports and small batches, and retry each request until it is acknowledged. `pause` is
    the time in seconds between two requests of a client. `repeats` is the share of requests that send acknowledged
    reports again. `failures` counts failed attempts by their response.

    The clients run inside `async with`, whose end waits until all sent reports are acknowledged."""

    def __init__(self, url: str, ledger: Ledger, rng: random.Random, repeats: float = 0.0) -> None:
        self.pause = 0.1
        self._repeats = repeats
        self.failures: Counter[str] = Counter()
        self._url = url
        self._ledger = ledger
        self._rng = rng
        self._stopped = asyncio.Event()

    async def __aenter__(self) -> "Load":
        self._clients = asyncio.gather(*(self._client() for _ in range(CLIENTS)))
        return self

    async def __aexit__(self, kind: object, *error: object) -> None:
        self._stopped.set()
        if kind is None:
            await self._clients
            return
        self._clients.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._clients

    def problems(self) -> list[str]:
        return [f"{count} times a POST failed: {failure}" for failure, count in self.failures.items()]

    async def _client(self) -> None:
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_SECONDS)
        async with aiohttp.ClientSession(self._url, timeout=timeout) as session:
            while not self._stopped.is_set():
                await self._deliver(session, self._reports(self._rng.choice((1, 1, 1, 4))))
                await asyncio.sleep(self.pause)

    def _reports(self, count: int) -> list[dict[str, Any]]:
        known = list(itertools.islice(reversed(self._ledger.acknowledged), 200))
        if len(known) >= count and self._rng.random() < self._repeats:
            return [self._ledger.sent[one] for one in self._rng.sample(known, count)]
        return [self._ledger.report() for _ in range(count)]

    async def _deliver(self, session: aiohttp.ClientSession, reports: list[dict[str, Any]]) -> None:
        deadline = time.monotonic() + DELIVERY_SECONDS
        while True:
            try:
                failure = await self._attempt(session, reports)
            except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
                failure = repr(error)
            if not failure:
                return
            self.failures[failure] += 1
            assert time.monotonic() < deadline, f"{reports[0]['event_id']} was never acknowledged: {failure}"
            await asyncio.sleep(RETRY_SECONDS)

    async def _attempt(self, session: aiohttp.ClientSession, reports: list[dict[str, Any]]) -> str:
        """Sends `reports` once and records the acknowledged ones. Returns the reason of a failure, or ""."""
        path, body = ("/api/report-error", reports[0]) if len(reports) == 1 else ("/api/report-errors", reports)
        async with session.post(path, json=body) as response:
            answer = await response.json()
            outcomes = [answer] if len(reports) == 1 else answer.get("data", {}).get("results", [])
            for report, outcome in zip(reports, outcomes, strict=bool(outcomes)):
                if outcome["status"] == "success":
                    self._ledger.acknowledge(report["event_id"], outcome["data"])
            return "" if response.status == 200 else f"{response.status} {answer['message']}"
