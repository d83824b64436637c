"""Which pattern an error belongs to, over the whole service: families, recurrence, restarts, another order."""

import asyncio
import datetime as dt
import random
from collections.abc import Callable
from typing import Any

import duckdb
import msgspec
import pytest
from bounded import ALL
from conftest import InProcess, Served, eventually
from crash import listed
from events import event
from projected import Projected

from exporter.events.event import decode_batch
from exporter.ingest.past import Reassigned
from exporter.store.queries import FindOutcomes, GetRecentCritical

pytestmark = pytest.mark.dashboard
NAMES = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"]
TEXT = "Cannot log in user {} right now"


def report(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "LoginError", "error_category": "TEST_LOGIN", "message": TEXT.format(name)} | more


async def family(service: InProcess, names: list[str] = NAMES) -> str:
    """Reports an error for each name, and returns the pattern id of the family that they form."""
    for name in names:
        await service.post(report(name))
    found = (await service.get("/api/patterns"))["patterns"]
    return next(one["pattern_id"] for one in found if one["family"])


async def test_errors_that_differ_in_a_value_become_one_pattern(service: InProcess) -> None:
    answers = [await service.post(report(name)) for name in NAMES]
    assert [one["pattern_id"] for one in answers[:3]] == [one["fingerprint"] for one in answers[:3]]
    (pattern,) = (await service.get("/api/patterns"))["patterns"]
    assert pattern["occurrences"] == pattern["fingerprints"] == len(NAMES)
    assert (pattern["family"], pattern["pattern"]) == (True, "Cannot log in user <*> right now")
    errors = (await service.get("/api/errors/list"))["errors"]
    assert {one["pattern_id"] for one in errors} == {pattern["pattern_id"]}
    assert len({one["fingerprint"] for one in errors}) == len(NAMES)
    overview = (await service.get("/api/errors"))["error_patterns"]
    assert [one["pattern_id"] for one in overview["top_patterns"]] == [pattern["pattern_id"]]
    assert [one["patterns"] for one in overview["categories"]] == [1]
    assert sum(pattern["trend"]) == len(NAMES)


async def test_a_new_member_of_a_family_is_no_new_pattern(service: InProcess) -> None:
    id_ = await family(service)
    await asyncio.sleep(1.2)  # the next pong
    answer = await service.post(report("zoe"))
    assert answer["pattern_id"] == id_
    (event,) = [one for one in (await service.get("/api/errors/list"))["errors"] if one["id"] == answer["id"]]
    assert event["pattern_id"] == id_
    assert event["is_recurring"], "counted with the other members"


async def test_a_pattern_is_found_by_every_id_that_it_ever_had(service: InProcess) -> None:
    id_ = await family(service, NAMES[:6])
    first = (await service.get("/api/errors/list"))["errors"][0]["fingerprint"]
    for name in ("zoe", "in the house", "on the roof"):  # the last two are of no family
        await service.post(report(name))
    members = [*NAMES[:6], "zoe"]
    details = await service.get(f"/api/patterns/{id_}")
    assert details["pattern_id"] == (await service.get(f"/api/patterns/{first}"))["pattern_id"]
    (one,) = details["families"]
    assert (one["template"], one["values"]) == ("Cannot log in user <*> right now", [members])
    assert "7" in one["reason"], "it follows the members"
    assert sorted(one["template"] for one in details["members"]) == [TEXT.format(name) for name in members]
    assert [one["errors"] for one in details["members"]] == [1] * 7
    assert (details["version"], details["aliases"], details["continues_as"], details["decisions"]) == (2, [], None, [])
    for key in (id_, first):
        listed_ = await service.get("/api/errors/list", pattern=key)
        assert len(listed_["errors"]) == 7
        facets = await service.get("/api/errors/facets", pattern=key)
        assert facets["type"] == [{"value": "LoginError", "count": 7}]
    assert len((await service.get("/api/errors/list", fingerprint=first))["errors"]) == 1


async def test_a_fingerprint_that_was_evicted_gets_its_id_back(service: InProcess) -> None:
    id_ = await family(service, NAMES[:6])
    known = service.service.ingest.pipeline._patterns
    fingerprint = (await service.post(report("alice")))["fingerprint"]
    await eventually(lambda: known.ids.get(fingerprint) == id_)
    known.reassign(Reassigned([], {}, complete=True))  # which forgets the families
    known.ids.pop(fingerprint)  # as if too many others had come
    assert (await service.post(report("alice")))["pattern_id"] == fingerprint, "preliminary"
    await service.get("/api/patterns")
    await eventually(lambda: known.ids.get(fingerprint) == id_)
    assert (await service.post(report("alice")))["pattern_id"] == id_
    (pattern,) = (await service.get("/api/patterns"))["patterns"]
    assert (pattern["pattern_id"], pattern["occurrences"], pattern["fingerprints"]) == (id_, 9, 6)


