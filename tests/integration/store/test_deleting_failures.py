"""Whatever statement of a deletion fails, nothing else is lost or doubled, and the next attempt goes on."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from exact import assert_levels, assert_reports, assert_stored, levels
from failing import fail_at_each_call, failing
from fleet import Fleet
from projected import Projected

from exporter.store import StoreError, delete, deleting
from exporter.store.delete import begin
from exporter.store.deleting import Chosen, delete_span, trim_reports
from exporter.store.deletions import Begin, Delete, DeleteRequest, Matching
from exporter.store.verify import check_sums

pytestmark = pytest.mark.dashboard
DAY = dt.datetime(2026, 11, 25)
ALL = Chosen(DAY, DAY + dt.timedelta(days=1))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Projected]:
    store = Projected(tmp_path / "errors.duckdb")
    yield store
    store.close()


@pytest.fixture
def fleet(store: Projected) -> Fleet:
    """Has sent errors, of which some happened on `DAY`; all are rolled up."""
    fleet = Fleet(4)
    for _ in range(2):
        store.append(fleet.errors(90))
        store.catch_up()
        store.roll_up()
        fleet.now += dt.timedelta(days=2)
    assert any(one.timestamp.date() == DAY.date() for one in fleet.sent)
    return fleet


def test_a_span_is_deleted_as_a_whole_or_not_at_all(store: Projected, fleet: Fleet) -> None:
    left = [one for one in fleet.sent if one.timestamp.date() != DAY.date()]
    assert_levels(store, fleet.sent)
    before = levels(store)

    def step() -> None:
        with store.database.writing:
            assert delete_span(store.database, ALL, add_history=True) == len(fleet.sent) - len(left)

    def check() -> None:
        assert store.values("SELECT count(*) FROM errors") == [len(fleet.sent)]
        assert store.values("SELECT count(*) FROM history_worker") == [0]
        assert store.values("SELECT counted FROM deleted_errors") == [0]
        assert levels(store) == before

    calls = fail_at_each_call(store.database, step, check)
    assert "COMMIT" in calls
    assert_stored(store, left, sent=fleet.sent)


def test_reports_are_trimmed_once(store: Projected, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deleting, "TRIMMED_AT_ONCE", 2)
    left = [one for one in fleet.sent if one.timestamp.date() != DAY.date()]
    delete_span(store.database, ALL, add_history=False)

    def step() -> bool:
        with store.database.writing:
            return trim_reports(store.database)

    def check() -> None:
        assert_reports(store, left)

    fail_at_each_call(store.database, step, check)
    while step():
        pass
    assert store.values("SELECT count(*) FROM stale_blocks") == [0]
    assert_stored(store, left, sent=fleet.sent)


def test_a_deletion_on_request_goes_on_after_a_failure(
    store: Projected, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delete, "AT_ONCE", 7)
    request = DeleteRequest(q="a ", dry_run=False)
    matching = Matching(request, fleet.now, len(fleet.sent))
    number = begin(store.database, Begin(matching, "127.0.0.1"))
    steps = 0
    after = None
    while True:
        steps += 1
        with store.database.writing:
            if steps % 2:
                with failing(store.database, "COMMIT"), pytest.raises((StoreError, duckdb.Error)):
                    delete.step(store.database, store.projection.rollups, store.projection.inserter,
                                Delete(number, matching, after))  # fmt: skip
            step = delete.step(store.database, store.projection.rollups, store.projection.inserter,
                               Delete(number, matching, after))  # fmt: skip
        after = step.after
        if step.done:
            break
    left = [one for one in fleet.sent if "a " not in one.message and "a " not in f"{one.worker_id} {one.type}"]
    assert 0 < len(left) < len(fleet.sent)
    assert store.values("SELECT errors FROM deletions") == [len(fleet.sent) - len(left)]
    assert_stored(store, left, sent=fleet.sent)


def test_a_check_finds_what_a_wrong_deletion_leaves(store: Projected, fleet: Fleet) -> None:
    """Errors that disappear without being counted, counters that are too low, and reports that should be gone."""
    path = store.database.path
    wrong = {
        "DELETE FROM errors WHERE id < 20": "counters",
        "UPDATE counters SET errors = 0 WHERE first_id < 20": "counters",
        "UPDATE deleted_errors SET counted = counted + 1": "counters",
        "DELETE FROM stale_blocks": "blocks of reports do not match",
    }
    delete_span(store.database, ALL, add_history=True)
    store.database.db.execute("CHECKPOINT")
    copy = path.with_name("copy.duckdb")
    for statement, words in {"SELECT 1": "", **wrong}.items():
        copy.write_bytes(path.read_bytes())
        with duckdb.connect(str(copy)) as db:
            db.execute(statement)
        problems = check_sums(copy)
        assert bool(problems) == bool(words), (statement, problems)
        assert words in "".join(problems)
