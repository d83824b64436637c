"""The service is killed at random moments while it deletes old errors and errors that somebody asked to delete. Nothing
else is lost or doubled.

A run prints its seed; `CRASH_SEED=n` repeats it (as far as processes can be repeated)."""

import asyncio
import contextlib
import datetime as dt
import json
import random
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bounded import ALL, bounded
from conftest import Served, eventually, store_processes
from crash import seed_of_run
from events import event
from projected import Projected

from exporter.store import offline

pytestmark = pytest.mark.dashboard
ROUNDS = bounded(20, 6)
DEMO, KEPT = 20, 10  # reports of one round
DAYS, OLD = 90 if ALL else 30, 10  # days with so many old errors


def reports(number: int) -> list[dict[str, Any]]:
    """The reports of one round: some of a demo, and some to keep."""
    return [
        {"worker_id": kind, "type": "T", "message": f"{kind} {number}", "event_id": f"{kind}-{number}-{place}"}
        for place, kind in enumerate(["demo"] * DEMO + ["kept"] * KEPT)
    ]


def fill(path: Path) -> None:
    """Makes a database of a service that stood still for three days. A step of retention deletes the errors of a day."""
    now = dt.datetime.now(dt.UTC)
    store = Projected(path)
    for day in range(DAYS):
        then = now - dt.timedelta(days=3 + DAYS - day)
        store.append(
            [event(timestamp=then, received_at=then, worker_id="old", event_id=f"{day}-{one}") for one in range(OLD)]
        )
    store.catch_up()
    store.database.db.execute("UPDATE log_position SET identity = $1", [store.log.identity])
    store.close()


def request(service: Served, path: str, body: Any) -> Any:
    asked = urllib.request.Request(service.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as response:
        return json.load(response)["data"]


def delete_demo(service: Served) -> Any:
    return request(service, "/api/errors/delete", {"worker": ["demo"], "dry_run": False})


async def test_what_is_killed_while_it_deletes_loses_nothing_else(
    served: Callable[..., Served], tmp_path: Path
) -> None:
    rng = random.Random(seed_of_run())
    db = tmp_path / "errors.duckdb"
    fill(db)
    service = served("--retention", "1h")
    for number in range(ROUNDS):
        assert request(service, "/api/report-errors", reports(number))["stored"] == DEMO + KEPT
        deleting = threading.Thread(target=_ignore, args=(delete_demo, service))
        deleting.start()
        await asyncio.sleep(rng.uniform(0, 0.3))
        if number % 3:
            for process in store_processes(service):
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            deleting.join()
        else:
            service.kill()
            deleting.join()
            service = served("--retention", "1h")

    async def is_read() -> bool:
        with contextlib.suppress(urllib.error.HTTPError):
            return bool(service.get("/api/errors"))
        return False

    await eventually(is_read, 30)
    delete_demo(service)

    def left() -> list[str]:
        with contextlib.suppress(urllib.error.HTTPError):
            found = service.get("/api/errors/list?time_range=87600&limit=1000")["errors"]
            return sorted(one["event_id"] for one in found)
        return []

    expected = sorted(f"kept-{number}-{place}" for number in range(ROUNDS) for place in range(DEMO, DEMO + KEPT))
    await eventually(lambda: left() == expected, 40)
    history = {one["value"]: sum(one[name] for name in ("critical", "warning", "info"))
               for one in service.get("/api/history?days=120&by=worker")["days"]}  # fmt: skip
    assert history.get("kept") == ROUNDS * KEPT
    assert history.get("demo", 0) == 0
    days = service.get("/api/history?days=120&by=worker&value=old")["days"]
    assert sum(one["critical"] + one["warning"] + one["info"] for one in days) == DAYS * OLD
    total = sum(value for name, value in service.metrics().items()
                if name.startswith("distributed_testing_errors_by_severity_total"))  # fmt: skip
    assert total == DAYS * OLD + ROUNDS * (DEMO + KEPT)
    assert service.stop() == 0
    assert offline.check(db) == []


def _ignore(call: Callable[[Served], Any], service: Served) -> None:
    with contextlib.suppress(OSError, urllib.error.URLError, ValueError):
        call(service)
