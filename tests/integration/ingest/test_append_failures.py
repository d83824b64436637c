"""Appends that fail: the sender gets an error, nothing is stored, and a later try is accepted."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from conftest import REPORT, InProcess, eventually
from ingesting import Ingesting, submission

from exporter.ingest import ingest as module
from exporter.ingest import pipeline
from exporter.ingest.pipeline import Refusal
from exporter.log import LogError
from exporter.log.embedded import EmbeddedLog
from exporter.store import StoreError
from exporter.store.projection import Projection

pytestmark = pytest.mark.dashboard


@pytest.fixture
async def ingesting(tmp_path: Path) -> AsyncIterator[Ingesting]:
    ingesting = Ingesting(tmp_path / "log")
    yield ingesting
    await ingesting.close()


def failing(*_: object) -> int:
    raise LogError("disk full")


async def test_a_failed_append_leaves_no_trace(ingesting: Ingesting, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ingesting.log, "append", failing)
        results = await ingesting.accept(*[submission("a")] * 3, submission("b", key="k"), submission("c", key="k"))
    assert results == [Refusal("disk full", "", "store_failed")] * 5
    assert (ingesting.events, [str(error) for error in ingesting.failures]) == ([], ["disk full"])
    assert (ingesting.log.last, ingesting.ingest.queued, ingesting.ingest.bytes) == (0, 0, 0)
    first, second, keyed = await ingesting.accept(submission("a"), submission("a"), submission("b", key="k"))
    assert [result["id"] for result in (first, second, keyed)] == [1, 2, 3]
    assert keyed["event_id"] == "k"
    assert [event.is_new_pattern for event in ingesting.events] == [True, False, True]
    assert not any(event.is_recurring for event in ingesting.events)  # the failed ones do not count


async def test_a_failure_of_any_kind_is_a_refusal(
    ingesting: Ingesting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ingesting.log, "append", lambda *_: 1 / 0)
        (result,) = await ingesting.accept(submission())
    assert result.retry
    assert "a batch could not be appended" in caplog.text
    assert (await ingesting.accept(submission()))[0]["id"] == 1


async def test_one_report_that_cannot_be_prepared_takes_no_other_with_it(
    ingesting: Ingesting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = pipeline.fingerprint

    def breaks(type_: str, message: str, traceback: str | None) -> Any:
        if message == "poison":
            raise RecursionError("a fault of our own")
        return real(type_, message, traceback)

    monkeypatch.setattr(pipeline, "fingerprint", breaks)
    messages = ("a", "b", "poison", "c", "d")
    results = await ingesting.accept(*map(submission, messages))
    assert [isinstance(result, Refusal) for result in results] == [False, False, True, False, False]
    assert (results[2].reason, results[2].status, results[2].retry) == ("internal_error", 500, False)
    assert [(event.id, event.message) for event in ingesting.events] == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]
    assert (await ingesting.accept(submission("e")))[0]["id"] == 5
    assert "a report could not be prepared" in caplog.text


async def test_one_report_that_cannot_be_encoded_takes_no_other_with_it(
    ingesting: Ingesting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    encode = module.encode_batch

    def refuse(events: Any) -> bytes:
        if any(event.message == "poison" for event in events):
            raise ValueError("cannot be encoded")
        return encode(events)

    monkeypatch.setattr(module, "encode_batch", refuse)
    results = await ingesting.accept(*[submission(one, key=f"k{one}") for one in ("a", "b", "poison", "c", "d")])
    assert [isinstance(result, Refusal) for result in results] == [False, False, True, False, False]
    assert (results[2].reason, results[2].status, results[2].retry) == ("internal_error", 500, False)
    assert [(event.id, event.message) for event in ingesting.events] == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]
    (again,) = await ingesting.accept(submission("poison", key="kpoison"))
    assert again.status == 500
    (other,) = await ingesting.accept(submission("good", key="kpoison"))
    assert other["id"] == 5
    assert ingesting.failures == []  # the failure is not one of the log
    assert "a report cannot be stored" in caplog.text


async def test_a_fault_after_the_append_ends_nothing(
    ingesting: Ingesting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ingesting.ingest, "_on_batch", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await ingesting.accept(submission("a"))
    assert (await ingesting.accept(submission("b")))[0]["id"] == 2
    assert (ingesting.ingest.queued, ingesting.ingest.bytes, ingesting.ingest.oldest_seconds()) == (0, 0, 0)


async def test_a_sender_that_goes_away_changes_nothing(ingesting: Ingesting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its report is stored once, and no other sender waits longer."""
    append = ingesting.log.append

    def slow(payload: bytes, count: int) -> int:
        time.sleep(0.1)
        return append(payload, count)

    monkeypatch.setattr(ingesting.log, "append", slow)
    gone = [asyncio.create_task(ingesting.accept(submission("a", key="k"), submission("b"))) for _ in range(2)]
    await asyncio.sleep(0.05)
    for request in gone:
        request.cancel()
    (again,) = await ingesting.accept(submission("a", key="k"))
    assert again["id"] == 1
    assert [event.message for event in ingesting.events] == ["a", "b", "b"]
    assert ingesting.ingest.queued == 0


