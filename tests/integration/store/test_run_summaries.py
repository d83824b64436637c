"""Summaries of runs in the database: from the log, each once, replaced by what the same sender says later."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import lmdb
import pytest
from events import event
from projected import Projected

from exporter.events.cursor import parse_cursor
from exporter.events.run_summary import OUTCOMES, RunSummary, encode_summary
from exporter.local import backup
from exporter.log.embedded import EmbeddedLog, new_identity
from exporter.log.files import log_path
from exporter.store import StoreError, retention, summaries
from exporter.store.offline import check
from exporter.store.parameters import Filters
from exporter.store.projection import Projection
from exporter.store.queries import GetRankings, GetRun, ListRuns
from exporter.store.repair import repair

pytestmark = pytest.mark.dashboard
NOW = dt.datetime.now(dt.UTC)


def summary(run: str = "r1", sender: str = "ctl", **more: Any) -> RunSummary:
    tests = {"gw0": (["a", "b"], ["s"], ["f"], []), "gw1": (["c"], [], [], ["e"])}
    values: dict[str, Any] = {
        "received_at": dt.datetime.now(dt.UTC), "started_at": NOW, "finished_at": None, "complete": True,
        "counts": (3, 1, 1, 1), "details": {"job": "nightly", "url": "https://x"}, "tests": tests,
    }  # fmt: skip
    return RunSummary(run, sender, **(values | more))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "errors.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[Projected]:
    store = Projected(path)
    store.log.initialise(new_identity(), 0)
    yield store
    store.close()


def bound(path: Path) -> Projected:
    """Returns a store whose database is bound to its log, as that of a service is."""
    log = EmbeddedLog(log_path(path))
    log.initialise(new_identity(), 0)
    store = Projected(path, log)
    store.projection = Projection(store.database, log, identity=log.identity)
    store.append([event()])
    store.catch_up()
    return store


def send(store: Projected, *sent: RunSummary) -> None:
    for one in sent:
        store.log.append_summary(encode_summary(one))


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def run(store: Projected, id_: str = "r1", **asked: Any) -> Any:
    return store.read(GetRun(id=id_, now=now(), **asked))


def listed(found: Any) -> list[tuple[str, str, str]]:
    return [(one.test, one.worker, one.outcome) for one in found.tests]


def test_the_tests_of_a_run_come_worst_first_page_by_page(store: Projected) -> None:
    store.append([event(run="r1", test="f"), event(run="r1", test="f", severity="info"), event(run="r2", test="f")])
    send(store, summary())
    found = run(store)
    right = [("e", "gw1", "error"), ("f", "gw0", "failed"), ("s", "gw0", "skipped")]
    right += [(test, "gw1" if test == "c" else "gw0", "passed") for test in "abc"]
    assert listed(found) == right
    assert [one.error_count for one in found.tests] == [0, 2, 0, 0, 0, 0]
    assert (found.error_count, found.critical_errors, found.workers) == (2, 1, 1)
    assert (found.job, found.url, found.next_after) == ("nightly", "https://x", None)
    pages, after = [], 0
    while after is not None:
        page = run(store, limit=2, after=after)
        pages += listed(page)
        after = page.next_after
    assert pages == right
    assert listed(run(store, outcome=("failed", "error"))) == right[:2]
    assert run(store, "nobody") is None


def test_a_summary_replaces_that_of_the_same_sender_only(store: Projected) -> None:
    send(store, summary(), summary(sender="other"), summary("r2"))
    store.catch_up()
    send(store, summary(counts=(1, 0, 0, 0), tests={"gw0": (["a"], [], [], [])}, complete=False))
    found = run(store)
    outcomes = found.summary.outcomes
    assert (outcomes.passed, outcomes.failed, outcomes.skipped, outcomes.errors) == (4, 1, 1, 1)
    assert (found.summary.senders, found.summary.complete) == (2, False)
    assert [one.sender for one in found.summaries] == ["ctl", "other"]
    assert len(found.tests) == 1 + 6
    assert len(run(store, "r2").tests) == 6


def test_many_are_inserted_together(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    """One transaction for each would make reads wait for 20 ms times the files of a run."""
    monkeypatch.setattr(summaries, "SUMMARIES_AT_ONCE", 4)
    real, places = summaries.Summaries._insert, []

    def insert(self: Any, place: int, some: Any) -> None:
        places.append(place)
        real(self, place, some)

    monkeypatch.setattr(summaries.Summaries, "_insert", insert)
    send(store, summary(sender="0", tests={"gw0": (["old"], [], [], [])}), *(summary(sender=str(n)) for n in range(9)))
    store.log.append_summary(b"nonsense")
    found = run(store, limit=100)
    assert places == [4, 8, 11]
    assert (found.summary.senders, found.summary.outcomes.passed, len(found.tests)) == (9, 27, 54)
    assert "old" not in {one.test for one in found.tests}


def test_each_is_there_once_after_any_restart(path: Path) -> None:
    store = Projected(path)
    store.log.initialise(new_identity(), 0)
    send(store, summary())
    store.catch_up()
    send(store, summary("r2"))
    store.close()  # without having read the second
    again = Projected(path)
    assert len(run(again, "r2").tests) == 6
    assert again.values("SELECT count(*) FROM run_summaries") == [2]
    assert again.values("SELECT number FROM summaries_read") == [2]
    again.close()


def test_a_read_needs_no_new_event_to_see_a_summary(store: Projected) -> None:
    assert run(store) is None
    send(store, summary())
    assert run(store) is not None
    send(store, summary("r2"))
    assert [one.id for one in store.read(ListRuns(filters=Filters(hours=1), now=now())).runs] == ["r2", "r1"]


def test_a_failed_insertion_is_made_up_for(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the integers of names that the failed transaction gave."""
    send(store, summary())
    monkeypatch.setattr(summaries, "INSERTED_AT_ONCE", 2)
    real, calls = summaries.Summaries._write_tests, []

    def fail_once(self: Any, *given: Any) -> None:
        calls.append(given)
        if len(calls) == 2:
            raise duckdb.OutOfMemoryException("no memory")
        real(self, *given)

    monkeypatch.setattr(summaries.Summaries, "_write_tests", fail_once)
    with pytest.raises(StoreError):
        store.catch_up()
    assert store.values("SELECT count(*) FROM run_tests") == [0]
    store.append([event(run="other", test="a")])
    assert len(run(store).tests) == 6
    assert run(store, "other").error_count == 1
    names = store.values("SELECT count(*) - count(DISTINCT id) + count(*) - count(DISTINCT name) FROM tests")
    assert names == [0]


