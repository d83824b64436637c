"""Runs over HTTP: reports say what they belong to, filters and rankings find it, summaries are kept."""

import asyncio
import csv
import io
import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from conftest import InProcess, Served
from keys import bearer, make_token

from exporter.http import summaries as waiting
from exporter.ingest import run_summary
from exporter.log import summaries

pytestmark = pytest.mark.dashboard
RUN = {"id": "nightly/7", "job": "nightly", "suite": "gpu", "branch": "main", "commit": "c0ffee", "user": "ada"}
SUMMARY = {
    "run": RUN, "worker_id": "ctl", "complete": True,
    "workers": {"gw0": {"passed": ["t::ok"], "failed": ["t::bad"]}, "gw1": {"skipped": ["t::off"], "errors": ["t::dead"]}},
}  # fmt: skip


async def fleet(service: InProcess) -> None:
    await service.post({"run": RUN, "test": {"id": "t::bad"}, "devices": [{"uuid": "GPU-1"}, {"uuid": "GPU-2"}]})
    await service.post({"worker_id": "w2", "run": {"id": "other"}, "test": "t::bad", "devices": ["GPU-2"]})
    await service.post({"worker_id": "w3", "message": "no run"})


async def test_errors_are_filtered_by_what_they_belong_to(service: InProcess) -> None:
    await fleet(service)
    for query, count in {
        "run=nightly/7": 1, "run=nightly/7&run=other": 2, "job=nightly": 1, "suite=gpu": 1, "branch=main": 1,
        "commit=c0ffee": 1, "user=ada": 1, "test=t::bad": 2, "device=GPU-2": 2, "device=GPU-1": 1, "device=GPU": 0,
        "device=GPU-2&run=other": 1, "run=nobody": 0, "test=t::bad&severity=info": 0,
    }.items():  # fmt: skip
        page = await service.get(f"/api/errors/list?{query}")
        assert len(page["errors"]) == count, query
        facets = await service.get(f"/api/errors/facets?{query}")
        assert sum(one["count"] for one in facets["worker"]) == count, query
        exported = await (await service.client.get(f"/api/export?{query}")).text()
        assert len(exported.splitlines()) == count, query
    facets = await service.get("/api/errors/facets")
    assert {name: facets[name] for name in ("job", "suite", "branch", "user")} == {
        name: [{"value": RUN[name], "count": 1}] for name in ("job", "suite", "branch", "user")
    }
    assert (await service.get("/api/errors/facets?facet=job&contains=GHT"))["job"] == [{"value": "nightly", "count": 1}]


async def test_details_list_and_export_have_them(service: InProcess) -> None:
    url = "https://ci.example/7"
    test = {"id": "t", "file": "t.py", "attempt": 2, "outcome": "failed", "duration": 1.5}
    devices = [{"kind": "gpu", "index": 3, "pci": "0000:3B:00.0"}]
    id_ = (await service.post({"run": RUN | {"url": url}, "test": test, "devices": devices}))["id"]
    (listed,) = (await service.get("/api/errors/list"))["errors"]
    for one in (listed, await service.get(f"/api/errors/{id_}")):
        assert one["run"] == RUN | {"url": url}
        assert (one["test"], one["devices"], one["device_names"]) == (test, devices, ["worker-1 gpu 0000:3b:00.0"])
    text = await (await service.client.get("/api/export?format=csv")).text()
    (row,) = csv.DictReader(io.StringIO(text))
    names = ("job", "suite", "branch", "commit", "user")
    assert [row[name] for name in ("run", *names, "test", "devices")] == [
        RUN["id"], *(RUN[name] for name in names), "t", '["worker-1 gpu 0000:3b:00.0"]',
    ]  # fmt: skip
    assert json.loads(row["report"])["run"] == RUN | {"url": url}


async def test_secrets_in_them_are_redacted(service: InProcess) -> None:
    secret = "ghp_" + "aB3" * 12
    await service.post({"run": {"id": f"run {secret}"}, "test": f"t[{secret}]"})
    workers = {"gw0": {"failed": [f"t[{secret}]"], "passed": ["\udcff"]}}  # no JSON: it is redacted all the same
    await service.ask("/api/runs", SUMMARY | {"workers": workers})
    (listed,) = (await service.get("/api/errors/list"))["errors"]
    ranked = await service.get("/api/rankings?by=test")
    details = await service.get("/api/runs/nightly%2F7")
    assert "ghp_" not in json.dumps([listed, ranked, details])
    assert ranked["values"][0]["name"] == details["tests"][0]["test"] == listed["test"]["id"]


