"""Which times count, over HTTP: in list, details, answer, metrics, live updates and alerts, and after a restart."""

import datetime as dt
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from conftest import REPORT, InProcess, eventually
from stub import listening
from test_live import INIT, connect, heard
from test_metrics import DT, labels

from exporter.ingest import deduplication

pytestmark = pytest.mark.dashboard
INFO = {"error_category": "TEST_X", "type": "AssertionError"}
OLD = "2015-01-01T00:03:11Z"


def ago(**span: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(**span)).isoformat()


def off(hours: float) -> str:
    """The present time, without an offset, of a worker whose zone is `hours` ahead of UTC."""
    return (dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)).replace(tzinfo=None).isoformat()


async def post_old(service: InProcess, reports: Any, query: str = "?import=true") -> tuple[int, Any]:
    path = "/api/report-errors" if isinstance(reports, list) else "/api/report-error"
    async with service.client.post(path + query, json=reports) as response:
        return response.status, await response.json()


class Alertmanager:
    """Keeps the workers of the alerts that are pushed to it."""

    def __init__(self) -> None:
        self.workers: list[str] = []

    async def take(self, request: web.Request) -> web.Response:
        self.workers += [alert["labels"]["worker"] for alert in await request.json()]
        return web.json_response({})


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Alertmanager, str]]:
    alertmanager = Alertmanager()
    async with listening(alertmanager.take, "/api/v2/alerts", "POST") as url:
        yield alertmanager, url


@pytest.mark.parametrize(
    "sent", ["0001-01-01T00:00:00Z", 0, OLD, "1711092812345", "2999-01-01T00:00:00Z", "soon", [1], True]
)
async def test_an_impossible_time_makes_no_critical_error_invisible(
    sent: Any, serve: Any, receiver: tuple[Alertmanager, str]
) -> None:
    alertmanager, url = receiver
    service = await serve(alertmanager_url=[url])
    socket = await connect(service, INIT)
    answer = await service.post({"timestamp": sent})
    (warning,) = answer["warnings"]
    assert warning.startswith("timestamp ")
    assert "counts at its receipt" in warning
    (update,) = await heard(socket, 1)
    overview = await service.get("/api/errors", time_range=1)
    (listed,) = (await service.get("/api/errors/list", time_range=1))["errors"]
    details = await service.get(f"/api/errors/{answer['id']}")
    text = sent if isinstance(sent, str) else json.dumps(sent)
    for error in (update["data"]["error"], overview["recent_errors"][0], listed, details):
        assert (error["reported_at"], error["warnings"], error["imported"]) == (text, [warning], False)
        assert error["timestamp"] == error["received_at"]
    assert details["report"]["timestamp"] == sent
    assert overview["now"]["critical_errors"] == overview["summary"]["critical_errors"] == 1
    metrics = await service.metrics()
    assert metrics[f"{DT}critical_errors"] == 1
    assert metrics[f"{DT}report_fields_dropped_total" + labels(field="timestamp")] == 1
    assert metrics[f"{DT}worker_status" + labels(worker="worker-1")] == 2
    await eventually(lambda: alertmanager.workers == ["worker-1"])
    await service.client.close()
    again = await serve()
    assert (await again.metrics())[f"{DT}critical_errors"] == 1
    assert (await again.get("/api/errors/list", time_range=1))["errors"] == [listed]


async def test_a_believed_time_has_no_warning(service: InProcess) -> None:
    for sent in (ago(days=6), ago(), None, "", off(0) + "Z"):
        answer = await service.post({"timestamp": sent})
        error = await service.get(f"/api/errors/{answer['id']}")
        assert (answer["warnings"], error["warnings"], error["reported_at"]) == ([], [], None)


async def test_the_age_is_a_setting(serve: Any) -> None:
    service = await serve(max_report_age=3_600)
    (warning,) = (await service.post({"timestamp": ago(hours=2)}))["warnings"]
    assert "more than 1 hour before the receipt" in warning
    assert (await service.post({"timestamp": ago(minutes=50)}))["warnings"] == []