async def test_repeats_and_alerts_have_the_id_of_when_the_error_was_accepted(service: InProcess) -> None:
    """A repeat is answered alike, and a restart does not begin a second alert for the same error."""
    critical = {"error_category": "RESOURCE_EXHAUSTED", "event_id": "e1"}
    first = await service.post(report("alice", **critical))
    id_ = await family(service, NAMES[1:])
    (now,) = {one["pattern_id"] for one in (await service.get("/api/errors/list"))["errors"]}
    assert now == id_ != first["pattern_id"]
    assert await service.post(report("alice", **critical)) == first
    (stored,) = (await service.service.read(FindOutcomes(events=[first["id"]]))).decode()
    assert stored
    assert stored.pattern_id == first["pattern_id"]
    since = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    (alert,) = (await service.service.read(GetRecentCritical(since=since))).decode()
    assert alert.pattern_id == first["pattern_id"]
    await asyncio.sleep(1.2)  # the next pong
    second = await service.post(report("zoe", **critical | {"event_id": "e2"}))
    assert second["pattern_id"] == id_
    async with service.client.post(f"/api/patterns/{id_}/split") as response:
        assert response.status == 200
    assert id_ not in {one["pattern_id"] for one in (await service.get("/api/errors/list"))["errors"]}
    assert await service.post(report("zoe", **critical | {"event_id": "e2"})) == second
    (stored,) = (await service.service.read(FindOutcomes(events=[second["id"]]))).decode()
    assert stored
    assert stored.pattern_id == id_
    _, alert = (await service.service.read(GetRecentCritical(since=since))).decode()
    assert alert.pattern_id == id_


async def test_a_store_process_that_is_replaced_tells_what_it_could_not_tell_before(serve: Callable[..., Any]) -> None:
    """Here it dies after it has computed the family, before the HTTP process hears of it."""
    service = await serve(process=True)
    told: list[Any] = []
    on_reassigned = service.service.store.on_reassigned
    service.service.store.on_reassigned = told.append
    id_ = await family(service)
    await eventually(lambda: told)
    service.service.store.on_reassigned = on_reassigned
    assert (await service.post(report("zoe")))["pattern_id"] != id_
    service.service.store._connection.kill()
    await eventually(lambda: service.service.store.restarts and not service.service.store.failure)
    assert (await service.post(report("zoe")))["pattern_id"] == id_


def test_events_of_an_earlier_log_are_read(tmp_path: Any) -> None:
    """Their records end before the fields that were added."""
    one = event(7, is_new_pattern=True)
    old = msgspec.msgpack.encode([msgspec.to_builtins(one)[:26]])
    (again,) = decode_batch(old, 7)
    assert (again.is_new_fingerprint, again.scope, again.alias) == (False, None, None)
    assert again.message == one.message
    store = Projected(tmp_path / "errors.duckdb")
    store.append([again])
    store.catch_up()
    assert store.values("SELECT fingerprint, scope FROM patterns") == [(one.fingerprint, None)]
    assert store.values("SELECT pattern_id IS NULL FROM errors LEFT JOIN assignments USING (fingerprint)") == [True]
    store.close()


def pattern_ids(service: Served) -> dict[str, tuple[str, str]]:
    """Returns the fingerprint and the pattern id of each event."""
    return {one["event_id"]: (one["fingerprint"], one["pattern_id"]) for one in listed(service)}


@pytest.mark.parametrize("seed", [1, 2] if ALL else [1])
def test_restart_crash_and_another_order_end_alike(served: Callable[..., Served], tmp_path: Any, seed: int) -> None:
    rng = random.Random(seed)
    texts = [TEXT, "no route to {} from 10.1.2.3", "job={} ended after 5 s", "disk {} is full"]
    reports = [
        report(name, message=text.format(name), event_id=f"{number}-{name}", worker_id=f"w{number}")
        for number, text in enumerate(texts) for name in NAMES[: 3 + 2 * number]
    ]  # fmt: skip
    service = served()
    for one in reports[: len(reports) // 2]:
        service.post(one)
    service.kill()
    service = served()
    for one in reports[len(reports) // 2 :]:
        service.post(one)
    before = pattern_ids(service)
    assert len(before) == len(reports)
    assert len({id_ for _, id_ in before.values()}) < len({one for one, _ in before.values()}), "there are families"
    service.kill()
    service = served()
    assert pattern_ids(service) == before
    assert service.stop() == 0
    with duckdb.connect(str(service.db)) as db:  # as if every crash had been between the insert and the families
        db.execute("DELETE FROM assignments; DELETE FROM families")
    service = served()
    assert pattern_ids(service) == before
    reports.append(report("zoe", message=texts[1].format("zoe"), event_id="zoe"))
    assert service.post(reports[-1])["pattern_id"] in {id_ for _, id_ in before.values()}, "the HTTP process knows them"
    before = pattern_ids(service)
    assert service.stop() == 0
    other = Served(tmp_path / "other" / "errors.duckdb")
    try:
        rng.shuffle(reports)
        for one in reports:
            other.post(one)
        assert pattern_ids(other) == before
    finally:
        other.stop()
    service = served()
    assert pattern_ids(service) == before
