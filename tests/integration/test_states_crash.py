"""The service and its database are killed while patterns are resolved and come back. Each answered resolution is there, and
each is followed by at most one regression.

A run prints its seed; `CRASH_SEED=n` repeats it (as far as processes can be repeated)."""

import asyncio
import contextlib
import itertools
import json
import random
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from bounded import bounded
from conftest import Served, eventually, store_processes
from crash import seed_of_run

pytestmark = pytest.mark.dashboard
ROUNDS = bounded(20, 5)


def request(service: Served, path: str, body: Any) -> Any:
    asked = urllib.request.Request(service.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as response:
        return json.load(response)["data"]


def is_there(service: Served) -> bool:
    with contextlib.suppress(urllib.error.HTTPError):
        return bool(service.get("/api/audit")["entries"])
    return False


async def test_each_resolution_is_kept_and_ends_once(served: Callable[..., Served]) -> None:
    rng = random.Random(seed_of_run())
    service = served()
    id_ = request(service, "/api/report-error", {"worker_id": "w", "message": "engine"})["pattern_id"]
    answered: list[str] = []

    def resolve(service: Served, name: str) -> None:
        with contextlib.suppress(OSError, urllib.error.HTTPError):
            for number in range(10):
                request(service, f"/api/patterns/{id_}/resolve", {"by": f"{name}-{number}"})
                answered.append(f"{name}-{number}")

    def fail(service: Served) -> None:
        with contextlib.suppress(OSError, urllib.error.HTTPError):
            for _ in range(30):
                request(service, "/api/report-error", {"worker_id": "w", "message": "engine"})

    for number in range(ROUNDS):
        threads = [
            threading.Thread(target=resolve, args=(service, str(number))),
            threading.Thread(target=fail, args=(service,)),
        ]
        known = len(answered)
        for thread in threads:
            thread.start()
        await eventually(lambda known=known: len(answered) > known, 30)
        await asyncio.sleep(rng.uniform(0.02, 0.3))
        if number % 2:
            for process in store_processes(service):
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        else:
            service.kill()
        for thread in threads:
            thread.join()
        if not number % 2:
            service = served()
        await eventually(lambda service=service: is_there(service), 30)

    def actions() -> list[tuple[str, str | None]]:
        with contextlib.suppress(urllib.error.HTTPError):
            found = service.get("/api/audit?limit=1000")["entries"]
            return [(one["action"], one["by"]) for one in reversed(found)]
        return []

    request(service, f"/api/patterns/{id_}/resolve", {"by": "last"})
    request(service, "/api/report-error", {"worker_id": "w", "message": "engine"})
    assert service.get(f"/api/patterns/{id_}/state")["state"]["status"] == "regressed"
    got = actions()
    resolved = [by for action, by in got if action == "resolve"]
    assert set(answered) <= set(resolved)
    assert len(set(resolved)) == len(resolved)
    for one, two in itertools.pairwise(got):
        assert (one[0], two[0]) != ("regressed", "regressed")
