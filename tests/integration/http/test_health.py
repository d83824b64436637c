"""/-/healthy, and /-/ready, which tries a write to find out whether a report could be accepted now."""

import asyncio
import threading
import time
from typing import Any

import pytest
from conftest import REPORT, InProcess, eventually

from exporter import service as module
from exporter.ingest import readiness
from exporter.log import LogError
from exporter.log.embedded import EmbeddedLog

pytestmark = pytest.mark.dashboard


async def not_ready(service: InProcess) -> str:
    async with service.client.get("/-/ready") as response:
        answer = await response.json()
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        return str(answer["message"])


async def test_a_service_that_is_well(service: InProcess) -> None:
    assert await service.get("/-/healthy") == {"healthy": True}
    assert await service.get("/-/ready") == {"ready": True, "behind": []}


async def test_a_disk_that_is_nearly_full(serve: Any) -> None:
    full = await serve(min_free_bytes=2**62)
    assert "nearly full" in await not_ready(full)
    assert (await full.post())["id"] == 1  # "not ready" is only a warning; reports are still stored


async def test_a_log_that_fails_and_is_well_again(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise LogError("Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(EmbeddedLog, "append", fails)
        async with service.client.post("/api/report-error", json=REPORT) as response:
            assert response.status == 503
        assert await service.get("/-/ready")  # the probe succeeds, although an append failed before
        patch.setattr(EmbeddedLog, "probe", fails)
        assert await not_ready(service) == "the log fails: Input/output error"
        assert await service.get("/-/healthy") == {"healthy": True}
    assert await service.get("/-/ready") == {"ready": True, "behind": []}  # no report was needed in between


async def test_a_log_that_hangs(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request is answered in time, and only one probe waits for the disk, however many requests there are."""
    monkeypatch.setattr(readiness, "PROBE_SECONDS", 0.1)
    released = threading.Event()
    tries = 0
    probe = EmbeddedLog.probe

    def hangs(log: EmbeddedLog) -> None:
        nonlocal tries
        tries += 1
        released.wait(10)
        probe(log)

    monkeypatch.setattr(EmbeddedLog, "probe", hangs)
    began = time.monotonic()
    answers = await asyncio.gather(*(not_ready(service) for _ in range(20)))
    answers.append(await not_ready(service))
    assert set(answers) == {"the log did not answer within 0.1 s"}
    assert time.monotonic() - began < 5
    assert tries == 1
    assert await service.get("/-/healthy") == {"healthy": True}
    released.set()
    await eventually(lambda: service.service.readiness._probe is None or service.service.readiness._probe.done())
    assert await service.get("/-/ready") == {"ready": True, "behind": []}


async def test_reports_that_wait_for_too_long(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "STUCK_SECONDS", 0.05)
    begun, released = threading.Event(), threading.Event()
    append = service.service.log.append

    def hangs(payload: bytes, count: int) -> int:
        begun.set()
        released.wait(10)
        return append(payload, count)

    monkeypatch.setattr(service.service.log, "append", hangs)
    request = asyncio.create_task(service.post())
    await eventually(begun.is_set)
    await asyncio.sleep(0.1)
    assert "has been waiting to be written" in await not_ready(service)
    released.set()
    await request
    assert await service.get("/-/ready") == {"ready": True, "behind": []}


async def test_a_reader_that_is_behind_is_named(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEHIND_SECONDS", 0.05)

    def fails(_: object) -> None:
        raise RuntimeError("a fault of our own")

    async def behind() -> bool:
        return "live" in (await service.get("/-/ready"))["behind"]

    async def well() -> bool:
        return not await behind()

    with monkeypatch.context() as patch:
        patch.setattr(service.service.live, "on_events", fails)
        await service.post()
        await eventually(behind)
        ready = await service.get("/-/ready")
        assert (ready["ready"], ready["behind"][0]) == (True, "live")
        metrics = await service.metrics()
        assert metrics['distributed_testing_reader_lag_events{reader="live"}'] == 1
        assert metrics['distributed_testing_reader_restarts_total{reader="live"}'] >= 1

    await eventually(well)
    assert (await service.metrics())['distributed_testing_reader_skipped_events_total{reader="live"}'] == 0
