"""The wall clock is set back by an hour, or ahead by a day, while the service runs. Durations, held series, readiness,
retries and alerts follow the monotonic clock, so none of them notices."""

import asyncio
import datetime as dt
import threading
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from conftest import InProcess, eventually
from stub import listening
from test_metrics import DT, labels

from exporter import deletion
from exporter import service as service_module
from exporter.alerting import alertmanager, queue
from exporter.http import reads, reports
from exporter.ingest import readiness
from exporter.log.readers import Follower
from exporter.store import retention, state, trusted_time

pytestmark = pytest.mark.dashboard
HOUR_BACK, DAY_AHEAD = -3_600.0, 86_400.0
READ_CLOCK = (
    service_module,
    alertmanager,
    queue,
    deletion,
    reads,
    reports,
    state,
    trusted_time,
)  # modules that call `dt.datetime.now`
PROMETHEUS = {"X-Prometheus-Scrape-Timeout-Seconds": "10"}
both_ways = pytest.mark.parametrize("seconds", [HOUR_BACK, DAY_AHEAD])


class WallClock:
    """The wall clock of this process, `offset` seconds away from the true one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offset = 0.0
        true = time.time
        monkeypatch.setattr(time, "time", lambda: true() + self.offset)
        moved = SimpleNamespace(now=lambda zone: dt.datetime.fromtimestamp(time.time(), zone))
        for module in READ_CLOCK:
            monkeypatch.setattr(module, "dt", SimpleNamespace(**vars(dt) | {"datetime": moved}))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    return WallClock(monkeypatch)


class Gate:
    """Holds each append to the log until `open`."""

    def __init__(self, service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = threading.Event()
        self._opened = threading.Event()
        append = service.service.log.append

        def held(payload: bytes, count: int) -> int:
            self.reached.set()
            self._opened.wait(10)
            return append(payload, count)

        monkeypatch.setattr(service.service.log, "append", held)

    def open(self) -> None:
        self._opened.set()


async def moved_during_append(
    service: InProcess, clock: WallClock, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sends a report; the clock moves after its arrival and before its commit has ended."""
    with monkeypatch.context() as patch:
        gate = Gate(service, patch)
        report = asyncio.create_task(service.post())
        await eventually(gate.reached.is_set)
        clock.offset += seconds
        gate.open()
        await report


