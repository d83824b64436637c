"""The table of workers never contradicts the verdict: both are made of the same reports, by the same limits."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from events import event
from projected import Projected
from random_errors import START, random_errors

from exporter.events.cursor import parse_place
from exporter.events.event import ErrorEvent, isoformat
from exporter.judgement.findings import findings
from exporter.judgement.watch import Watch
from exporter.judgement.words import Clock
from exporter.store import reports
from exporter.store.parameters import Filters, TimeRange
from exporter.store.queries import GetOverview, GetWorker, ListWorkers
from exporter.store.worker_results import WorkerRow

pytestmark = pytest.mark.dashboard


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Projected]:
    store = Projected(tmp_path / "errors.duckdb")
    yield store
    store.close()


def at(minutes: float) -> dt.datetime:
    return START + dt.timedelta(minutes=minutes)


def error(number: int, minutes: float, severity: str = "critical", **more: Any) -> ErrorEvent:
    return event(number, timestamp=at(minutes), received_at=at(minutes), severity=severity, **more)


def listed(store: Projected, now: dt.datetime, **query: Any) -> list[WorkerRow]:
    filters = query.pop("filters", None) or Filters(hours=24 * 7)
    found: list[WorkerRow] = store.read(ListWorkers(filters=filters, now=now, **query)).workers
    return found


@pytest.mark.parametrize("seed", range(8))
def test_silent_and_critical_are_what_the_verdict_says(store: Projected, seed: int) -> None:
    events, now = random_errors(seed, 80)
    reset = now - dt.timedelta(minutes=20) if seed % 3 == 0 else None
    if reset:
        store.database.db.execute("INSERT INTO marks VALUES (?)", [reset.replace(tzinfo=None)])
    store.append(events)
    watch = Watch(0, reset)
    watch.on_events(events)
    if reset:
        watch._suspects.forget(reset)  # as at a restart
    for seconds in (0, 61, 400, 700, 1_900, 3_000, 90_000):
        later = now + dt.timedelta(seconds=seconds)
        verdict = findings(watch.situation(later), Clock(later))
        rows = listed(store, later)
        silent = {one.worker_id: one.silent_since for one in rows if one.now == "silent"}
        assert silent == {one.worker_id: isoformat(one.since) for one in verdict.silent}
        assert bool(verdict.critical) == any(one.now == "critical" for one in rows)
        if verdict.recovering:
            assert any(one.now in ("recovering", "warning", "silent") for one in rows)


def test_of_reports_at_the_same_time_the_later_one_is_newer(store: Projected) -> None:
    store.append([
        error(1, 0, worker_id="talks"), error(2, 0, "info", worker_id="talks"),
        error(3, 0, "info", worker_id="crashed"), error(4, 0, worker_id="crashed"),
    ])  # fmt: skip
    assert {one.worker_id: one.now for one in listed(store, at(15))} == {"talks": "recovering", "crashed": "silent"}
    assert {one.worker_id: one.now for one in listed(store, at(45))} == {"talks": "stable", "crashed": "silent"}


def test_what_is_late_or_imported_says_nothing_about_now(store: Projected) -> None:
    late = event(1, timestamp=at(-40), received_at=at(0), severity="critical", worker_id="late")
    store.append([late, error(2, 0, worker_id="imported", imported=True), error(3, 0, "warning", worker_id="late")])
    rows = {one.worker_id: one for one in listed(store, at(1))}
    assert (rows["late"].now, rows["imported"].now) == ("warning", "stable")
    assert rows["late"].last_critical_at == isoformat(at(-40))


def test_a_silent_worker_is_listed_whatever_the_span(store: Projected) -> None:
    store.append([error(1, 0, worker_id="crashed"), error(2, 0, "info", worker_id="fine")])
    hour = Filters(hours=1)
    (row,) = listed(store, at(180), filters=hour)
    assert (row.worker_id, row.now, row.errors, row.last_error_at, row.patterns) == ("crashed", "silent", 0, None, 0)
    assert row.last_critical_at == row.silent_since == isoformat(at(0))
    assert [one.worker_id for one in listed(store, at(180), filters=Filters(hours=1, not_worker=("fine",)))] == [
        "crashed"
    ]
    for filters in (
        Filters(hours=1, worker=("fine",)), Filters(hours=1, severity=("critical",)), Filters(hours=1, q="a"),
        Filters(hours=1, until=at(170)),
    ):  # fmt: skip
        assert listed(store, at(180), filters=filters) == []


def test_the_overview_has_silent_workers_whatever_the_span(store: Projected) -> None:
    store.append([error(1, 0, worker_id="crashed"), error(2, 170, "info", worker_id="fine")])

    def found(**filters: Any) -> list[str]:
        overview = store.read(GetOverview(filters=Filters(hours=1, **filters), now=at(180))).worker_errors
        assert overview.total == len(overview.worker_stats)
        assert overview.with_errors == sum(one.error_count > 0 for one in overview.worker_stats)
        return [one.worker_id for one in overview.worker_stats]

    assert (found(), found(worker=("crashed",)), found(not_worker=("crashed",))) == (
        ["fine", "crashed"], ["crashed"], ["fine"],
    )  # fmt: skip
    assert (found(severity=("info",)), found(q="m"), found(until=at(175))) == (["fine"],) * 3
    crashed = store.read(GetOverview(filters=Filters(hours=1), now=at(180))).worker_errors.worker_stats[1]
    assert (crashed.now, crashed.error_count, crashed.critical_errors, crashed.status, crashed.most_common_error) == (
        "silent", 0, 0, "stable", "",
    )  # fmt: skip
    assert crashed.last_error_time == crashed.silent_since == crashed.last_critical_time == isoformat(at(0))


def test_of_many_workers_the_overview_has_those_in_trouble(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.store.read_workers.WORKERS", 4)
    monkeypatch.setattr("exporter.store.read_workers.MOST", 1)
    names = ["a"] * 9 + ["b"] * 8 + ["c"] * 7 + ["d"] * 6
    events = [error(number, 100, "info", worker_id=name) for number, name in enumerate(names, 1)]
    events += [error(31, 99, "critical", worker_id="bad"), error(32, 99, "warning", worker_id="warns")]
    events += [error(33, 0, "critical", worker_id="crashed")]
    store.append(sorted(events, key=lambda one: one.id))
    query = GetOverview(filters=Filters(hours=1), now=at(100))
    found = store.read(query).worker_errors
    assert [one.worker_id for one in found.worker_stats] == ["a", "bad", "warns", "crashed"]
    assert (found.total, found.with_errors) == (7, 6)
    monkeypatch.setattr("exporter.store.read_workers.WORKERS", 3)
    assert [one.worker_id for one in store.read(query).worker_errors.worker_stats] == ["a", "bad", "crashed"]


def test_hardware_does_not_turn_green_by_the_silence_of_its_worker(store: Projected) -> None:
    store.append([
        error(1, 0, worker_id="crashed", hardware_type="cuda"), error(2, 1, "info", worker_id="fine", hardware_type="cuda"),
        error(3, 2, worker_id="talks", hardware_type="cpu"), error(4, 3, "info", worker_id="talks"),
    ])  # fmt: skip

    def states(minutes: float) -> dict[str, tuple[str, str | None]]:
        overview = store.read(GetOverview(filters=Filters(hours=24), now=at(minutes)))
        return {name: (one.now, one.silent_since) for name, one in overview.hardware_errors.hardware_status.items()}

    assert states(2) == {"cuda": ("critical", None), "cpu": ("critical", None)}
    assert states(9) == {"cuda": ("recovering", None), "cpu": ("recovering", None)}
    assert states(40) == {"cuda": ("silent", isoformat(at(0))), "cpu": ("stable", None)}


@pytest.mark.parametrize("seed", range(2))
def test_pages_of_every_order_are_the_whole_list(store: Projected, seed: int) -> None:
    events, now = random_errors(seed, 60)
    store.append(events)
    for sort in ("errors", "critical", "last_critical", "last_error", "silent_since", "worker", "now"):
        for ascending in (False, True):
            every = listed(store, now, sort=sort, ascending=ascending)
            pages, after = [], None
            while True:
                query = ListWorkers(
                    filters=Filters(hours=24 * 7), now=now, sort=sort, ascending=ascending, after=after, limit=2
                )
                page = store.read(query)
                pages += page.workers
                assert page.total == len(every)
                if page.next_cursor is None:
                    break
                after = parse_place(page.next_cursor)
            assert pages == every
            values = [_value(one, sort) for one in every]
            missing = [one for one in values if one is None]
            having = [one for one in values if one is not None]
            assert values == having + missing
            assert having == sorted(having, reverse=not ascending)


def _value(row: WorkerRow, sort: str) -> Any:
    if sort == "now":
        return ["stable", "recovering", "warning", "silent", "critical"].index(row.now)
    return getattr(
        row, {"last_critical": "last_critical_at", "last_error": "last_error_at", "worker": "worker_id"}.get(sort, sort)
    )


def test_one_worker(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "fetch", None)  # it would hold hundreds of large reports at once
    gpus = (
        '{"system_context": {"gpu_metrics": {"devices": [{"memory_utilization": 40}, {"memory_utilization": 93.5}]}}}'
    )
    store.append([
        error(1, 0, worker_id="w", fingerprint="1" * 16, pattern="one", is_new_pattern=True, run="r1", test="t::a",
              devices=("GPU-1",), cpu_percent=50.0, body=gpus, hardware_type="cuda"),
        error(2, 1, "warning", worker_id="w", fingerprint="2" * 16, pattern="two", is_new_pattern=True, run="r1",
              devices=("GPU-1", "GPU-2"), gpu_celsius=80.0),
        error(3, 2, worker_id="w", fingerprint="2" * 16, body='{"system_context": 7}', hardware_type="cuda"),
        error(4, 3, worker_id="other", fingerprint="2" * 16, run="r1", devices=("GPU-1",), cpu_percent=1.0),
    ])  # fmt: skip
    found = store.read(GetWorker(id="w", range=TimeRange(hours=24), now=at(4)))
    assert (found.now, found.reason, found.errors, found.critical, found.warning) == (
        "critical", "critical error 2 min ago", 3, 2, 1,
    )  # fmt: skip
    assert [(one.text, one.errors, one.critical, one.first, one.last) for one in found.patterns] == [
        ("two", 2, 1, isoformat(at(1)), isoformat(at(2))), ("one", 1, 1, isoformat(at(0)), isoformat(at(0))),
    ]  # fmt: skip
    assert [(one.value, one.errors, one.last) for one in found.devices] == [
        ("GPU-1", 2, isoformat(at(1))), ("GPU-2", 1, isoformat(at(1))),
    ]  # fmt: skip
    assert [(one.value, one.errors) for one in found.runs] == [("r1", 2)]
    assert [(one.value, one.errors) for one in found.tests] == [("t::a", 1)]
    assert [(one.cpu, one.gpu_memory, one.gpu_temperature) for one in found.measurements] == [
        (50.0, 93.5, None), (None, None, 80.0),
    ]  # fmt: skip
    assert found.first_seen == isoformat(at(0))
    span = TimeRange(since=at(0.5), until=at(1.5))
    found = store.read(GetWorker(id="w", range=span, now=at(40)))
    assert (found.now, found.errors, found.critical, found.first_seen) == ("silent", 1, 0, isoformat(at(0)))
    assert store.read(GetWorker(id="nobody", range=TimeRange(), now=at(4))) is None
