"""Merge, split and undo by hand, over HTTP."""

import asyncio
import datetime as dt
import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from conftest import InProcess, Served
from test_pattern_ids import NAMES, family, report

pytestmark = pytest.mark.dashboard


async def ids(service: InProcess) -> dict[str, str]:
    """Returns the pattern id of each message that was reported."""
    return {one["message"]: one["pattern_id"] for one in (await service.get("/api/errors/list?limit=1000"))["errors"]}


async def alone(service: InProcess, *messages: str) -> list[str]:
    """Reports an error for each message, and returns their pattern ids."""
    return [(await service.post({"message": message}))["pattern_id"] for message in messages]


async def test_merged_patterns_are_one_also_for_later_errors(service: InProcess) -> None:
    a, b = await alone(service, "the engine has stopped", "the pump is off")
    made = await service.ask(f"/api/patterns/{a}/merge", {"into": b})
    assert made["pattern_ids"] == {a: b, b: b}
    assert made["decision"] | {"decided_at": ""} == {
        "number": 1, "kind": "merge", "pattern_id": a, "into": b, "fingerprints": [a], "whole": False, "decided_at": "",
        "undone_at": None,
    }  # fmt: skip
    (pattern,) = (await service.get("/api/patterns"))["patterns"]
    assert (pattern["pattern_id"], pattern["occurrences"], pattern["fingerprints"], pattern["family"]) == (
        b,
        2,
        2,
        False,
    )
    again = await service.post({"message": "the engine has stopped"})
    assert (again["pattern_id"], again["fingerprint"]) == (b, a), "also the next report, at once"
    assert (await service.get(f"/api/errors/{again['id']}"))["is_recurring"], "the third error of both together"
    assert [one["number"] for one in (await service.get(f"/api/patterns/{a}"))["decisions"]] == [1]


async def test_a_family_can_be_merged_with_its_later_members(service: InProcess) -> None:
    id_ = await family(service)
    (other,) = await alone(service, "the pump is off")
    await service.ask(f"/api/patterns/{id_}/merge", {"into": other})
    assert set((await ids(service)).values()) == {other}
    assert (await service.post(report("zoe")))["pattern_id"] == other
    assert set((await ids(service)).values()) == {other}
    details = await service.get(f"/api/patterns/{id_}")
    assert details["pattern_id"] == other, "the id of the family still leads to the pattern"
    assert [one["template"] for one in details["families"]] == ["Cannot log in user <*> right now"]
    assert len(details["members"]) == len(NAMES) + 2


async def test_split_members_stay_apart_until_it_is_undone(service: InProcess) -> None:
    id_ = await family(service)
    before = await ids(service)
    bob = (await service.post(report("bob")))["fingerprint"]
    made = await service.ask(f"/api/patterns/{id_}/split", {"fingerprints": [bob]})
    assert (made["decision"]["whole"], made["pattern_ids"]) == (False, {bob: bob})
    assert (await service.post(report("bob")))["pattern_id"] == bob
    assert (await service.post(report("zoe")))["pattern_id"] == id_
    after = await ids(service)
    assert {message for message in before if after[message] != before[message]} == {report("bob")["message"]}
    compared = await service.get(f"/api/patterns/{bob}", compare=id_)
    assert any("decision 1" in sentence for sentence in compared["comparison"])
    undone = await service.ask("/api/patterns/decisions/1/undo")
    assert undone["decision"]["undone_at"]
    assert undone["pattern_ids"] == {bob: id_}
    assert (await service.post(report("bob")))["pattern_id"] == id_
    assert set((await ids(service)).values()) == {id_}


async def test_a_split_of_all_members_holds_for_later_ones(service: InProcess) -> None:
    id_ = await family(service)
    made = await service.ask(f"/api/patterns/{id_}/split")
    assert made["decision"]["whole"]
    assert made["pattern_ids"] == {one: one for one in made["decision"]["fingerprints"]}
    later = await service.post(report("zoe"))
    assert later["pattern_id"] == later["fingerprint"]
    assert len(set((await ids(service)).values())) == len(NAMES) + 1


