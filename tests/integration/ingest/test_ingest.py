"""Reports through HTTP: batches, the queue, recurrence and times."""

import asyncio
import datetime as dt
import gzip
import io
import json
from typing import Any

import pytest
from conftest import REPORT, InProcess

from exporter.ingest import turns
from exporter.ingest.severity import Thresholds

pytestmark = pytest.mark.dashboard


async def total(service: InProcess) -> int:
    return (await service.get("/api/errors"))["summary"]["total_errors"]


async def test_a_batch_tells_of_each_item(service: InProcess) -> None:
    items = [
        REPORT | {"event_id": "a"},
        {"message": "no worker"},
        {"worker_id": "w"},
        3,
        REPORT | {"event_id": "a"},
    ]
    async with service.client.post("/api/report-errors", json=items) as response:
        assert response.status == 207
        answer = await response.json()
    assert answer["status"] == "partial"
    results = answer["data"]["results"]
    assert [r["status"] for r in results] == ["success", "error", "error", "error", "success"]
    assert [r.get("field") for r in results] == [None, "worker_id", "message", "", None]
    assert results[0]["data"] == results[4]["data"]
    assert (answer["data"]["stored"], answer["data"]["failed"]) == (2, 3)
    assert await total(service) == 1
    metrics = await service.metrics()
    assert metrics['distributed_testing_reports_rejected_total{reason="invalid_field"}'] == 3
    assert metrics['distributed_testing_reports_received_total{protocol="json_batch"}'] == 5


async def test_lines_are_a_batch(service: InProcess) -> None:
    lines = b"\n".join(json.dumps(REPORT | {"worker_id": f"w{n}"}).encode() for n in range(3)) + b"\n{half"
    async with service.client.post(
        "/api/report-errors", data=lines, headers={"Content-Type": "application/x-ndjson"}
    ) as response:
        answer = await response.json()
    assert [r["status"] for r in answer["data"]["results"]] == ["success"] * 3 + ["error"]
    assert await total(service) == 3


@pytest.mark.parametrize(("body", "status"), [(b"[]", 200), (b"{}", 400), (b"[{}]", 400), (b"[", 400)])
async def test_odd_batches(service: InProcess, body: bytes, status: int) -> None:
    async with service.client.post(
        "/api/report-errors", data=body, headers={"Content-Type": "application/json"}
    ) as response:
        assert response.status == status


async def test_a_large_batch_is_stored_whole(service: InProcess) -> None:
    body = io.BytesIO(json.dumps([REPORT | {"worker_id": f"w{n}"} for n in range(9_000)]).encode())
    headers = {"Content-Type": "application/json"}
    async with service.client.post("/api/report-errors", data=body, headers=headers) as response:
        assert (await response.json())["data"]["stored"] == 9_000
    assert await total(service) == 9_000


async def test_a_full_queue_says_when_to_come_back(serve: Any) -> None:
    service = await serve(queue_capacity=2)
    service.service.ingest.queued = 1
    async with service.client.post("/api/report-errors", json=[REPORT] * 2) as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert (await response.json())["status"] == "error"
    assert (await service.metrics())['distributed_testing_reports_rejected_total{reason="queue_full"}'] == 1
    service.service.ingest.queued = 0
    await service.post()
    assert await total(service) == 1


async def test_a_queue_is_full_by_size_too(serve: Any) -> None:
    service = await serve(queue_bytes=2**20)
    large = [REPORT | {"message": "m" * 400_000}] * 3
    body = io.BytesIO(gzip.compress(json.dumps(large).encode()))  # half of the queue is for bodies that arrive
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    async with service.client.post("/api/report-errors", data=body, headers=headers) as response:
        assert response.status == 413
    service.service.ingest.bytes = 700_000
    async with service.client.post("/api/report-error", json=large[0]) as response:
        assert (response.status, int(response.headers["Retry-After"]) > 0) == (503, True)
    service.service.ingest.bytes = 0
    await service.post(large[0])
    assert service.service.ingest.bytes == 0


async def test_large_reports_are_appended_in_small_batches(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MAX_BYTES", 100_000)
    service = await serve()
    await asyncio.gather(*(service.post({"message": "m" * 60_000, "worker_id": f"w{n}"}) for n in range(6)))
    metrics = await service.metrics()
    assert metrics["distributed_testing_commit_batch_size_count"] == 6
    assert await total(service) == 6


async def test_recurrence_is_counted_here(service: InProcess) -> None:
    reasons = [(await service.post({"error_category": "TEST_X", "message": f"try {n}"}))["reasons"] for n in range(3)]
    assert ["recurring" in r for r in reasons] == [False, False, True]


async def test_recurrence_is_counted_over_a_restart(serve: Any) -> None:
    service = await serve()
    for _ in range(2):
        await service.post({"error_category": "TEST_X"})
    await service.client.close()
    assert "recurring" in (await (await serve()).post({"error_category": "TEST_X"}))["reasons"]


async def test_a_high_threshold_of_recurrence_is_counted_over_a_restart(serve: Any) -> None:
    """At start the store returns as many times of each pattern as the highest threshold needs."""
    limits = Thresholds(recurring_per_hour=1000, recurring_per_6_hours=1000)
    service = await serve(thresholds=limits)
    reports = [REPORT | {"error_category": "TEST_X"}] * 1000
    async with service.client.post("/api/report-errors", json=reports) as response:
        results = (await response.json())["data"]["results"]
    assert not any("recurring" in result["data"]["reasons"] for result in results)
    await service.client.close()
    again = await serve(thresholds=limits)
    assert "recurring" in (await again.post({"error_category": "TEST_X"}))["reasons"]


async def test_times_are_taken_as_sent(serve: Any) -> None:
    service = await serve(timezone="Asia/Kolkata")
    now = dt.datetime.now(dt.UTC)
    naive = (now + dt.timedelta(hours=5, minutes=29)).replace(tzinfo=None)
    cases = {naive.isoformat(): now - dt.timedelta(minutes=1), now.timestamp() - 90: now - dt.timedelta(seconds=90)}
    for sent, meant in cases.items():
        error = await service.get(f"/api/errors/{(await service.post({'timestamp': sent}))['id']}")
        assert abs(dt.datetime.fromisoformat(error["timestamp"]) - meant) < dt.timedelta(milliseconds=2)
    ahead = await service.get(f"/api/errors/{(await service.post({'timestamp': '2999-01-01T00:00:00Z'}))['id']}")
    assert ahead["timestamp"] == ahead["received_at"]
    assert ahead["report"]["timestamp"] == "2999-01-01T00:00:00Z"
