"""GET /api/workers and GET /api/workers/{id}, as clients ask for them."""

import datetime as dt
from typing import Any
from urllib.parse import quote

import pytest
from conftest import InProcess

pytestmark = pytest.mark.dashboard
HOSTILE = "w/1 <b>&?#\u202e😀"


def ago(minutes: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)).isoformat()


async def post(service: InProcess, worker: str, minutes: float, category: str, **more: Any) -> None:
    await service.post(
        {"worker_id": worker, "timestamp": ago(minutes), "error_category": category, "message": f"{category} {worker}"}
        | more
    )


@pytest.fixture
async def fleet(service: InProcess) -> InProcess:
    """A worker that is critical, one that warns, one that is silent, one with a hostile name."""
    await post(service, "crashed", 20, "RESOURCE_EXHAUSTED")
    await post(service, "bad", 2, "RESOURCE_EXHAUSTED", run={"id": "r1"}, test={"id": "t::a"})
    await post(service, "bad", 1, "TEST_FAILURE", system_context={"metrics": {"cpu": {"percent": 12.5}}})
    await post(service, "warns", 1, "WORKER_SLOW")
    await post(service, HOSTILE, 3, "TEST_FAILURE")
    return service


async def test_the_list(fleet: InProcess) -> None:
    found = await fleet.get("/api/workers")
    assert (found["total"], found["next_cursor"], found["searched_since"]) == (4, None, None)
    rows = {one["worker_id"]: one for one in found["workers"]}
    assert {name: one["now"] for name, one in rows.items()} == {
        "bad": "critical", "warns": "warning", "crashed": "silent", HOSTILE: "stable",
    }  # fmt: skip
    bad, crashed = rows["bad"], rows["crashed"]
    assert found["workers"][0] == bad
    assert (bad["errors"], bad["critical"], bad["warning"], bad["patterns"], bad["drained"]) == (2, 1, 0, 2, None)
    assert (bad["reason"], bad["silent_since"]) == ("critical error 2 min ago", None)
    assert crashed["reason"] == "nothing since a critical error 20 min ago"
    assert crashed["silent_since"] == crashed["last_critical_at"] == crashed["last_error_at"]
    stats = {one["worker_id"]: one for one in (await fleet.get("/api/errors"))["worker_errors"]["worker_stats"]}
    for name, one in rows.items():
        assert (stats[name]["now"], stats[name]["silent_since"]) == (one["now"], one["silent_since"])
        assert stats[name]["last_critical_time"] == one["last_critical_at"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("sort=now", ["bad", "crashed", "warns", HOSTILE]),
        ("sort=worker", ["bad", "crashed", HOSTILE, "warns"]),
        ("sort=worker&order=desc", ["warns", HOSTILE, "crashed", "bad"]),
        ("sort=errors", ["bad", "crashed", HOSTILE, "warns"]),
        ("sort=last_critical&order=asc", ["crashed", "bad", HOSTILE, "warns"]),
        ("sort=silent_since", ["crashed", "bad", HOSTILE, "warns"]),
        ("sort=worker&severity=critical", ["bad", "crashed"]),
        ("sort=worker&worker!=bad&worker!=warns", ["crashed", HOSTILE]),
        ("sort=worker&q=slow", ["warns"]),
        ("sort=worker&from={from}&to={to}", ["crashed"]),
    ],
)
async def test_orders_and_filters(fleet: InProcess, query: str, names: list[str]) -> None:
    asked = query.replace("{from}", quote(ago(30))).replace("{to}", quote(ago(10)))
    found = await fleet.get(f"/api/workers?{asked}")
    assert [one["worker_id"] for one in found["workers"]] == names
    read, cursor = [], ""
    while True:
        page = await fleet.get(f"/api/workers?{asked}&limit=1&cursor={quote(cursor)}")
        read += [one["worker_id"] for one in page["workers"]]
        assert page["total"] == len(names)
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert read == names


async def test_one_worker(fleet: InProcess) -> None:
    found = await fleet.get("/api/workers/bad")
    assert (found["now"], found["errors"], found["heartbeat"]) == ("critical", 2, None)
    assert {one["text"]: one["errors"] for one in found["patterns"]} == {
        "RESOURCE_EXHAUSTED bad": 1, "TEST_FAILURE bad": 1,
    }  # fmt: skip
    assert [(one["value"], one["errors"]) for one in found["runs"]] == [("r1", 1)]
    assert [one["value"] for one in found["tests"]] == ["t::a"]
    assert [(one["cpu"], one["gpu_memory"]) for one in found["measurements"]] == [(12.5, None)]
    assert found["first_seen"] < found["last_error_at"]
    assert (await fleet.get(f"/api/workers/{quote(HOSTILE, safe='')}"))["worker_id"] == HOSTILE
    span = await fleet.get(f"/api/workers/bad?from={quote(ago(30))}&to={quote(ago(10))}")
    assert (span["now"], span["errors"], span["patterns"], span["last_error_at"]) == ("critical", 0, [], None)
    assert (await fleet.get("/api/workers/nobody", 404))["field"] == "id"
    assert (await fleet.get("/api/workers/bad?severity=critical", 400))["field"] == "severity"


async def test_a_worker_that_only_sends_heartbeats(service: InProcess) -> None:
    await service.ask("/api/heartbeat", {"worker_id": "node-1", "gpus": [{"index": 0}], "more": "é 😀"})
    found = await service.get("/api/workers/node-1")
    assert (found["now"], found["errors"], found["first_seen"]) == ("stable", 0, None)
    assert found["heartbeat"]["heartbeat"]["gpus"] == [{"index": 0}]
    assert (await service.get("/api/workers"))["workers"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [("sort=name", "sort"), ("order=up", "order"), ("limit=501", "limit"), ("cursor=x", "cursor"), ("severity=x", "severity"),
     ("cursor=9999999999999999999.a", "cursor"), ("x=1", "x")],
)  # fmt: skip
async def test_what_is_wrong_is_named(service: InProcess, query: str, field: str) -> None:
    assert (await service.get(f"/api/workers?{query}", 400))["field"] == field


async def test_every_worker_is_found_by_its_facet(service: InProcess) -> None:
    await service.ask(
        "/api/report-errors", [{"worker_id": f"node-{number:04}", "message": "x"} for number in range(150)]
    )
    for query, workers, found in (
        ("?facet=worker", 100, 150), ("?facet=worker&contains=NODE-", 150, 150), ("?facet=worker&contains=NODE-01", 50, 50),
        ("?facet=worker&values=3", 3, 150), ("?facet=worker&contains=nobody", 0, 0), ("?facet=type", 0, 1), ("", 100, None),
    ):  # fmt: skip
        facets = await service.get(f"/api/errors/facets{query}")
        assert (len(facets["worker"]), facets.get("found")) == (workers, found), query
    assert (await service.get("/api/errors/facets?values=1001", 400))["field"] == "values"
