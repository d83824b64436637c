"""GET /api/errors: every key of the contract; its numbers are compared with counts of the posted reports."""

import datetime as dt
import itertools
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import REPORT, InProcess
from projected import Projected

from exporter.demo.fleet import story
from exporter.events.groups import GROUPS, PREFIXES, GroupName
from exporter.store.select import bucket_seconds

pytestmark = pytest.mark.dashboard


def reports(count: int, hours: float) -> list[dict[str, Any]]:
    """The demo's errors, spread at random over `hours`; a third are older than 24 hours."""
    rng = random.Random(5)
    now = dt.datetime.now(dt.UTC)
    made = []
    for moment in itertools.islice(story(3), count):
        age = rng.uniform(0.01, hours)
        made.append(moment.report | {"timestamp": (now - dt.timedelta(hours=age)).isoformat()})
    return made


async def load(service: InProcess, sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Posts reports; returns the service's result for each."""
    told = []
    for start in range(0, len(sent), 70):
        async with service.client.post("/api/report-errors", json=sent[start : start + 70]) as response:
            assert response.status == 200
            told += [result["data"] for result in (await response.json())["data"]["results"]]
    return told


async def rolled_up(service: InProcess, serve: Any, folder: Path) -> InProcess:
    """Stops the service, rolls up all errors, and returns the service that was started again."""
    await service.client.close()
    store = Projected(folder / "errors.duckdb")
    store.roll_up()
    store.close()
    started: InProcess = await serve()
    return started


def within(
    sent: list[dict[str, Any]], told: list[dict[str, Any]], hours: int, now: dt.datetime
) -> list[tuple[Any, Any]]:
    since = now - dt.timedelta(hours=hours)
    return [(s, t) for s, t in zip(sent, told, strict=True) if dt.datetime.fromisoformat(s["timestamp"]) >= since]


def is_hardware(report: dict[str, Any]) -> bool:
    return report["error_category"].startswith(PREFIXES["hardware"]) or any(
        report["hardware_context"]["hardware_status"].values()
    )


def groups(report: dict[str, Any], outcome: dict[str, Any]) -> list[str]:
    """The groups that an error belongs to, in the API's order."""
    belongs = {
        "resource": report["error_category"].startswith("RESOURCE_"),
        "network": report["error_category"].startswith("NETWORK_"),
        "hardware": is_hardware(report),
        "worker": report["error_category"].startswith("WORKER_"),
        "test": report["error_category"].startswith("TEST_"),
        "recurring": "recurring" in outcome["reasons"],
    }
    return [name for name, belonging in belongs.items() if belonging]


@pytest.mark.parametrize("rolled", [False, True], ids=["unrolled", "rolled-up"])
async def test_the_numbers_are_those_of_the_reports(serve: Any, tmp_path: Path, rolled: bool) -> None:
    service = await serve()
    sent = reports(700, 36)
    told = await load(service, sent)
    if rolled:
        service = await rolled_up(service, serve, tmp_path)
    for hours in (1, 6, 24, 168):
        await assert_numbers(service, sent, told, hours)


async def assert_numbers(
    service: InProcess, sent: list[dict[str, Any]], told: list[dict[str, Any]], hours: int
) -> None:
    data = await service.get("/api/errors", time_range=hours)
    # `within` uses the service's time, so that both sides agree about reports at the edge of the range.
    counted = within(sent, told, hours, dt.datetime.fromisoformat(data["timestamp"]))
    assert set(data) == {
        "summary", "timestamp", "now", "recent_errors", "error_distribution", "error_patterns", "new_patterns", "worker_errors",
        "hardware_errors", "clock_offsets", "restarts", "silences", "seq", "range", "searched_since", "verdict",
    }  # fmt: skip
    categories = Counter(s["error_category"] for s, _ in counted)
    severities = Counter(t["severity"] for _, t in counted)

    def of_group(name: GroupName) -> int:
        return sum(count for category, count in categories.items() if category.startswith(PREFIXES[name]))

    hardware = [(s, t) for s, t in counted if is_hardware(s)]
    assert data["summary"] == {
        "total_errors": len(counted),
        "recurring_errors": sum("recurring" in t["reasons"] for _, t in counted),
        "resource_errors": of_group("resource"),
        "network_errors": of_group("network"),
        "worker_errors": of_group("worker"),
        "test_errors": of_group("test"),
        "hardware_errors": len(hardware),
        "critical_hardware_errors": sum(t["severity"] == "critical" for _, t in hardware),
        "critical_errors": severities["critical"],
        "warning_errors": severities["warning"],
        "info_errors": severities["info"],
        "time_range_hours": hours,
        "reset_at": None,
    }
    assert data["seq"] == len(sent)
    lately = within(sent, told, 1 / 12, dt.datetime.fromisoformat(data["timestamp"]))
    assert data["now"]["critical_errors"] == sum(t["severity"] == "critical" for _, t in lately)

    distribution = data["error_distribution"]
    assert {c["category"]: c["count"] for c in distribution["categories"]} == categories
    assert [c["count"] for c in distribution["categories"]] == sorted(categories.values(), reverse=True)
    assert {s["severity"]: s["count"] for s in distribution["severities"]} == {
        severity: severities[severity] for severity in ("critical", "warning", "info")
    }
    series = distribution["time_series"]
    assert series["bucket_seconds"] == bucket_seconds(hours * 3600)
    for severity in ("critical", "warning", "info"):
        assert sum(point[severity] for point in series["points"]) == severities[severity]
    for name in ("resource", "network", "critical_hardware", "recurring"):
        assert sum(point[name] for point in series["points"]) == data["summary"][f"{name}_errors"]
    for row in data["error_patterns"]["categories"]:
        mine = [t for s, t in counted if s["error_category"] == row["category"]]
        assert row == {
            "category": row["category"], "occurrences": len(mine), "patterns": len({t["fingerprint"] for t in mine}),
            "recurring_patterns": len({t["fingerprint"] for t in mine if "recurring" in t["reasons"]}),
        }  # fmt: skip
    starts = [dt.datetime.fromisoformat(point["timestamp"]) for point in series["points"]]
    assert {b - a for a, b in itertools.pairwise(starts)} == {dt.timedelta(seconds=series["bucket_seconds"])}

    by_fingerprint = Counter(t["fingerprint"] for _, t in counted)
    top = data["error_patterns"]["top_patterns"]
    assert [p["occurrences"] for p in top] == sorted(by_fingerprint.values(), reverse=True)[:10]
    for pattern in top:
        mine = [(s, t) for s, t in counted if t["fingerprint"] == pattern["fingerprint"]]
        assert pattern["occurrences"] == len(mine) == sum(pattern["trend"])
        assert pattern["workers"] == len({s["worker_id"] for s, _ in mine})
        assert pattern["first_seen"][:19] == min(s["timestamp"] for s, _ in mine)[:19]
        assert pattern["last_seen"][:19] == max(s["timestamp"] for s, _ in mine)[:19]

    stats = {w["worker_id"]: w for w in data["worker_errors"]["worker_stats"]}
    assert set(stats) == {s["worker_id"] for s, _ in counted}
    for worker, stat in stats.items():
        mine = [(s, t) for s, t in counted if s["worker_id"] == worker]
        types = Counter(s["type"] for s, _ in mine)
        kinds = {t["severity"] for _, t in mine}
        assert stat["error_count"] == len(mine)
        assert stat["critical_errors"] == sum(t["severity"] == "critical" for _, t in mine)
        assert types[stat["most_common_error"]] == max(types.values())
        assert stat["last_error_time"][:19] == max(s["timestamp"] for s, _ in mine)[:19]
        assert stat["status"] == ("critical" if "critical" in kinds else "warning" if "warning" in kinds else "stable")

    status = data["hardware_errors"]["hardware_status"]
    assert set(status) == {s["hardware_context"]["hardware_type"] for s, _ in counted}
    for name, one in status.items():
        mine = [s for s, _ in counted if s["hardware_context"]["hardware_type"] == name]
        loads = [s["system_context"]["metrics"]["cpu"]["percent"] for s in mine]
        assert one["error_count"] == len(mine)
        assert one["error_rate"] == pytest.approx(len(mine) / hours)
        assert one["metrics"]["cpu_percent"] == pytest.approx(sum(loads) / len(loads))
        assert one["metrics"]["memory_pressure"] == sum(
            s["hardware_context"]["hardware_status"]["memory_pressure"] for s in mine
        )

    newest = sorted(counted, key=lambda pair: pair[0]["timestamp"], reverse=True)
    assert [e["id"] for e in data["recent_errors"]] == [t["id"] for _, t in newest[:100]]
    newest_hardware = [t["id"] for s, t in newest if is_hardware(s)][:50]
    assert [e["id"] for e in data["hardware_errors"]["recent_errors"]] == newest_hardware
    first, (report, outcome) = data["recent_errors"][0], newest[0]
    assert first == {
        "id": outcome["id"], "event_id": outcome["event_id"], "fingerprint": outcome["fingerprint"],
        "pattern_id": outcome["pattern_id"], "warnings": [], "reported_at": None, "imported": False,
        "severity": outcome["severity"], "reasons": outcome["reasons"],
        "is_critical": outcome["severity"] == "critical", "is_recurring": "recurring" in outcome["reasons"],
        "is_system_critical": report["error_category"] == "COORDINATOR_FAILURE",
        "is_hardware_error": is_hardware(report),
        "groups": groups(report, outcome), "cursor": first["cursor"],
        "timestamp": first["timestamp"], "received_at": first["received_at"],
        "run": None, "test": None, "devices": None, "device_names": [],
        **{name: report[name] for name in ("worker_id", "type", "error_category", "message", "traceback",
                                           "system_context", "hardware_context", "error_frequency")},
    }  # fmt: skip
    following = await service.get("/api/errors/list", time_range=hours, limit=5, cursor=first["cursor"])
    assert [e["id"] for e in following["errors"]] == [t["id"] for _, t in newest[1:6]]


@pytest.mark.parametrize("rolled", [False, True], ids=["unrolled", "rolled-up"])
async def test_how_bad_it_is_now_is_counted_whatever_else_came(serve: Any, tmp_path: Path, rolled: bool) -> None:
    """`now` counts critical errors of the last 5 minutes and their workers. Older errors and warnings do not change it."""
    service = await serve()
    now = dt.datetime.now(dt.UTC)
    critical = {"worker_id": "w1", "type": "E", "error_category": "WORKER_CRASHED", "message": "m"}

    def ago(seconds: float, **more: Any) -> dict[str, Any]:
        return critical | {"timestamp": (now - dt.timedelta(seconds=seconds)).isoformat()} | more

    warnings = [critical | {"error_category": "NETWORK_TIMEOUT", "worker_id": f"v{n}"} for n in range(150)]
    sent = [ago(10), ago(200), ago(280), ago(100, worker_id="w2"), ago(400, worker_id="w3"), ago(7200, worker_id="w3")]
    await load(service, sent + warnings)
    if rolled:
        service = await rolled_up(service, serve, tmp_path)
    expected = {"window_seconds": 300, "critical_errors": 4, "workers": 2, "top_worker": "w1", "top_worker_errors": 3}
    for hours in (1, 168):
        data = await service.get("/api/errors", time_range=hours)
        assert data["now"] == expected | {"critical_errors_since_reset": None}
        assert not any(error["is_critical"] for error in data["recent_errors"])


async def test_critical_errors_are_counted_from_a_reset_on(service: InProcess) -> None:
    await service.post()
    async with service.client.post("/api/reset-counts") as response:
        assert response.status == 200
    assert (await service.get("/api/errors"))["now"]["critical_errors_since_reset"] == 0
    await service.post()
    await service.post({"error_category": "TEST_FAILURE", "worker_id": "w9"})
    data = await service.get("/api/errors")
    assert data["now"]["critical_errors_since_reset"] == 1
    assert data["now"]["critical_errors"] == 2


async def test_the_list_of_a_group_has_what_the_summary_counts(service: InProcess) -> None:
    await load(service, reports(400, 20))
    summary = (await service.get("/api/errors"))["summary"]
    everything = (await service.get("/api/errors/list", limit=1000))["errors"]
    for group in GROUPS:
        listed = await service.get("/api/errors/list", group=group, limit=1000)
        assert len(listed["errors"]) == summary[f"{group}_errors"] > 0, group
        assert [error for error in everything if group in error["groups"]] == listed["errors"], group


async def test_facets_tell_how_many_errors_each_value_would_give(service: InProcess) -> None:
    await load(service, reports(400, 20))
    worker = (await service.get("/api/errors"))["worker_errors"]["worker_stats"][0]["worker_id"]
    for query in ({}, {"severity": "critical"}, {"worker": worker, "q": "e"}, {"group": "hardware"}):
        facets = await service.get("/api/errors/facets", **query)
        assert facets.pop("searched_since") is None
        assert all(facets.pop(name) == [] for name in ("job", "suite", "branch", "user"))  # no report has a run
        assert set(facets) == {"severity", "category", "worker", "type", "hardware"}
        for name, values in facets.items():
            for value in values[:3]:
                listed = await service.get("/api/errors/list", limit=1000, **(query | {name: value["value"]}))
                assert len(listed["errors"]) == value["count"] > 0
    assert (await service.get("/api/errors/facets", 400, limit=3))["field"] == "limit"
    assert (await service.get("/api/errors/facets", 400, group="hardwear"))["field"] == "group"


async def test_a_worker_is_found_among_the_values_to_filter_by(service: InProcess) -> None:
    await load(service, [REPORT | {"worker_id": f"Node-{number % 150}"} for number in range(200)])
    facets = await service.get("/api/errors/facets", facet="worker")
    assert len(facets["worker"]) == 100
    assert facets["severity"] == facets["type"] == []
    facets = await service.get("/api/errors/facets", facet="worker", contains="node-149")
    assert facets["worker"] == [{"value": "Node-149", "count": 1}]
    assert (await service.get("/api/errors/facets", 400, facet="workers"))["field"] == "facet"
    assert (await service.get("/api/errors/facets", 400, contains="x" * 501))["field"] == "contains"


async def test_an_empty_store_has_the_same_shape(service: InProcess) -> None:
    data = await service.get("/api/errors")
    assert data["summary"]["total_errors"] == 0
    assert (
        data["recent_errors"] == data["error_patterns"]["top_patterns"] == data["worker_errors"]["worker_stats"] == []
    )
    assert len(data["error_distribution"]["time_series"]["points"]) in (96, 97)
    assert data["now"] == {
        "window_seconds": 300, "critical_errors": 0, "workers": 0, "top_worker": None, "top_worker_errors": 0,
        "critical_errors_since_reset": None,
    }  # fmt: skip


async def test_the_numbers_are_exact_while_the_rollup_goes_on(serve: Any) -> None:
    """Each read, before and after rollups, counts exactly the acknowledged errors."""
    service = await serve()
    for acknowledged in range(1, 62):
        await service.post({"worker_id": f"w{acknowledged % 7}"})
        data = await service.get("/api/errors")
        assert data["summary"]["total_errors"] == acknowledged
        assert sum(w["error_count"] for w in data["worker_errors"]["worker_stats"]) == acknowledged


async def test_many_categories_are_told_in_bounds(service: InProcess) -> None:
    sent = [{"worker_id": f"w{n % 3}", "message": "m", "error_category": f"C_{n}"} for n in range(1, 151)]
    await load(service, sent)
    distribution = (await service.get("/api/errors"))["error_distribution"]
    assert len(distribution["categories"]) == 100
    assert distribution["other_categories"] == {"categories": 50, "count": 50}