async def test_what_cannot_be_decided_is_refused(service: InProcess) -> None:
    a, b = await alone(service, "the engine has stopped", "the pump is off")
    refused = [
        (f"{a}/merge", {"into": a}, 400, "into"), (f"{a}/merge", {}, 400, "into"), (f"{a}/merge", {"into": 1}, 400, "into"),
        (f"{a}/merge", {"into": "none"}, 404, "into"), ("none/merge", {"into": a}, 404, "id"),
        (f"{a}/merge", {"into": ""}, 400, "into"), (f"{a}/merge", [], 400, ""),
        (f"{a}/split", {}, 400, "fingerprints"), (f"{a}/split", {"fingerprints": []}, 400, "fingerprints"),
        (f"{a}/split", {"fingerprints": [b]}, 400, "fingerprints"), (f"{a}/split", {"fingerprints": "x"}, 400, "fingerprints"),
        ("none/split", {}, 404, "id"), ("decisions/1/undo", None, 404, "number"), ("decisions/x/undo", None, 404, "number"),
    ]  # fmt: skip
    for path, body, status, field in refused:
        assert (await service.ask(f"/api/patterns/{path}", body, status))["field"] == field, path
    for body in (b'{"into": "\xff"}', b'{"into": "\\ud800"}', b"{", b"\xff"):
        answer = await service.client.post(
            f"/api/patterns/{a}/merge", data=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status == 400, body
    await service.ask(f"/api/patterns/{a}/merge", {"into": b})
    assert (await service.ask(f"/api/patterns/{b}/merge", {"into": a}, 400))["field"] == "into", (
        "no cycle: they are one already"
    )
    await service.ask("/api/patterns/decisions/1/undo")
    assert (await service.ask("/api/patterns/decisions/1/undo", None, 409))["field"] == "number"
    foreign = {"Origin": "http://evil.example"}
    for path in (f"{a}/merge", f"{a}/split", "decisions/1/undo"):
        assert (await service.ask(f"/api/patterns/{path}", {"into": b}, 403, headers=foreign))["field"] == "Origin"
    decisions = (await service.get("/api/patterns/decisions"))["decisions"]
    assert [(one["number"], bool(one["undone_at"])) for one in decisions] == [(1, True)]


async def test_two_merges_at_once(service: InProcess) -> None:
    """The second one sees the first: A into B and B into A end with one merge, A into B and A into C with one pattern."""
    a, b, c = await alone(service, "the engine has stopped", "the pump is off", "no more coal")

    async def merge(one: str, into: str) -> int:
        async with service.client.post(f"/api/patterns/{one}/merge", json={"into": into}) as response:
            return response.status

    assert sorted(await asyncio.gather(merge(a, b), merge(b, a))) == [200, 400]
    await service.ask("/api/patterns/decisions/1/undo")
    assert await asyncio.gather(merge(a, b), merge(a, c)) == [200, 200]
    assert len(set((await ids(service)).values())) == 1


def test_decisions_survive_a_crash(served: Callable[..., Served]) -> None:
    service = served()
    a, b, c = [
        service.post({"message": m})["pattern_id"]
        for m in ("the engine has stopped", "the pump is off", "no more coal")
    ]
    send(service, f"{a}/merge", {"into": b})
    send(service, f"{b}/merge", {"into": c})
    send(service, "decisions/2/undo", {})
    service.kill()
    service = served()
    assert service.post({"message": "the engine has stopped"})["pattern_id"] == b
    assert [one["number"] for one in service.get("/api/patterns/decisions")["decisions"]] == [2, 1]
    assert {one["pattern_id"] for one in service.get("/api/errors/list")["errors"]} == {b, c}


def send(service: Served, path: str, body: Any) -> Any:
    request = urllib.request.Request(
        f"{service.url}/api/patterns/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)["data"]


async def test_the_newest_error_by_its_time_is_explained(service: InProcess) -> None:
    """Not the one that arrived last."""
    a, b = await alone(service, "the engine has stopped", "the pump is off")
    await service.ask(f"/api/patterns/{a}/merge", {"into": b})
    earlier = (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=20)).isoformat()
    await service.post({"message": "the engine has stopped", "timestamp": earlier})
    (other,) = await alone(service, "the door is open")
    found = await service.get(f"/api/patterns/{a}?compare={other}")
    assert (found["fingerprint"], found["explanation"]["template"]) == (b, "the pump is off")
    compared = await service.get(f"/api/patterns/{other}?compare={a}")
    assert "the pump is off" in " ".join(compared["comparison"])