async def test_a_batch_whose_sender_goes_away_is_stored_once(service: InProcess) -> None:
    items = [REPORT | {"worker_id": f"w{n}", "event_id": f"e{n}"} for n in range(1_000)]
    sending = asyncio.ensure_future(service.client.post("/api/report-errors", json=items))
    await asyncio.sleep(0.02)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    async with service.client.post("/api/report-errors", json=items) as response:
        assert response.status == 200
    assert (await service.get("/api/errors"))["summary"]["total_errors"] == 1_000


async def test_a_stop_settles_what_waits(ingesting: Ingesting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingesting.ingest, "_most", 1)
    requests = [asyncio.create_task(ingesting.accept(submission(f"m{n}"))) for n in range(20)]
    await asyncio.sleep(0)
    await ingesting.ingest.drain(5)
    assert sorted(result["id"] for (result,) in await asyncio.gather(*requests)) == list(range(1, 21))


async def test_a_failing_log_is_answered_with_503_and_not_ready(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(EmbeddedLog, "append", failing)
        patch.setattr(EmbeddedLog, "probe", failing)
        async with service.client.post("/api/report-error", json=REPORT) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "5")
            assert "disk full" in (await response.json())["message"]
        async with service.client.post("/api/report-errors", json=[REPORT, {}]) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "5")
            assert [result["code"] for result in (await response.json())["data"]["results"]] == [503, 400]
        assert "disk full" in (await service.get("/-/ready", 503))["message"]
        metrics = await service.metrics()
        assert metrics["distributed_testing_database_up"] == 0
        assert metrics["distributed_testing_database_errors_total"] == 2
        assert metrics['distributed_testing_reports_rejected_total{reason="store_failed"}'] == 2
        assert metrics["distributed_testing_log_position"] == 0
    assert (await service.get("/-/ready"))["ready"]  # readiness is probed, not remembered
    assert (await service.post())["id"] == 1
    assert (await service.metrics())["distributed_testing_database_up"] == 1
    assert (await service.get("/api/errors"))["summary"]["total_errors"] == 1


async def test_a_full_log_is_503_until_the_database_has_caught_up(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    service: InProcess = await serve(log_max_bytes=2**24, log_keep_events=0, max_report_bytes=2**23)

    def fails(*_: object) -> None:
        raise StoreError("the database is away")

    async def post(size: int) -> tuple[int, str | None, Any]:
        async with service.client.post("/api/report-error", json=REPORT | {"x": "x" * size}) as response:
            return response.status, response.headers.get("Retry-After"), await response.json()

    accepted = 0
    with monkeypatch.context() as patch:
        patch.setattr(Projection, "catch_up", fails)
        for size in (500_000, 50_000, 5_000):  # until even the smallest does not fit
            while (answer := await post(size))[0] == 200:
                accepted += 1
            assert answer[:2] == (503, "5")
            assert "that the database does not have yet" in answer[2]["message"]
        assert 30 < accepted < 100
        assert "that the database does not have yet" in (await service.get("/-/ready", 503))["message"]
        metrics = await service.metrics()
        assert metrics['distributed_testing_reports_rejected_total{reason="queue_full"}'] == 3
        assert metrics['distributed_testing_reader_lag_events{reader="database"}'] == accepted
        assert metrics["distributed_testing_log_events_bytes"] > 2**24 - 2**20

    async def ready() -> bool:
        async with service.client.get("/-/ready") as response:
            return response.status == 200

    await eventually(ready)
    assert (await service.post())["id"] == accepted + 1
    assert (await service.get("/api/errors"))["summary"]["total_errors"] == accepted + 1