async def test_rankings(service: InProcess) -> None:
    await fleet(service)
    await service.ask("/api/runs", SUMMARY)
    (test,) = (await service.get("/api/rankings"))["values"]
    assert (test["name"], test["error_count"], test["workers"]) == ("t::bad", 2, 2)
    assert test["outcomes"] == {"passed": 0, "failed": 1, "skipped": 0, "errors": 0, "failure_rate": 1.0}
    devices = (await service.get("/api/rankings?by=device"))["values"]
    assert [(one["name"], one["error_count"]) for one in devices] == [("GPU-2", 2), ("GPU-1", 1)]
    runs = (await service.get("/api/rankings?by=run&limit=1"))["values"]
    assert len(runs) == 1
    for by in ("job", "suite", "branch", "commit", "user"):
        assert [one["name"] for one in (await service.get(f"/api/rankings?by={by}"))["values"]] == [RUN[by]]
    one = await service.get("/api/rankings?by=run&also=device&also=test&also=device&limit=1")
    assert one["also"] == [{"by": "device", "values": devices[:1]}, {"by": "test", "values": [test]}]
    assert (one["by"], one["values"]) == ("run", runs)
    for query, field in {
        "by=worker": "by",
        "also=worker": "also",
        "limit=0": "limit",
        "time_range=0": "time_range",
        "x=1": "x",
    }.items():
        assert (await service.get(f"/api/rankings?{query}", 400))["field"] == field


async def test_a_summary_is_read_back(service: InProcess) -> None:
    stored = await service.ask("/api/runs", SUMMARY)
    assert stored == {"run": "nightly/7", "worker_id": "ctl", "tests": 4, "warnings": []}
    await fleet(service)
    page = await service.get("/api/runs")
    assert [one["id"] for one in page["runs"]] == ["other", "nightly/7"]
    found = await service.get("/api/runs/nightly%2F7")
    assert [(one["test"], one["worker"], one["outcome"], one["error_count"]) for one in found["tests"]] == [
        ("t::dead", "gw1", "error", 0), ("t::bad", "gw0", "failed", 1), ("t::off", "gw1", "skipped", 0),
        ("t::ok", "gw0", "passed", 0),
    ]  # fmt: skip
    assert found["summary"]["outcomes"] == {"passed": 1, "failed": 1, "skipped": 1, "errors": 1, "failure_rate": 2 / 3}
    first = await service.get("/api/runs?limit=1")
    assert [one["id"] for one in first["runs"]] == ["other"]
    second = await service.get("/api/runs", limit=1, cursor=first["next_cursor"])
    assert ([one["id"] for one in second["runs"]], second["next_cursor"]) == (["nightly/7"], None)
    assert (await service.get("/api/runs/nobody", 404))["field"] == "id"
    assert (await service.get("/api/runs?cursor=x", 400))["field"] == "cursor"


async def test_sent_again_it_replaces(service: InProcess) -> None:
    await service.ask("/api/runs", SUMMARY | {"complete": False})
    await asyncio.gather(*(service.ask("/api/runs", SUMMARY | {"counts": {"passed": 9}}) for _ in range(3)))
    found = await service.get("/api/runs/nightly%2F7")
    assert (len(found["tests"]), found["summary"]["senders"], found["summary"]["complete"]) == (4, 1, True)
    assert found["summary"]["outcomes"]["passed"] == 9


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "run.id"), ({"run": {"id": "r"}}, "worker_id"), ({"run": {"job": "j"}, "worker_id": "w"}, "run.id")],
)
async def test_a_bad_summary_is_refused(service: InProcess, body: Any, field: str) -> None:
    assert (await service.ask("/api/runs", body, 400))["field"] == field
    assert (await service.get("/api/runs"))["runs"] == []


async def test_summaries_that_wait_have_a_bound(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_WAITING_BYTES", 500)
    turns = service.client.app[waiting.SUMMARIES]  # type: ignore[index]
    async with turns.turn(1), turns.turn(1), asyncio.timeout(10):
        answer = await service.client.post("/api/runs", json=SUMMARY | {"x": "y" * 500})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    await service.ask("/api/runs", SUMMARY | {"x": "y" * 500})  # alone, it may be larger


async def test_a_large_summary(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_summary, "MAX_TESTS", 3_000)
    ids = [f"tests/unit/test_many.py::test_{number}" for number in range(4_000)]
    stored = await service.ask("/api/runs", SUMMARY | {"workers": {"gw0": {"passed": ids}}})
    assert stored["tests"] == 3_000
    assert stored["warnings"] == ["workers: only 3,000 of 4,000 ids of tests are stored, failed tests first"]
    found = await service.get("/api/runs/nightly%2F7", limit=1_000, after=2_500)
    assert (len(found["tests"]), found["next_after"], found["summary"]["outcomes"]["passed"]) == (500, None, 4_000)


async def test_a_summary_that_finds_no_room_is_refused_for_now(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summaries, "MAX_WAITING_BYTES", 0)
    async with service.client.post("/api/runs", json=SUMMARY) as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
    assert (await service.get("/api/runs"))["runs"] == []


async def test_a_token_for_some_workers_sends_only_their_summaries(serve: Callable[..., Any], tmp_path: Any) -> None:
    headers = bearer(make_token(tmp_path, "one", "report", worker="gpu-"))
    service = await serve()
    assert (await service.ask("/api/runs", SUMMARY, 403, headers=headers))["field"] == "worker_id"
    await service.ask("/api/runs", SUMMARY | {"worker_id": "gpu-1"}, headers=headers)


def test_no_accepted_summary_is_lost_when_the_service_is_killed(served: Callable[..., Served]) -> None:
    service = served()
    for number in range(5):
        body = json.dumps(SUMMARY | {"run": {"id": f"r{number}"}}).encode()
        request = urllib.request.Request(service.url + "/api/runs", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.status == 200
    service.kill()
    again = served()
    assert len(again.get("/api/runs")["runs"]) == 5
