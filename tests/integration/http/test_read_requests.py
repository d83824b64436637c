"""Reads through HTTP: filters, pages, patterns, and how long texts are cut."""

import io
import json

import pytest
from conftest import REPORT, InProcess

pytestmark = pytest.mark.dashboard


async def test_patterns(service: InProcess) -> None:
    for number in range(4):
        await service.post({"message": f"lost {number} things", "worker_id": f"w{number % 2}"})
    other = await service.post({"message": "else"})
    found = (await service.get("/api/patterns"))["patterns"]
    assert [(p["pattern"], p["occurrences"], p["workers"], sum(p["trend"])) for p in found] == [
        ("lost <*> things", 4, 2, 4), ("else", 1, 1, 1),
    ]  # fmt: skip
    assert [p["pattern"] for p in (await service.get("/api/patterns?limit=1"))["patterns"]] == ["lost <*> things"]
    pages = [await service.get("/api/patterns?limit=1")]
    pages.append(await service.get("/api/patterns?limit=1", cursor=pages[0]["next_cursor"]))
    assert [page["patterns"] for page in pages] == [found[:1], found[1:]]
    assert pages[1]["next_cursor"] is None
    one = await service.get(f"/api/patterns/{other['fingerprint']}")
    assert [w["worker_id"] for w in one["worker_stats"]] == ["worker-1"]
    assert [e["id"] for e in one["recent_errors"]] == [other["id"]]


async def test_long_texts_are_cut_in_lists_and_whole_in_details(service: InProcess) -> None:
    id_ = (await service.post({"message": "m" * 100_000, "traceback": "t" * 100_000 + "end"}))["id"]
    listed = (await service.get("/api/errors/list"))["errors"][0]
    assert listed["truncated"] == ["traceback", "message"]
    assert len(listed["message"]) == 8_192
    assert listed["traceback"].endswith("end")
    assert len(listed["traceback"]) == 32_769
    whole = await service.get(f"/api/errors/{id_}")
    assert (len(whole["message"]), len(whole["traceback"])) == (100_000, 100_003)


@pytest.mark.parametrize("log", ["x" * 40_000, "\N{GRINNING FACE}" * 10_000], ids=["ascii", "four bytes a character"])
async def test_large_contexts_are_left_out_of_lists(service: InProcess, log: str) -> None:
    report = REPORT | {"system_context": {"log": log}, "hardware_context": {"hardware_type": "cuda"}}
    body = json.dumps(report, ensure_ascii=False).encode()
    async with service.client.post(
        "/api/report-error", data=body, headers={"Content-Type": "application/json"}
    ) as response:
        id_ = (await response.json())["data"]["id"]
    (listed,) = (await service.get("/api/errors/list"))["errors"]
    assert (listed["system_context"], listed["truncated"]) == (None, ["system_context"])
    assert listed["hardware_context"] == {"hardware_type": "cuda"}
    assert (await service.get(f"/api/errors/{id_}"))["system_context"]["log"] == log


async def test_numbers_that_no_double_holds_break_no_reader(service: InProcess) -> None:
    """Unchecked fields are stored as they were sent; reads return null for such numbers."""
    for odd in ("1e999", "-" + "9" * 5_000, "[1e400]", '"\\ud800"', "NaN"):
        body = b'{"worker_id":"w","message":"m","odd":%s,"system_context":{"metrics":{"cpu":{"odd":1e999}}}}'
        sent, headers = io.BytesIO(body % odd.encode()), {"Content-Type": "application/json"}
        async with service.client.post("/api/report-error", data=sent, headers=headers) as response:
            assert response.status == 200, odd
    overview = await service.get("/api/errors")
    assert overview["summary"]["total_errors"] == 5
    assert [e["system_context"] for e in overview["recent_errors"]] == [{"metrics": {"cpu": {"odd": None}}}] * 5
    details = [(await service.get(f"/api/errors/{n}"))["report"]["odd"] for n in range(1, 6)]
    assert details == [None, None, [None], "\ufffd", None]
