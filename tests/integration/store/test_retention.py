"""Retention: what is left has exactly the numbers of the errors that are left, and nothing else is lost."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from counted import LEVELS, floor
from exact import assert_answers, assert_stored
from fleet import Fleet
from projected import Projected

from exporter.events.event import ErrorEvent
from exporter.store import deleting, retention, rollups
from exporter.store.retention import Retention
from exporter.store.verify import check_sums

AGES = (dt.timedelta(minutes=5), dt.timedelta(hours=7), dt.timedelta(days=3), dt.timedelta(days=30))


def sweep(store: Projected, now: dt.datetime, age: dt.timedelta | None = None, max_bytes: int = 0) -> None:
    """Deletes what is too old or too much, and its reports."""
    kept = Retention(store.database, store.projection.inserter, store.projection.rollups, age, max_bytes)
    with store.database.writing:
        for _ in kept.sweep(now.replace(tzinfo=None)):
            pass
        while deleting.trim_reports(store.database):
            pass


@pytest.mark.parametrize(("seed", "age"), list(enumerate(AGES)), ids=str)
def test_only_the_old_errors_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, age: dt.timedelta
) -> None:
    """Errors come late, and some when they are too old already; the steps are small."""
    store = Projected(tmp_path / "errors.duckdb")
    monkeypatch.setattr(rollups, "ROLL_AT_ONCE", 17)
    monkeypatch.setattr(rollups, "MERGE_AFTER", 3)
    monkeypatch.setattr(retention, "AT_ONCE", 5)
    fleet = Fleet(seed)
    width = retention.step_width(age)
    deleted: dict[int, ErrorEvent] = {}
    for turn in range(12):
        fleet.wait()
        store.append(fleet.errors(fleet.rng.randrange(1, 60)))
        store.catch_up()
        store.roll_up(fleet.rng.choice([1, 10, 30]))
        cut = floor(fleet.now - age, width)
        sweep(store, fleet.now, age)
        deleted |= {one.id: one for one in fleet.sent if one.timestamp < cut}
        left = [one for one in fleet.sent if one.id not in deleted]
        assert_stored(store, left, sent=fleet.sent)
        assert_history(store, deleted.values(), fleet.now)
        if turn in (5, 11):
            assert_answers(store, left, fleet.now, {}, sent=fleet.sent)
    store.close()
    assert check_sums(store.database.path) == []
    assert len(deleted) > 20


def assert_history(store: Projected, deleted: Iterable[ErrorEvent], now: dt.datetime) -> None:
    since = (now - retention.HISTORY).replace(tzinfo=None)
    for table, column, name in (
        ("history_pattern", "fingerprint", "fingerprints"), ("history_worker", "worker", "workers"),
    ):  # fmt: skip
        held = store.values(
            f"SELECT day, n.name, severity_name(severity), errors FROM {table} h JOIN {name} n ON n.id = h.{column}"
        )
        expected: Counter[tuple[dt.datetime, str, str]] = Counter(
            (floor(one.timestamp, LEVELS["day"]).replace(tzinfo=None),
             one.fingerprint if column == "fingerprint" else one.worker_id, one.severity)
            for one in deleted
        )  # fmt: skip
        assert {tuple(row[:3]): row[3] for row in held} == {k: v for k, v in expected.items() if k[0] >= since}
        assert len(held) == len({tuple(row[:3]) for row in held}), "one row for each key"
