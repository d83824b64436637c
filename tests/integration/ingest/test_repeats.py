"""A repeated report is stored once and gets the same answer, whenever and however it is repeated."""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from conftest import REPORT, InProcess, eventually
from ingesting import RECEIVED, Ingesting, submission

from exporter.events.outcome import Outcome
from exporter.ingest import deduplication
from exporter.ingest.past import Past, newest_ids
from exporter.ingest.pipeline import Refusal
from exporter.store import StoreError

pytestmark = pytest.mark.dashboard
AT = dt.datetime.fromtimestamp(RECEIVED, dt.UTC)
OLD = AT - dt.timedelta(minutes=1)  # the time of an error; its id may have been evicted
FOUND = Outcome(7, "k", "info", ("r",), "f" * 16, "f" * 16, ())


async def total(service: InProcess) -> int:
    return int((await service.get("/api/errors"))["summary"]["total_errors"])


async def post_batch(service: InProcess, items: list[Any], **headers: str) -> tuple[int, Any]:
    async with service.client.post("/api/report-errors", json=items, headers=headers) as response:
        return response.status, await response.json()


async def test_one_id_is_stored_once_and_answered_alike(service: InProcess) -> None:
    first = await service.post({"event_id": "e1"})
    assert await service.post({"event_id": "e1", "message": "another", "error_category": "TEST_X"}) == first
    assert await total(service) == 1
    metrics = await service.metrics()
    assert metrics["distributed_testing_reports_duplicate_total"] == 1
    assert metrics['distributed_testing_errors_by_severity_total{severity="critical"}'] == 1


async def test_the_same_id_from_two_workers_are_two_errors(serve: Any) -> None:
    """Each worker numbers its own errors."""
    service = await serve()
    answers = {}
    for worker in ("w1", "w2"):
        answers[worker] = await service.post({"event_id": "e1", "worker_id": worker})
    assert [answer["id"] for answer in answers.values()] == [1, 2]
    status, answer = await post_batch(service, [REPORT | {"event_id": "e1", "worker_id": w} for w in ("w3", "w4")])
    assert (status, [result["data"]["id"] for result in answer["data"]["results"]]) == (200, [3, 4])
    await service.client.close()
    again = await serve()
    for worker, first in answers.items():
        assert await again.post({"event_id": "e1", "worker_id": worker}) == first
    assert await total(again) == 4
    assert {error["worker_id"] for error in (await again.get("/api/errors/list"))["errors"]} == {"w1", "w2", "w3", "w4"}


async def test_many_at_once_with_one_id_are_stored_once(service: InProcess) -> None:
    answers = await asyncio.gather(*(service.post({"event_id": "e1"}) for _ in range(30)))
    assert len({json.dumps(answer) for answer in answers}) == 1
    assert await total(service) == 1


