"""States of patterns in the database: replayed, rescued, checked, and bounded."""

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from events import event
from projected import Projected

from exporter.store import StoreError, state_tables
from exporter.store.assignments import Assignments
from exporter.store.decisions import Refused
from exporter.store.projection import Projection
from exporter.store.rescue import rescue
from exporter.store.states import Act, AddNote, Drain, StateChange, StateOfPattern
from exporter.store.verify import check_sums, mend

pytestmark = pytest.mark.dashboard


class Stored(Projected):
    """With pattern ids, as in the store process."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.projection = Projection(self.database, self.log, Assignments(self.database))

    def error(self, fingerprint: str = "f", **more: Any) -> None:
        now = dt.datetime.now(dt.UTC)
        new = {"is_new_fingerprint": True, "scope": "s", "pattern": fingerprint}
        self.append(
            [event(timestamp=now, received_at=now, fingerprint=fingerprint, pattern_id=fingerprint, **new | more)]
        )
        self.catch_up(self.log.last)

    def act(self, action: Any, id_: str = "f", **more: Any) -> Any:
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        with self.database.writing:
            return self.projection.states.change(Act(id_, action, "Ana", "", **more), now)

    def status(self) -> list[str]:
        return self.values("SELECT status FROM pattern_states ORDER BY number")

    def audit(self) -> list[str]:
        return self.values("SELECT action FROM audit ORDER BY number")

    def close_all(self) -> None:
        self.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Stored]:
    one = Stored(tmp_path / "errors.duckdb")
    yield one
    one.close_all()


def test_a_regression_whose_transaction_failed_is_made_with_the_next(
    store: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.error()
    store.act("resolve")
    whole = store.projection.states.on_events

    def fails(events: Any) -> None:
        whole(events)
        raise duckdb.IOException("the disk is gone")

    monkeypatch.setattr(store.projection.states, "on_events", fails)
    with pytest.raises(StoreError):
        store.error()
    assert (store.status(), store.audit()) == (["resolved"], ["resolve"])
    monkeypatch.undo()
    store.catch_up(store.log.last)
    assert (store.status(), store.audit()) == (["regressed"], ["resolve", "regressed"])
    store.error()
    assert store.audit() == ["resolve", "regressed"]


def test_the_end_of_a_mute_that_counts_no_more_changes_nothing_that_counts(store: Stored) -> None:
    states = store.projection.states
    until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    store.error("f")
    store.error("g")
    store.act("mute", "f", until=until)
    store.act("resolve", "g")
    with store.database.writing:
        store.database.db.execute("UPDATE assignments SET pattern_id = 'g'")  # they became one pattern
        states.names_changed()
        states.end_by_time((until + dt.timedelta(seconds=1)).replace(tzinfo=None))
        assert [(one.anchor, one.state.status) for one in states.everything().patterns] == [("g", "resolved")]
    assert (store.status(), store.audit()) == (["open", "resolved"], ["mute", "resolve", "unmuted"])


def test_the_audit_says_which_error_ended_a_mute_and_when(store: Stored) -> None:
    store.error()
    store.act("claim")
    store.act("mute", errors=1)
    store.error()
    ats = store.values("SELECT made_at FROM audit ORDER BY number")
    assert store.audit() == ["claim", "mute", "unmuted"]
    assert ats == sorted(ats)
    assert store.values("SELECT error_id FROM audit ORDER BY number") == [None, None, store.log.last]


def test_a_replayed_log_makes_the_same_states(store: Stored, tmp_path: Path) -> None:
    store.error()
    store.act("resolve")
    store.database.db.execute("CHECKPOINT")
    copy = tmp_path / "copy.duckdb"
    shutil.copy2(store.database.path, copy)
    store.error()
    replayed = Projected(copy, log=store.log)
    replayed.catch_up(store.log.last)
    rows = "SELECT * FROM pattern_states"
    assert replayed.values(rows) == store.values(rows)
    assert replayed.values("SELECT * FROM audit") == store.values("SELECT * FROM audit")
    replayed.database.disconnect()


def test_repair_keeps_states(store: Stored, tmp_path: Path) -> None:
    store.error()
    store.act("mute", errors=7)
    with store.database.writing:
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        store.projection.states.change(Drain("w", True, "Ana", "", True), now)
        store.projection.states.change(AddNote("f", "seen", "Ana", ""), now)
    tables = ("pattern_states", "drained_workers", "audit")
    before = [store.values(f"SELECT * FROM {table}") for table in tables]
    assert all(before)
    store.database.db.execute("CHECKPOINT")
    copy, new = tmp_path / "copy.duckdb", tmp_path / "new.duckdb"
    shutil.copy2(store.database.path, copy)
    assert rescue(copy, new) == {}
    with duckdb.connect(str(new)) as db:
        assert [db.execute(f"SELECT * FROM {table}").fetchall() for table in tables] == before
        db.execute("INSERT INTO pattern_states FROM pattern_states")
        db.execute("UPDATE pattern_states SET status = 'claimed', number = 9 WHERE rowid = 1")
    assert check_sums(new) == [f"{new}: 2 states of f in the table pattern_states"]
    assert len(mend(new)) == 1
    assert check_sums(new) == []
    with duckdb.connect(str(new)) as db:
        assert db.execute("SELECT status FROM pattern_states").fetchall() == [("claimed",)]


def test_states_are_bounded(store: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_tables, "MAX_STATES", 3)
    monkeypatch.setattr(state_tables, "MAX_ENTRIES", 4)
    for id_ in "abcd":
        store.error(id_)
    for id_ in "abc":
        store.act("claim", id_)
    refused = store.act("claim", "d")
    assert isinstance(refused, Refused)
    assert (refused.status, refused.field) == (409, "id")
    assert isinstance(store.act("reopen", "b"), StateOfPattern)
    assert isinstance(store.act("claim", "d"), StateOfPattern)
    assert store.status() == ["claimed"] * 3
    assert len(store.audit()) == 4, "a refused change leaves no entry"
    store.act("claim", "d")
    assert len(store.audit()) == 4


def test_what_changed_is_told_once(store: Stored) -> None:
    states = store.projection.states
    store.error()
    assert states.take_changes() is None
    store.act("resolve")
    changed = states.take_changes()
    assert changed is not None
    assert [(one.anchor, one.state.status, one.names) for one in changed.patterns] == [("f", "resolved", ("f",))]
    assert states.take_changes() is None
    store.error("g")
    assert states.take_changes() is None, "another pattern"
    store.error()
    changed = states.take_changes()
    assert changed is not None
    (one,) = changed.patterns
    assert isinstance(one, StateChange)
    assert (one.state.status, one.regressions, one.error_id) == ("regressed", 1, store.log.last)
    with store.database.writing:
        assert states.everything().patterns == [one]