@both_ways
async def test_durations(seconds: float, service: InProcess, clock: WallClock, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    await service.post()
    await moved_during_append(service, clock, seconds, monkeypatch)
    await service.post()
    elapsed = time.monotonic() - began
    metrics = await service.metrics()
    for name in ("ingest_duration_seconds", "commit_duration_seconds"):
        assert metrics[f"{DT}{name}_count"] == 3
        assert 0 < metrics[f"{DT}{name}_sum"] < 3 * elapsed
        assert metrics[f"{DT}{name}_bucket" + labels(le="10.0")] == 3


@both_ways
@pytest.mark.parametrize("headers", [{}, PROMETHEUS])
async def test_a_new_series_is_zero_for_two_scrapes(
    headers: dict[str, str], seconds: float, service: InProcess, clock: WallClock
) -> None:
    service.client.session.headers.update(headers)
    await service.metrics()
    await service.post()
    series = labels(category="RESOURCE_EXHAUSTED", worker="worker-1", type="ResourceError")
    values = []
    for _ in range(3):
        clock.offset += seconds
        metrics = await service.metrics()
        values.append(metrics[f"{DT}errors_total{series}"])
    assert values == [0, 0, 1]


@both_ways
async def test_a_waiting_report_is_as_old_as_it_is(
    seconds: float, service: InProcess, clock: WallClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(service, monkeypatch)
    report = asyncio.create_task(service.post())
    await eventually(gate.reached.is_set)
    clock.offset += seconds
    oldest = service.service.ingest.oldest_seconds()
    assert 0 < oldest < readiness.STUCK_SECONDS
    monkeypatch.setattr(readiness, "STUCK_SECONDS", oldest)
    assert "has been waiting to be written" in await service.service.why_not_ready()
    gate.open()
    await report
    assert await service.get("/-/ready") == {"ready": True, "behind": []}


@both_ways
async def test_nothing_is_behind(seconds: float, service: InProcess, clock: WallClock) -> None:
    await service.post()
    clock.offset += seconds
    assert await service.get("/-/ready") == {"ready": True, "behind": []}
    await service.post()
    assert await service.get("/-/ready") == {"ready": True, "behind": []}
    assert (await service.get("/api/errors"))["seq"] == 2


@both_ways
async def test_a_reader_that_failed_is_tried_again(
    seconds: float, service: InProcess, clock: WallClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (follower,) = [one for one in service.service.readers.followers if one.name == "live"]
    on_events = follower.reader.on_events
    behind: list[float] = []  # seconds, at each try

    def fails_twice(events: Any) -> None:
        clock.offset += seconds
        behind.append(follower.behind_seconds())
        if len(behind) <= 2:
            raise RuntimeError("a fault of our own")
        on_events(events)

    monkeypatch.setattr(follower.reader, "on_events", fails_twice)
    began = time.monotonic()
    await service.post()
    await eventually(lambda: caught_up(follower))
    assert time.monotonic() - began < 5
    assert (follower.restarts, follower.skipped) == (2, 0)
    assert behind == sorted(behind)
    assert 0 == behind[0] < behind[2] < 5


def caught_up(follower: Follower) -> bool:
    return not follower.lag and not follower.behind_seconds()


class Alertmanager:
    """Refuses the first two pushes and keeps what it accepts after them."""

    def __init__(self) -> None:
        self.pushes = 0
        self.alerts: list[dict[str, Any]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.pushes += 1
        if self.pushes <= 2:
            return web.Response(status=503)
        self.alerts += await request.json()
        return web.json_response({})


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Alertmanager, str]]:
    receiver = Alertmanager()
    async with listening(receiver.take, "/api/v2/alerts", "POST") as url:
        yield receiver, url


@both_ways
async def test_alerts_are_sent_again_and_end_in_time(
    seconds: float, receiver: tuple[Alertmanager, str], serve: Any, clock: WallClock
) -> None:
    """What is sent has the times of the clock that Alertmanager has, too, and never ends before it starts."""
    sent, url = receiver
    service: InProcess = await serve(alertmanager_url=[url], alert_resend_seconds=1, alert_hold_seconds=4)
    began = time.monotonic()
    await service.post()
    clock.offset += seconds
    await eventually(lambda: len(sent.alerts) >= 2)
    assert time.monotonic() - began < 10
    await eventually(lambda: not len(service.service.notifier._alerts) and not len(service.service.notifier.queues[0]))
    assert time.monotonic() - began < 15
    times = [tuple(dt.datetime.fromisoformat(alert[name]) for name in ("startsAt", "endsAt")) for alert in sent.alerts]
    assert all(starts <= ends for starts, ends in times)  # else Alertmanager refuses it
    now = dt.datetime.fromtimestamp(time.time(), dt.UTC)
    *_, (_, before), (_, ended) = times
    assert before > ended  # it held until then
    assert now - dt.timedelta(minutes=1) < ended <= now


async def test_the_rate_is_that_of_the_last_minute(service: InProcess, clock: WallClock) -> None:
    """Errors that were received later than now, by a clock that was ahead, are none of it."""
    for _ in range(3):
        await service.post()
    assert (await service.metrics())[f"{DT}error_rate"] == 3
    clock.offset += HOUR_BACK
    assert (await service.metrics())[f"{DT}error_rate"] == 0
    await service.post()
    metrics = await service.metrics()
    assert metrics[f"{DT}error_rate"] == 1
    assert metrics[f"{DT}critical_errors"] == 1  # the others are of the hour after this one


CALM = {"error_category": "TEST_FAILURE", "type": "AssertionError", "message": "expected 1, got 2"}


async def test_errors_of_a_clock_that_was_ahead_are_in_no_range_up_to_now(serve: Any, clock: WallClock) -> None:
    """Not in the reads, not in the gauges, also after a restart. They are stored, and can be listed and deleted."""
    service: InProcess = await serve()
    clock.offset = 400 * DAY_AHEAD
    ahead = [(await service.post({"event_id": f"ahead-{number}"}))["id"] for number in range(3)]
    assert (await service.get("/api/errors"))["summary"]["total_errors"] == 3
    await service.ask("/api/reset-counts")
    clock.offset = 0.0
    for turn in range(2):
        if turn:
            await service.client.close()
            service = await serve()
        overview = await service.get("/api/errors", time_range=87_600)
        assert overview["summary"]["total_errors"] == turn
        assert overview["summary"]["reset_at"] is None  # that was ahead, too
        assert overview["now"]["critical_errors"] == 0
        assert [one["count"] for one in (await service.get("/api/errors/facets"))["worker"]] == [turn] * turn
        metrics = await service.metrics()
        assert metrics[f"{DT}critical_errors"] == 0
        assert metrics[f"{DT}worker_status" + labels(worker="worker-1")] == 0
        assert metrics[f"{DT}last_critical_error_timestamp_seconds"] == 0
        await service.post(CALM | {"event_id": f"now-{turn}"})
        listed = await service.get("/api/errors/list")
        assert [one["event_id"] for one in listed["errors"]] == [f"now-{number}" for number in range(turn, -1, -1)]
        assert (await service.post({"event_id": "ahead-1"}))["id"] == ahead[1]  # still a repeat
    assert (await service.post({"event_id": "critical"}))["severity"] == "critical"
    metrics = await service.metrics()
    assert metrics[f"{DT}critical_errors"] == 1
    assert metrics[f"{DT}worker_status" + labels(worker="worker-1")] == 2
    assert abs(metrics[f"{DT}last_critical_error_timestamp_seconds"] - time.time()) < 60
    found = (await service.get("/api/errors/list", ahead="true"))["errors"]
    assert [one["id"] for one in found] == ahead[::-1]
    assert (await service.ask("/api/errors/delete", {"ahead": True}))["errors"] == 3
    assert (await service.ask("/api/errors/delete", {"ahead": True, "dry_run": False}))["errors"] == 3
    assert (await service.get("/api/errors/list", ahead="true"))["errors"] == []
    assert (await service.get("/api/errors", time_range=87_600))["summary"]["total_errors"] == 3


async def test_a_pattern_recurs_after_a_clock_that_was_ahead(service: InProcess, clock: WallClock) -> None:
    clock.offset = DAY_AHEAD
    for _ in range(10):
        await service.post(CALM)
    clock.offset = 0.0
    ids = [(await service.post(CALM))["id"] for _ in range(4)]
    recurring = [(await service.get(f"/api/errors/{id_}"))["is_recurring"] for id_ in ids]
    assert recurring == [False, False, True, True]


async def test_a_clock_that_jumps_ahead_deletes_nothing(
    serve: Any, clock: WallClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "EVERY_SECONDS", 0.0)
    service: InProcess = await serve(retention="1d")
    await service.post({"event_id": "before"})
    for days in (400, 0, -400, 400):
        clock.offset = days * DAY_AHEAD
        for number in range(3):
            await service.post({"event_id": f"at {days} {number}"})
            await asyncio.sleep(0.3)  # the store looks for old errors
    clock.offset = 0.0
    assert (await service.get("/api/errors/1"))["event_id"] == "before"
