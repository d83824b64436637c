"""While the store process is dead, hangs or cannot start again, reports are still accepted."""

import asyncio
import contextlib
import time
import urllib.error
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from conftest import InProcess, Served, eventually, store_processes, stored

from exporter.store import client as module

pytestmark = pytest.mark.dashboard


async def read(served: Served, path: str = "/api/errors") -> Any:
    """The answer's data; None while the answer is 503."""
    try:
        return await asyncio.to_thread(served.get, path)
    except urllib.error.HTTPError as error:
        with error:
            assert (error.code, error.headers["Retry-After"]) == (503, "5")
        return None


async def test_a_killed_process_is_started_again_and_no_report_waits_for_it(served: Callable[..., Served]) -> None:
    service = served()
    service.post({"event_id": "e1"})
    (process,) = store_processes(service)
    process.kill()
    for number in range(2, 100):
        assert service.post({"event_id": f"e{number}"})["id"] == number
        assert service.get("/-/ready")["ready"]
    await eventually(lambda: read(service))
    assert stored(service) == [f"e{number}" for number in reversed(range(1, 100))]
    assert len(store_processes(service)) == 1
    metrics = service.metrics()
    assert metrics['distributed_testing_errors_by_severity_total{severity="critical"}'] == 99
    assert metrics["distributed_testing_database_restarts_total"] == 1
    assert service.get("/-/ready") == {"ready": True, "behind": []}


async def test_a_process_that_dies_again_and_again_is_started_in_the_end(served: Callable[..., Served]) -> None:
    service = served()
    killed: set[int] = set()

    def enough() -> bool:
        for process in store_processes(service):
            with contextlib.suppress(psutil.Error):
                process.kill()
                killed.add(process.pid)
        assert service.post({"event_id": f"e{len(killed)}"})["id"] <= len(killed)
        return len(killed) > 4

    await eventually(enough, 30)
    await eventually(lambda: read(service), 30)
    assert stored(service) == ["e5", "e4", "e3", "e2", "e1"]
    assert len(store_processes(service)) == 1
    assert service.stop() == 0


async def test_while_it_hangs_reports_are_accepted_and_reads_are_503(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    service: InProcess = await serve(process=True)
    await service.post({"event_id": "e1"})
    assert (await service.get("/api/errors"))["summary"]["total_errors"] == 1
    monkeypatch.setattr(module, "READ_SECONDS", 0.1)
    connection = service.service.store._connection
    assert connection
    assert connection._process
    hanging = psutil.Process(connection._process.pid)
    hanging.suspend()
    for number in range(2, 50):
        began = time.monotonic()
        assert (await service.post({"event_id": f"e{number}"}))["id"] == number
        assert time.monotonic() - began < 5  # the store process hangs for good
    assert "database" in (await service.get("/api/errors", 503))["message"]
    assert (await service.post({"event_id": "e1"}))["id"] == 1  # a repeat, answered from the log
    assert (await service.get("/-/ready"))["ready"] is True
    metrics = await service.metrics()
    assert metrics['distributed_testing_reader_lag_events{reader="database"}'] >= 48
    assert metrics['distributed_testing_reader_lag_events{reader="metrics"}'] == 0
    with monkeypatch.context() as patch:
        patch.setattr(module, "PING_SECONDS", 0.1)
        await eventually(lambda: service.service.store.restarts)
    monkeypatch.undo()

    async def answered() -> bool:
        async with service.client.get("/api/errors") as response:
            return response.status == 200

    await eventually(answered)
    assert not hanging.is_running()
    assert (await service.get("/api/errors"))["summary"]["total_errors"] == 49


async def test_a_database_that_does_not_follow_is_named(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports are accepted, so the service is ready."""
    service: InProcess = await serve()
    from exporter.store.projection import Projection

    def fails(*_: object) -> None:
        raise module.StoreError("disk full")

    monkeypatch.setattr("exporter.store.projection.INTERVAL_SECONDS", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(Projection, "insert", fails)
        await service.post()

        async def named() -> bool:
            return bool((await service.get("/-/ready")) == {"ready": True, "behind": ["database"]})

        await eventually(named)
        metrics = await service.metrics()
        assert metrics["distributed_testing_database_up"] == 0
        assert "disk full" in (await service.get("/api/errors", 503))["message"]
        assert (await service.post())["id"] == 2

    async def following() -> bool:
        return bool((await service.get("/-/ready")) == {"ready": True, "behind": []})

    await eventually(following)
    assert (await service.metrics())["distributed_testing_database_up"] == 1
    assert (await service.get("/api/errors"))["summary"]["total_errors"] == 2