async def test_a_repeat_of_one_that_is_being_appended_waits_for_it(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = asyncio.Event()
    loop = asyncio.get_running_loop()
    append = service.service.log.append

    def slow(payload: bytes, count: int) -> int:
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result(10)
        return append(payload, count)

    monkeypatch.setattr(service.service.log, "append", slow)
    requests = [asyncio.create_task(service.post({"event_id": "e1"}))]
    await asyncio.sleep(0.05)  # now it is being appended
    requests += [asyncio.create_task(service.post({"event_id": "e1"})) for _ in range(3)]
    await asyncio.sleep(0.05)
    assert not any(request.done() for request in requests)
    released.set()
    answers = await asyncio.gather(*requests)
    assert answers == [answers[0]] * 4
    assert service.service.log.last == 1


async def test_the_idempotency_key_is_an_id(service: InProcess) -> None:
    first = await service.post(headers={"Idempotency-Key": "k"})
    assert first["event_id"] == "k"
    assert await service.post(headers={"Idempotency-Key": "k"}) == first
    own = await service.post({"event_id": "mine"}, headers={"Idempotency-Key": "k"})
    assert (own["event_id"], own["id"]) == ("mine", 2)
    for wrong in ("k" * 257, "k\u0085"):
        async with service.client.post(
            "/api/report-error", json=REPORT, headers={"Idempotency-Key": wrong}
        ) as response:
            assert (response.status, (await response.json())["field"]) == (400, "Idempotency-Key")


async def test_a_batch_with_an_idempotency_key_is_stored_once(serve: Any) -> None:
    service = await serve()
    items: list[Any] = [REPORT | {"message": f"m{n}"} for n in range(5)] + [REPORT | {"event_id": "own"}, {"bad": 1}]
    status, first = await post_batch(service, items, **{"Idempotency-Key": "k"})
    assert status == 207
    assert [r["data"]["event_id"] for r in first["data"]["results"][:6]] == [f"k#{n}" for n in range(5)] + ["own"]
    assert await post_batch(service, items, **{"Idempotency-Key": "k"}) == (status, first)
    _, other = await post_batch(service, items, **{"Idempotency-Key": "other"})
    assert [r["data"]["id"] for r in other["data"]["results"][:6]] == [7, 8, 9, 10, 11, 6]
    assert await total(service) == 11
    await service.client.close()
    again = await serve()
    assert await post_batch(again, items, **{"Idempotency-Key": "k"}) == (status, first)
    assert await total(again) == 11
    for wrong in ("k" * 201, "k\u0085"):
        status, answer = await post_batch(again, items, **{"Idempotency-Key": wrong})
        assert (status, answer["field"]) == (400, "Idempotency-Key")


async def test_an_id_is_known_after_a_restart(serve: Any) -> None:
    service = await serve()
    first = await service.post({"event_id": "e1"})
    await service.client.close()
    again = await serve()
    assert await again.post({"event_id": "e1"}) == first
    assert await total(again) == 1


@pytest.mark.parametrize("restart", [False, True])
async def test_a_sender_may_use_the_next_id_that_the_service_makes(
    serve: Any, monkeypatch: pytest.MonkeyPatch, restart: bool
) -> None:
    """Both reports are stored, and so is everything after them."""
    monkeypatch.setattr(deduplication, "MAX_KNOWN", 5)
    service = await serve()
    begin, _, number = (await service.post())["event_id"].rpartition("-")
    following = f"{begin}-{int(number, 16) + 1:x}"
    assert [(await service.post(sent))["event_id"] for sent in ({"event_id": following}, {})] == [following] * 2
    if restart:
        await service.client.close()
        service = await serve()
    for number in range(12):
        sent = {"event_id": f"e{number}"}
        assert (await service.post(sent))["id"] == number + 4
        assert (await service.post(sent))["id"] == number + 4
    assert await total(service) == 15


@pytest.mark.parametrize("restart", [False, True])
async def test_an_evicted_id_is_found_in_the_database(
    serve: Any, monkeypatch: pytest.MonkeyPatch, restart: bool
) -> None:
    monkeypatch.setattr(deduplication, "MAX_KNOWN", 5)
    service = await serve()
    past = (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=10)).isoformat()
    first = await service.post({"event_id": "old", "timestamp": past})
    for number in range(20):
        await service.post({"event_id": f"new{number}"})
    if restart:
        await service.client.close()
        service = await serve()
    assert await service.post({"event_id": "old", "timestamp": past}) == first
    other = await service.post({"event_id": "old", "timestamp": past, "worker_id": "another"})
    assert other["id"] == 22
    assert await service.post({"event_id": "old", "timestamp": past, "worker_id": "another"}) == other
    assert await total(service) == 22


async def test_ids_made_here_are_unique(service: InProcess) -> None:
    answers = await asyncio.gather(*(service.post() for _ in range(50)))
    assert len({answer["event_id"] for answer in answers}) == len({answer["id"] for answer in answers}) == 50


@pytest.fixture
async def ingesting(tmp_path: Path) -> AsyncIterator[Ingesting]:
    """An ingest that knows ids from position 8 on; older ids may be in the database."""
    known = newest_ids([("worker-1", "eight", 8, AT.timestamp())])
    ingesting = Ingesting(tmp_path / "log", past=Past(known_ids=known, known_ids_since=AT.timestamp()))
    yield ingesting
    await ingesting.close()


async def test_repeats_within_one_batch(ingesting: Ingesting) -> None:
    one, two, again, other = await ingesting.accept(
        submission("a", key="k#0"), submission("b", key="k#1"), submission("c", key="k#0"),
        submission("d", key="k#0", worker_id="another"),
    )  # fmt: skip
    assert again == one
    assert [result["id"] for result in (one, two, other)] == [1, 2, 3]
    assert [event.message for event in ingesting.events] == ["a", "b", "d"]
    assert ingesting.pipeline.duplicates == 1


async def test_only_an_old_report_with_an_id_is_looked_up(ingesting: Ingesting) -> None:
    later = RECEIVED + 3600
    new = submission(key="new", received=later, timestamp=later - 60)
    await ingesting.accept(submission(received=later), new, submission("no id"))
    assert ingesting.lookups == []
    ingesting.outcomes["worker-1", "k", OLD, None] = FOUND
    (result,) = await ingesting.accept(submission(key="k", timestamp=OLD.timestamp()))
    assert (result["id"], result["event_id"]) == (7, "k")
    assert ingesting.pipeline.duplicates == 1
    assert len(ingesting.events) == 3


async def test_old_reports_that_are_looked_up_and_are_new(ingesting: Ingesting) -> None:
    old = OLD.timestamp()
    both = submission(key="k", timestamp=old), submission(key="j", timestamp=old)
    results = await asyncio.gather(*(ingesting.accept(*both) for _ in range(5)))
    assert results == [results[0]] * 5
    assert len(ingesting.events) == 2
    assert ingesting.pipeline.duplicates == 8