async def test_an_import_keeps_old_times_and_calls_nobody(serve: Any, receiver: tuple[Alertmanager, str]) -> None:
    alertmanager, url = receiver
    service = await serve(alertmanager_url=[url], push_new_patterns=True, longest_scrape_interval=0)
    socket = await connect(service, INIT)
    reports = [REPORT | INFO | {"timestamp": OLD, "worker_id": f"w{n}", "message": "one"} for n in range(4)]
    reports += [REPORT | {"timestamp": ago(minutes=20), "worker_id": "lately"}, REPORT | {"timestamp": OLD}]
    status, answer = await post_old(service, reports)
    assert (status, answer["data"]["stored"]) == (200, 6)
    outcomes = [result["data"] for result in answer["data"]["results"]]
    assert [outcome["warnings"] for outcome in outcomes] == [[]] * 6
    assert [outcome["severity"] for outcome in outcomes] == [
        "info",
        "info",
        "warning",
        "warning",
        "critical",
        "critical",
    ]
    assert [update["data"]["error"]["imported"] for update in await heard(socket, 6)] == [True] * 6
    error = await service.get(f"/api/errors/{outcomes[5]['id']}")
    assert (error["timestamp"], error["reported_at"], error["imported"]) == ("2015-01-01T00:03:11.000Z", None, True)
    # they count in ranges that reach so far, by their own time, and not as errors of now
    assert [e["worker_id"] for e in (await service.get("/api/errors/list", time_range=1))["errors"]] == ["lately"]
    assert (await service.get("/api/errors", time_range=87_600))["summary"]["total_errors"] == 1
    assert (await service.get("/api/errors/list", time_range=87_600))["errors"][0]["worker_id"] == "lately"
    last_here = await service.post({"worker_id": "live", "message": "other", **INFO})
    assert last_here["severity"] == "info"

    async def nothing_now(running: InProcess) -> None:
        metrics = await running.metrics()
        assert metrics[f"{DT}critical_errors"] == 1  # of 20 minutes ago
        counted = {name: value for name, value in metrics.items() if name.startswith(f"{DT}errors_total{{")}
        assert counted == {f"{DT}errors_total" + labels(category="TEST_X", worker="live", type="AssertionError"): 1}
        assert metrics[f"{DT}errors_by_severity_total" + labels(severity="critical")] == 0
        assert metrics[f"{DT}error_rate"] == 1
        assert metrics[f"{DT}last_critical_error_timestamp_seconds"] == 0

    await nothing_now(service)
    # A new pattern of now is pushed; the imported ones, also critical and new, are not.
    await eventually(lambda: alertmanager.workers == ["live"])
    await service.client.close()
    again = await serve(alertmanager_url=[url], push_new_patterns=True, longest_scrape_interval=0)
    await nothing_now(again)
    assert len(again.service.notifier._alerts) == 1  # the same one


async def test_an_import_while_the_alertmanager_is_away_calls_nobody_after_a_restart(
    serve: Any, receiver: tuple[Alertmanager, str]
) -> None:
    """The alerts are made again from the log and from the database."""
    alertmanager, url = receiver
    away = "http://127.0.0.1:9"
    service = await serve(alertmanager_url=[away])
    await post_old(service, [REPORT | {"timestamp": OLD}] * 3)
    await service.post({"worker_id": "live"})
    await service.client.close()
    again = await serve(alertmanager_url=[url])
    await eventually(lambda: alertmanager.workers)
    assert set(alertmanager.workers) == {"live"}
    assert len(again.service.notifier._alerts) == 1


async def test_recent_errors_of_an_import_are_live_ones(service: InProcess) -> None:
    """An address with `?import=true` that workers use for good hides nothing."""
    status, answer = await post_old(service, REPORT | {"timestamp": ago(seconds=3)})
    assert status == 200
    assert (await service.get(f"/api/errors/{answer['data']['id']}"))["imported"] is False
    for sent in (None, "soon", 0):
        await post_old(service, REPORT | {"timestamp": sent})
    metrics = await service.metrics()
    assert metrics[f"{DT}critical_errors"] == metrics[f"{DT}error_rate"] == 4


@pytest.mark.parametrize("reports", [REPORT, [REPORT]])
async def test_the_parameter(service: InProcess, reports: Any) -> None:
    for query in ("", "?import=false", "?import=", "?other=x", "?"):
        old = (
            [one | {"timestamp": OLD} for one in reports] if isinstance(reports, list) else reports | {"timestamp": OLD}
        )
        status, answer = await post_old(service, old, query)
        outcome = answer["data"]["results"][0]["data"] if isinstance(reports, list) else answer["data"]
        assert (status, len(outcome["warnings"])) == (200, 1), query
    status, answer = await post_old(service, reports, "?import=yes")
    assert (status, answer["field"], answer["message"]) == (400, "import", "import: expected false, true")