def test_one_that_cannot_be_decoded_is_left_out(store: Projected, caplog: pytest.LogCaptureFixture) -> None:
    store.log.append_summary(b"nonsense")
    send(store, summary())
    assert run(store) is not None
    assert "the summary 1 of the log" in caplog.text


def test_rankings_have_the_denominators(store: Projected) -> None:
    """Of a run, its tests; of a test, its runs whose summary came in the time range."""
    store.append([event(run="r1", test="f"), event(run="r2", test="f"), event(run="r3", test="x")])
    old = now() - dt.timedelta(hours=30)
    passed = {"gw0": (["f"], [], [], [])}
    send(
        store, summary(), summary("r2", counts=(9, 0, 0, 0), tests=passed), summary("r0", received_at=old, tests=passed)
    )
    by_test = {
        one.name: one.outcomes
        for one in store.read(GetRankings(filters=Filters(hours=24), now=now(), by="test")).values
    }
    assert (by_test["f"].passed, by_test["f"].failed, by_test["f"].failure_rate) == (1, 1, 0.5)
    assert by_test["x"] is None
    wider = {
        one.name: one.outcomes
        for one in store.read(GetRankings(filters=Filters(hours=48), now=now(), by="test")).values
    }
    assert (wider["f"].passed, wider["f"].failed) == (2, 1)
    by_run = {
        one.name: one.outcomes for one in store.read(GetRankings(filters=Filters(hours=24), now=now(), by="run")).values
    }
    assert (by_run["r1"].passed, by_run["r1"].errors, by_run["r1"].failure_rate) == (3, 1, 0.4)
    assert by_run["r2"].failure_rate == 0
    assert by_run["r3"] is None


def test_runs_are_listed_newest_first_page_by_page(store: Projected) -> None:
    store.append([event(run=f"r{number % 7}", timestamp=now() - dt.timedelta(minutes=number)) for number in range(20)])
    send(store, summary("s1"), summary("s2"))
    pages, after = [], None
    for _ in range(10):
        page = store.read(ListRuns(filters=Filters(hours=1), now=now(), limit=4, after=after))
        pages += [one.id for one in page.runs]
        if page.next_cursor is None:
            break
        after = _position(page.next_cursor)
    assert pages == ["s2", "s1", *(f"r{number}" for number in range(7))]
    assert store.read(ListRuns(filters=Filters(hours=1), now=now() + dt.timedelta(hours=3))).runs == []