async def test_the_database_has_to_have_the_events_whose_ids_were_evicted(
    ingesting: Ingesting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It need not have the newest ones, so an import does not wait for it."""
    monkeypatch.setattr(deduplication, "MAX_KNOWN", 3)
    later = RECEIVED + 3600
    results = await ingesting.accept(*(submission(key=f"k{n}", received=later) for n in range(5)))
    ingesting.outcomes["worker-1", "k0", OLD, None] = FOUND
    old = OLD.timestamp()
    found = await ingesting.accept(
        submission(key="k0", timestamp=old),
        submission("new", key="k9", timestamp=old),
        submission("new", key="k8", timestamp=old),
    )
    assert ingesting.position == results[1]["id"] == 2  # 3, 4 and 5 are in memory
    assert [one["id"] for one in found] == [FOUND.id, 6, 7]
    assert [event.event_id for event in ingesting.events[5:]] == ["k9", "k8"]


async def test_repeats_are_answered_from_one_look_at_each_batch_of_the_log(
    ingesting: Ingesting, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = [await ingesting.accept(*(submission(key=f"{b}-{n}") for n in range(3))) for b in range(3)]
    reads = []
    read = ingesting.log.read
    monkeypatch.setattr(ingesting.log, "read", lambda position, most: (reads.append(position), read(position, most))[1])
    keys = [f"{b}-{n}" for n in range(3) for b in (2, 0, 1)]
    again = await ingesting.accept(*(submission(key=key) for key in keys))
    assert again == [batches[int(key[0])][int(key[2])] for key in keys]
    assert reads == [1, 4, 7]


async def test_a_repeat_is_answered_from_the_log_else_from_the_database(ingesting: Ingesting) -> None:
    (first,) = await ingesting.accept(submission(key="k"))
    ingesting.lookups.clear()
    assert await ingesting.accept(submission(key="k")) == [first]
    assert ingesting.lookups == []
    ingesting.outcomes[8] = FOUND
    (result,) = await ingesting.accept(submission(key="eight"))
    assert (result["id"], ingesting.lookups) == (7, [8])
    assert ingesting.position == 8  # a database that lags must not say that the event was deleted


async def test_a_report_that_cannot_be_looked_up_is_refused_alone(ingesting: Ingesting) -> None:
    ingesting.outcomes["worker-1", "k", OLD, None] = StoreError("the database broke")
    ingesting.outcomes[8] = StoreError("the database broke")
    old = submission(key="k", timestamp=OLD.timestamp())
    results = await ingesting.accept(old, submission("b"), submission(key="eight"))
    for refusal in (results[0], results[2]):
        assert isinstance(refusal, Refusal)
        assert (refusal.reason, refusal.status, refusal.retry) == ("store_failed", 503, True)
        assert "the database broke" in refusal.message
    assert results[1]["id"] == 1
    assert [event.message for event in ingesting.events] == ["b"]


async def test_a_full_queue_after_a_lookup_refuses_that_report_alone(ingesting: Ingesting) -> None:
    """The other reports of the request are already stored."""
    repeats = ingesting.ingest._repeats
    lookup = repeats._lookup

    async def fills(events: Any, at: int) -> Any:
        ingesting.ingest.queued += ingesting.ingest.capacity
        return await lookup(events, at)

    repeats._lookup = fills
    refusal, stored = await ingesting.accept(submission(key="k", timestamp=OLD.timestamp()), submission("b"))
    assert (refusal.reason, refusal.status) == ("queue_full", 503)
    assert stored["id"] == 1


async def test_a_report_that_the_database_could_not_find_is_not_looked_up(ingesting: Ingesting) -> None:
    """It finds errors by the time that the report says. A report without a time would be looked up in vain."""
    await ingesting.accept(submission(key="k"))
    assert ingesting.lookups == []


async def test_a_time_that_is_not_believed_is_looked_up_always(ingesting: Ingesting) -> None:
    """The first report counted at its receipt, so the time says nothing."""
    later = RECEIVED + 3600
    text = dt.datetime.fromtimestamp(later + 900, dt.UTC).isoformat()
    ingesting.outcomes["worker-1", "k", AT + dt.timedelta(seconds=4500), text] = FOUND
    (result,) = await ingesting.accept(submission(key="k", received=later, timestamp=text))
    assert result["id"] == 7


async def test_requests_that_come_while_the_database_is_asked_are_asked_together(ingesting: Ingesting) -> None:
    questions: list[int] = []
    go_on = asyncio.Event()
    repeats = ingesting.ingest._repeats
    lookup = repeats._lookup

    async def slowly(events: Any, at: int) -> Any:
        questions.append(len(events))
        await go_on.wait()
        return await lookup(events, at)

    repeats._lookup = slowly
    old = OLD.timestamp()
    ingesting.outcomes["worker-1", "k3", OLD, None] = FOUND
    asking = [asyncio.create_task(ingesting.accept(submission(key=f"k{n}", timestamp=old))) for n in range(6)]
    await eventually(lambda: bool(questions))
    await asyncio.sleep(0.05)
    asking[5].cancel()
    go_on.set()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(questions) == 6
    assert len(questions) <= 2
    assert [result[0]["id"] == FOUND.id for result in results[:5]] == [False, False, False, True, False]
    assert isinstance(results[5], asyncio.CancelledError)
