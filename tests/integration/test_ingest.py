"""Never lost, never doubled: ids, batches, and a store that fails."""

import asyncio
import datetime as dt
import io
import json
from typing import Any

import pytest
from conftest import REPORT, InProcess

from exporter.ingest import batching as intake
from exporter.ingest import deduplication as dedupe
from exporter.ingest import pipeline as ingest
from exporter.ingest.pipeline import Ingest, Refusal, Submission
from exporter.ingest.severity import Thresholds
from exporter.store import State, StoreError

pytestmark = pytest.mark.dashboard
EMPTY = State(0, {}, {}, {}, None, {}, {}, None)


class ListStore:
    """A store in a list; `refuse(events)` may raise."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.refuse: Any = lambda events: None

    def commit(self, events: Any) -> int:
        self.refuse(events)
        self.events += events
        return len(self.events) - len(events) + 1


def make(store: ListStore) -> Ingest:
    return Ingest(store, EMPTY, thresholds=Thresholds(), zone=None)  # type: ignore[arg-type]


def submissions(*messages: str) -> list[Submission]:
    return [Submission(json.dumps(REPORT | {"message": m}).encode(), 1_700_000_000.0, None) for m in messages]


async def total(service: InProcess) -> int:
    return (await service.get("/api/errors"))["summary"]["total_errors"]


async def test_one_id_is_stored_once_and_answered_alike(service: InProcess) -> None:
    first = await service.post({"event_id": "e1"})
    assert await service.post({"event_id": "e1", "message": "told otherwise", "error_category": "TEST_X"}) == first
    assert await total(service) == 1
    metrics = await service.metrics()
    assert metrics["distributed_testing_reports_duplicate_total"] == 1
    assert metrics['distributed_testing_errors_by_severity_total{severity="critical"}'] == 1


async def test_many_at_once_with_one_id_are_stored_once(service: InProcess) -> None:
    told = await asyncio.gather(*(service.post({"event_id": "e1"}) for _ in range(30)))
    assert len({json.dumps(one) for one in told}) == 1
    assert await total(service) == 1


async def test_the_idempotency_key_is_an_id(service: InProcess) -> None:
    first = await service.post(headers={"Idempotency-Key": "k"})
    assert first["event_id"] == "k"
    assert await service.post(headers={"Idempotency-Key": "k"}) == first
    own = await service.post({"event_id": "mine"}, headers={"Idempotency-Key": "k"})
    assert (own["event_id"], own["id"]) == ("mine", 2)
    async with service.client.post(
        "/api/report-error", json=REPORT, headers={"Idempotency-Key": "k" * 257}
    ) as response:
        assert (response.status, (await response.json())["field"]) == (400, "Idempotency-Key")


async def test_an_id_is_known_after_a_restart(serve: Any) -> None:
    service = await serve()
    first = await service.post({"event_id": "e1"})
    await service.client.close()
    again = await serve()
    assert await again.post({"event_id": "e1"}) == first
    assert await total(again) == 1


async def test_an_id_that_memory_forgot_is_found_in_the_store(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedupe, "REMEMBERED", 5)
    service = await serve()
    past = (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=10)).isoformat()
    first = await service.post({"event_id": "old", "timestamp": past})
    for number in range(20):
        await service.post({"event_id": f"new{number}"})
    assert await service.post({"event_id": "old", "timestamp": past}) == first
    assert await total(service) == 21


async def test_ids_made_here_are_unique(service: InProcess) -> None:
    told = await asyncio.gather(*(service.post() for _ in range(50)))
    assert len({one["event_id"] for one in told}) == len({one["id"] for one in told}) == 50


async def test_a_batch_tells_of_each_item(service: InProcess) -> None:
    items = [
        REPORT | {"event_id": "a"},
        {"message": "no worker"},
        REPORT | {"timestamp": "x"},
        3,
        REPORT | {"event_id": "a"},
    ]
    async with service.client.post("/api/report-errors", json=items) as response:
        assert response.status == 207
        answer = await response.json()
    assert answer["status"] == "partial"
    results = answer["data"]["results"]
    assert [r["status"] for r in results] == ["success", "error", "error", "error", "success"]
    assert [r.get("field") for r in results] == [None, "worker_id", "timestamp", "", None]
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
    service.service.intake.queued = 1
    async with service.client.post("/api/report-errors", json=[REPORT] * 2) as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert (await response.json())["status"] == "error"
    assert (await service.metrics())['distributed_testing_reports_rejected_total{reason="queue_full"}'] == 1
    service.service.intake.queued = 0
    await service.post()
    assert await total(service) == 1


async def test_a_queue_is_full_by_size_too(serve: Any) -> None:
    service = await serve(queue_bytes=2**20)
    large = [REPORT | {"message": "m" * 600_000}] * 2
    body, headers = io.BytesIO(json.dumps(large).encode()), {"Content-Type": "application/json"}
    async with service.client.post("/api/report-errors", data=body, headers=headers) as response:
        assert response.status == 413
    service.service.intake.bytes = 600_000
    async with service.client.post("/api/report-error", json=large[0]) as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
    service.service.intake.bytes = 0
    await service.post(large[0])
    assert service.service.intake.bytes == 0


async def test_large_reports_are_committed_in_small_groups(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_GROUP_BYTES", 100_000)
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


def test_a_store_that_fails_refuses_and_forgets() -> None:
    store = ListStore()
    ingest = make(store)

    def refuse(_: Any) -> None:
        raise StoreError("disk full")

    store.refuse = refuse
    taken = ingest.take(submissions("a", "a", "a"))
    assert taken.results == [Refusal("disk full", "", "store_failed")] * 3
    assert (taken.events, taken.failure) == ([], "disk full")
    store.refuse = lambda _: None
    taken = ingest.take(submissions("a"))
    assert taken.failure == ""
    assert not taken.events[0].is_recurring  # the three that were not kept do not count


def test_an_id_that_was_not_kept_is_taken_when_it_comes_again() -> None:
    store = ListStore()
    ingest = make(store)
    one = [submissions("a")[0]._replace(key="k")]

    def refuse(_: Any) -> None:
        raise StoreError("disk full")

    store.refuse = refuse
    ingest.take(one)
    store.refuse = lambda _: None
    assert [event.event_id for event in ingest.take(one).events] == ["k"]


def test_what_was_committed_is_told_although_an_earlier_one_cannot_be_read() -> None:
    store = ListStore()
    ingest = make(store)
    one = [submissions("a")[0]._replace(key="k")]
    ingest.take(one)

    def fails(_: Any) -> None:
        raise StoreError("the database broke")

    store.outcomes = fails  # type: ignore[attr-defined]
    taken = ingest.take([*one, *submissions("b")])
    assert taken.results[0] == Refusal("it is stored, but cannot be read", "", "store_failed")
    assert isinstance(taken.results[1], bytes)
    assert [event.message for event in taken.events] == ["b"]
    assert (taken.duplicates, taken.failure) == (1, "the database broke")


def test_an_id_that_cannot_be_looked_up_is_refused_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ListStore()
    ingest = make(store)

    def fails(*_: Any) -> None:
        raise StoreError("the database broke")

    store.find_event = fails  # type: ignore[attr-defined]
    monkeypatch.setattr(dedupe.Seen, "may_have_forgotten", lambda *_: True)
    taken = ingest.take([submissions("a")[0]._replace(key="k"), *submissions("b")])
    assert taken.results[0] == Refusal("the database broke", "", "store_failed")
    assert [event.message for event in taken.events] == ["b"]


def test_one_report_that_cannot_be_stored_takes_no_other_with_it(caplog: pytest.LogCaptureFixture) -> None:
    store = ListStore()

    def refuse(events: Any) -> None:
        if any(event.message == "poison" for event in events):
            raise ValueError("cannot be stored")

    store.refuse = refuse
    taken = make(store).take(submissions("a", "b", "poison", "c", "d"))
    assert [isinstance(result, bytes) for result in taken.results] == [True, True, False, True, True]
    assert [event.message for event in store.events] == ["a", "b", "c", "d"]
    assert [event.id for event in taken.events] == [1, 2, 3, 4]
    assert taken.places == [0, 1, 3, 4]
    assert taken.failure == ""  # the store is well
    assert ingest.__name__ in caplog.text


async def test_a_failing_store_is_answered_with_503_and_not_ready(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    from exporter.store.embedded import EmbeddedStore

    def refuse(*_: Any) -> int:
        raise StoreError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(EmbeddedStore, "commit", refuse)
        async with service.client.post("/api/report-error", json=REPORT) as response:
            assert response.status == 503
            assert response.headers["Retry-After"] == "5"
            assert "disk full" in (await response.json())["message"]
        async with service.client.post("/api/report-errors", json=[REPORT, {}]) as response:
            assert response.status == 503
        assert "disk full" in (await service.get("/-/ready", 503))["message"]
        metrics = await service.metrics()
        assert metrics["distributed_testing_database_up"] == 0
        assert metrics["distributed_testing_database_errors_total"] == 2
        assert metrics['distributed_testing_reports_rejected_total{reason="store_failed"}'] == 2
    await service.post()
    await service.get("/-/ready")
    assert await total(service) == 1
