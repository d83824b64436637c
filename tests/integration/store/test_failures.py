"""Whatever statement of a write fails, nothing is lost or doubled, and the next attempt goes on."""

import datetime as dt
import json
import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from events import event
from exact import assert_answers, assert_levels, assert_reports, assert_stored, levels
from failing import fail_at_each_call, failing
from fleet import Fleet
from projected import Projected
from upgrade import old_database

from exporter.events.event import ErrorEvent
from exporter.log.embedded import new_identity
from exporter.store import StoreError, insert, reports, rollups
from exporter.store.reports import PER_BLOCK, fetch
from exporter.store.rollup_tables import ROLLUPS

pytestmark = pytest.mark.dashboard


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Projected]:
    store = Projected(tmp_path / "errors.duckdb")
    yield store
    store.close()


def statements(calls: list[str], word: str) -> set[str]:
    """Returns the tables that the calls insert into, delete from or update."""
    return {call.split(word, 1)[1].split()[0] for call in calls if call.startswith(word)}


def test_events_are_inserted_once(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was buffered, or was only in memory, when the transaction failed must not show in the next one."""
    for module in (reports, insert):
        monkeypatch.setattr(module, "PER_BLOCK", 8)
    sent: list[ErrorEvent] = []

    def send(count: int = 8) -> None:
        """Appends events, one with a new worker, text and alias. They complete a block that has a report already."""
        new = event(worker_id=f"worker {len(sent)}", message="x" * len(sent), is_new_fingerprint=True, alias="a" * 16)
        sent.extend(store.append([new, *(event() for _ in range(count - 1))]))

    def check() -> None:
        assert_stored(store, sent[:-8])
        store.catch_up()
        assert_stored(store, sent)
        assert store.values("SELECT count(*) FROM aliases") == [1 + len(sent) // 8]
        send()

    send(4)
    store.catch_up()
    send()
    calls = fail_at_each_call(store.database, store.catch_up, check)
    assert_stored(store, sent)
    assert (calls[0], calls[-1]) == ("BEGIN", "COMMIT")
    assert statements(calls, "INSERT INTO") == {"workers", "texts", "aliases"}
    assert statements(calls, "DELETE FROM") == {"single_reports"}
    assert [name for name in calls if name in ("append_rows", "flush")] == ["append_rows", "flush"] * 4  # each appender


def waiting(store: Projected, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """A store with errors that wait to be rolled up: in one step, which also adds late ones, seals and merges."""
    monkeypatch.setattr(rollups, "MERGE_AFTER", 1)
    fleet = Fleet(2)
    for _ in range(2):
        store.roll_up()
        fleet.now += dt.timedelta(days=2)
        store.append(fleet.errors(25))
        store.catch_up()
    assert store.values("SELECT rolled FROM rolled_up") == [25]
    return fleet


def test_errors_are_rolled_up_once(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = waiting(store, monkeypatch)
    assert_levels(store, fleet.sent)
    before = levels(store)

    def check() -> None:
        assert levels(store) == before

    def step() -> None:
        with store.database.writing:
            assert store.projection.rollups.step(1)

    calls = fail_at_each_call(store.database, step, check)
    assert store.values("SELECT rolled FROM rolled_up") == [50]
    assert_stored(store, fleet.sent)
    assert_answers(store, fleet.sent, fleet.now, {})
    tables = {rollup.table(level) for rollup in ROLLUPS for level in rollup.levels}
    assert statements(calls, "INSERT INTO") == {"counters", *tables}
    for rollup in ROLLUPS:
        for level in rollup.levels:  # the errors of this step (in coarser levels the late ones), a seal, a merge
            inserts = sum(call.startswith(f"INSERT INTO {rollup.table(level)} ") for call in calls)
            assert inserts == (2 if level is rollup.levels[0] else 3), rollup.table(level)
    assert statements(calls, "UPDATE") == {"rolled_up"}
    assert "COMMIT" in calls


def test_a_rollup_whose_commit_was_kept_is_not_made_again(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a checkpoint runs out of disk after the commit."""
    fleet = waiting(store, monkeypatch)
    broken = duckdb.FatalException("broken")
    with failing(store.database, "COMMIT", broken, after=True), pytest.raises(StoreError, match="broken"):
        store.roll_up()
    assert store.values("SELECT rolled FROM rolled_up") == [50]
    assert_stored(store, fleet.sent)
    store.roll_up()
    assert_stored(store, fleet.sent)


def test_reports_of_an_earlier_release_are_packed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step packs some blocks. Between two steps, new events complete the block in which the old ones end."""
    monkeypatch.setattr(insert, "PACKED_AT_ONCE", PER_BLOCK)
    fleet = Fleet(3)
    old_database(tmp_path / "errors.duckdb", 6, fleet.errors(12 * PER_BLOCK - 10))
    store = Projected(tmp_path / "errors.duckdb")
    store.log.initialise(new_identity(), len(fleet.sent))
    packed = [0]

    def step() -> bool:
        with store.database.writing:
            return store.projection.inserter.pack_step()

    def check() -> None:
        for more in (False, True):
            if more:
                packed.append(len(packed))
                assert step()
            assert_reports(store, fleet.sent)
            assert sorted(store.blocks()) == packed[:-1]

    calls = fail_at_each_call(store.database, step, check)
    assert statements(calls, "DELETE FROM") == {"single_reports"}
    assert [name for name in calls if name in ("append_rows", "flush")] == ["append_rows", "flush"]
    assert "COMMIT" in calls
    store.append(fleet.errors(30))
    store.catch_up()
    assert_reports(store, fleet.sent)
    while step():
        assert_reports(store, fleet.sent)
    assert sorted(store.blocks()) == list(range(12))
    assert store.values("SELECT min(id) FROM single_reports") == [12 * PER_BLOCK]
    assert_reports(store, fleet.sent)
    store.close()


def test_no_more_than_complete_blocks_are_packed(store: Projected) -> None:
    for number in (1, PER_BLOCK - 2, PER_BLOCK - 1, PER_BLOCK, 3 * PER_BLOCK):
        fleet = Fleet(4)
        store.append(fleet.errors(number - store.database.position))
        store.catch_up()
        store.pack()
        complete = (number + 1) // PER_BLOCK
        assert sorted(store.blocks()) == list(range(complete))
        singles = store.values("SELECT id FROM single_reports ORDER BY 1")
        assert singles == list(range(max(1, complete * PER_BLOCK), number + 1))


def test_large_reports_are_packed_within_the_memory_of_duckdb(
    store: Projected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 of them in one row, or in one transaction, do not fit into it."""
    store.database.db.execute("SET memory_limit = '48MB'")
    monkeypatch.setattr(insert, "PACKED_BYTES", 2**22)
    large = [event(id_, body=json.dumps({"log": os.urandom(2**19).hex()})) for id_ in range(1, PER_BLOCK + 2)]
    for one in large:
        store.append([one])
    store.catch_up()
    assert_packed(store, large)
    # An earlier release kept them single.
    store.database.db.execute("DELETE FROM report_blocks_0")
    for one in large:
        store.database.db.execute("INSERT INTO single_reports VALUES (?, ?)", [one.id, one.body])
    with store.database.writing:
        store.projection.inserter.pack_step()
    assert store.values("SELECT min(id) FROM single_reports") == [4]  # a report has a little more than 2**20 bytes
    store.pack()
    assert_packed(store, large[:-2])


def assert_packed(store: Projected, sent: list[ErrorEvent]) -> None:
    """Asserts that the reports of events are packed and as they were sent."""
    last = sent[-1].id
    assert store.values(f"SELECT id FROM single_reports WHERE id <= {last}") == []
    bodies = {one.id: one.body for one in sent}
    assert store.database.read(lambda cursor: fetch(cursor, list(bodies))) == bodies