@pytest.mark.parametrize("restart", [False, True])
async def test_repeats_of_old_errors_are_found_in_the_database(
    serve: Any, monkeypatch: pytest.MonkeyPatch, restart: bool
) -> None:
    """Also those that counted at their receipt, and those that are too old for it only when they are repeated."""
    monkeypatch.setattr(deduplication, "MAX_KNOWN", 5)
    service = await serve()
    hour_old = ago(hours=2)
    zero = await service.post({"event_id": "zero", "timestamp": "0001-01-01T00:00:00Z"})
    late = await service.post({"event_id": "late", "timestamp": hour_old})
    _, imported = await post_old(service, REPORT | {"event_id": "imported", "timestamp": OLD})
    for number in range(20):
        await service.post({"event_id": f"new{number}"})
    if restart:
        await service.client.close()
        service = await serve(max_report_age=3_600)
    assert await service.post({"event_id": "zero", "timestamp": "0001-01-01T00:00:00Z"}) == zero
    assert await service.post({"event_id": "late", "timestamp": hour_old}) == late
    assert await post_old(service, REPORT | {"event_id": "imported", "timestamp": OLD}) == (200, imported)
    assert await service.post({"event_id": "imported", "timestamp": OLD}) == imported["data"]
    assert (await service.metrics())[f"{DT}reports_duplicate_total"] == 4


@pytest.mark.parametrize(("hours", "words"), [(-2, "2 h behind"), (5.5, "5.5 h ahead")])
async def test_a_worker_in_a_wrong_zone_is_named(serve: Any, hours: float, words: str, caplog: Any) -> None:
    service = await serve(timezone="UTC")
    series = f"{DT}worker_clock_offset_seconds" + labels(worker="gpu-node-3")

    async def send(**report: Any) -> dict[str, Any]:
        return await service.post({"worker_id": "gpu-node-3", **report})

    for _ in range(4):
        assert words not in str((await send(timestamp=off(hours)))["warnings"])
    assert series not in await service.metrics()
    assert (await service.get("/api/errors"))["clock_offsets"] == []
    answer = await send(timestamp=off(hours))
    assert f"gpu-node-3 sends times without an offset that are {words}" in answer["warnings"][-1]
    details = await service.get(f"/api/errors/{answer['id']}")
    assert details["warnings"] == answer["warnings"]
    assert (details["reported_at"] is not None) == (hours > 0)  # ahead: it counts at its receipt
    assert (await service.metrics())[series] == hours * 3_600
    (named,) = (await service.get("/api/errors"))["clock_offsets"]
    assert (named["worker_id"], named["seconds"]) == ("gpu-node-3", hours * 3_600)
    assert words in named["warning"]
    assert (await service.get("/-/ready"))["ready"] is True
    await send(timestamp=off(hours))
    assert [record.message for record in caplog.records if words in record.message] == [named["warning"]]
    assert (await send(timestamp=off(0)))["warnings"] == []
    assert series not in await service.metrics()
    assert (await service.get("/api/errors"))["clock_offsets"] == []


async def test_workers_beyond_the_limit_have_no_gauge(serve: Any) -> None:
    service = await serve(timezone="UTC", max_worker_labels=1)
    for worker, hours in (("first", -1), ("second", -2), ("third", -3)):
        for _ in range(5):
            await service.post({"worker_id": worker, "timestamp": off(hours)})
    found = {name: value for name, value in (await service.metrics()).items() if "clock_offset" in name}
    assert found == {f"{DT}worker_clock_offset_seconds" + labels(worker="first"): -3_600}


async def test_random_timestamps_cost_no_report(service: InProcess) -> None:
    random.seed(20261112)
    texts = ["2026-03-15T12:00:00Z", "Sun, 15 Mar 2026 10:00:00 GMT", "1773576000.123", "", "x", "\x1b[31m", "😀"]

    def value() -> Any:
        kind = random.randrange(6)
        if kind < 3:
            text = list(random.choice(texts))
            for _ in range(random.randrange(3) if text else 0):
                text[random.randrange(len(text))] = chr(random.randrange(1, 0x2100))
            return "".join(text)
        if kind == 3:
            return random.choice([-1, 1]) * 10 ** random.uniform(-20, 18)
        if kind == 4:
            return random.getrandbits(63)
        return random.choice([None, True, [], [1, {"a": None}], {"seconds": 1}])

    reports = [REPORT | {"timestamp": value(), "worker_id": f"w{n % 7}"} for n in range(600)]
    for query in ("", "?import=true"):
        status, answer = await post_old(service, reports, query)
        assert (status, answer["data"]["stored"]) == (200, 600)
    listed = (await service.get("/api/errors/list", time_range=1, limit=1000))["errors"]
    assert len(listed) > 600
    assert all(error["warnings"] for error in listed if error["reported_at"] is not None)