def _position(cursor: str) -> Any:
    return parse_cursor(cursor)


def test_repair_that_builds_the_database_from_the_log_keeps_them(path: Path) -> None:
    store = Projected(path)
    store.append([event()])
    send(store, summary())
    store.catch_up()
    store.close()
    path.write_bytes(b"not a database" * 1_000)
    assert any("was built from the log" in sentence for sentence in repair(path))
    again = Projected(path)
    again.catch_up()
    assert len(run(again).tests) == 6
    assert again.count() == 1
    again.close()


def test_repair_moves_those_of_a_log_that_it_puts_aside(path: Path) -> None:
    store = bound(path)
    send(store, summary(), summary("r2"))
    store.close()
    _damage_summary(path, 2)
    assert check(path) == [f"{log_path(path)}: the summary 2 is damaged"]
    repair(path)
    with duckdb.connect(str(path)) as db:
        assert db.execute("SELECT count(*) FROM run_tests").fetchone() == (6,)
    assert check(path) == []


def test_a_backup_of_a_killed_service_has_those_that_only_its_log_has(path: Path, tmp_path: Path) -> None:
    store = bound(path)
    store.database.db.execute("CHECKPOINT")
    send(store, summary())
    store.close()
    copied = tmp_path / "copy.duckdb"
    copied.write_bytes(path.read_bytes())
    backup._add_log(path, copied)
    with duckdb.connect(str(copied)) as db:
        assert db.execute("SELECT count(*) FROM run_tests").fetchone() == (6,)


def _damage_summary(path: Path, number: int) -> None:

    with lmdb.open(str(log_path(path)), subdir=False, max_dbs=3) as env, env.begin(write=True) as txn:
        db = env.open_db(b"summaries", txn=txn)
        key = number.to_bytes(8, "big")
        txn.put(key, txn.get(key, db=db)[:-1] + b"!", db=db)


def sweep(store: Projected, age: dt.timedelta | None) -> None:
    kept = retention.Retention(store.database, store.projection.inserter, store.projection.rollups, age, 0)
    with store.database.writing:
        for _ in kept.sweep(now().replace(tzinfo=None)):
            pass


def test_retention_deletes_summaries_with_their_tests(store: Projected) -> None:
    day = dt.timedelta(days=1)
    old = {"received_at": now() - 3 * day}
    ancient = {"received_at": now() - 400 * day}
    send(store, summary("old", **old), summary("ancient", **ancient), summary("new"), summary("new", sender="x", **old))
    store.catch_up()
    sweep(store, None)
    assert store.values("SELECT count(*) FROM run_summaries") == [3]
    sweep(store, 2 * day)
    assert [one.id for one in store.read(ListRuns(filters=Filters(hours=24 * 500), now=now())).runs] == ["new"]
    assert store.values("SELECT count(*) FROM run_tests") == [6]
    assert [one.sender for one in run(store, "new").summaries] == ["ctl"]


def test_names_that_nothing_has_are_deleted_and_their_integers_not_used_again(store: Projected) -> None:
    store.append([event(run="r1", job="j1", test="t1", devices=("d1", "d2"), user="u"), event(run="r2", test="t2")])
    send(store, summary("s1"))
    assert store.read(GetRankings(filters=Filters(hours=1), now=now(), by="run")).values[0].name in ("r1", "r2")
    before = {table: max(store.values(f"SELECT id FROM {table}")) for table in ("runs", "tests")}
    store.database.db.execute("DELETE FROM errors; DELETE FROM run_summaries; DELETE FROM run_tests")
    with store.database.writing:
        store.projection.inserter.forget_unused_names()
    assert store.values("SELECT name FROM runs") == ["s1"], "the newest stays"
    assert store.values("SELECT count(*) FROM tests") == [1]
    store.append([event(run="r3", test="t1"), event(run="r1", test="t3")])
    store.catch_up()
    for table, last in before.items():
        assert sorted(store.values(f"SELECT id FROM {table}")) == [last, last + 1, last + 2]
    assert {one.name for one in store.read(GetRankings(filters=Filters(hours=1), now=now(), by="run")).values} == {
        "r1",
        "r3",
    }


def test_the_codes_of_outcomes_are_those_of_the_migration() -> None:
    assert OUTCOMES == ("passed", "skipped", "failed", "error")
