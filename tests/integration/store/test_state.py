"""The state that the HTTP process gets from the store at start, and the texts that rows keep."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from events import event
from projected import Projected

from exporter.ingest import deduplication
from exporter.ingest.past import NewestIds, joined, newest_ids
from exporter.store import Counted, projection, rollups, state
from exporter.store.assignments import Assignments
from exporter.store.projection import Projection
from exporter.store.series import LabelLimits, hash_of
from exporter.store.state import load_state

pytestmark = pytest.mark.dashboard
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Projected]:
    store = Projected(tmp_path / "errors.duckdb")
    yield store
    store.close()


def test_of_an_empty_database(store: Projected) -> None:
    found = store.state()
    assert (found.position, found.counters, found.reset_at) == (0, [], None)
    assert (found.critical_seconds, found.received_seconds) == ({}, {})
    assert (found.past.recurrences, found.past.known_ids, found.past.assigned.known) == ({}, NewestIds(), [])
    assert found.past.known_ids_since is None


def test_of_a_database_with_errors(store: Projected) -> None:
    old = NOW - dt.timedelta(hours=7)
    events = [
        event(1, severity="info", timestamp=NOW, received_at=NOW, is_new_pattern=True),
        event(2, severity="critical", worker_id="v", hardware_type="cuda", timestamp=NOW, received_at=NOW),
        event(3, severity="info", timestamp=old, received_at=NOW),
        event(4, severity="critical", worker_id="v", hardware_type="cuda", timestamp=old, received_at=old),
    ]
    store.append(events[:2], events[2:])
    store.catch_up()
    found = store.state()
    assert found.position == 4
    assert found.counters == [
        Counted("w", "T", "C", "info", None, 2, old.timestamp(), NOW.timestamp()),
        Counted("v", "T", "C", "critical", "cuda", 2, old.timestamp(), NOW.timestamp()),
    ]
    assert found.past.known_ids == newest_ids(
        (one.worker_id, one.event_id, one.id, one.timestamp.timestamp()) for one in events
    )
    assert found.past.known_ids_since is None
    assert found.past.recurrences == {"f" * 16: [NOW, NOW]}
    assert found.past.assigned.known == ["f" * 16]
    assert found.critical_seconds == {int(NOW.timestamp()): 1}
    assert found.received_seconds == {int(NOW.timestamp()): 3}


def test_counters_keep_the_order_in_which_their_keys_came(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    """So after a restart the same workers and types have their own labels."""
    monkeypatch.setattr(rollups, "ROLL_AT_ONCE", 5)
    monkeypatch.setattr(rollups, "MERGE_AFTER", 2)
    workers = [f"w{number * 7 % 13}" for number in range(13)]
    for worker in workers:
        store.append([event(worker_id=worker)])
        store.catch_up()
    store.append([event(worker_id=worker) for worker in sorted(workers)])
    store.catch_up()
    assert [one.worker_id for one in store.state().counters] == workers
    store.roll_up()
    assert [(one.worker_id, one.errors) for one in store.state().counters] == [(w, 2) for w in workers]


def test_of_many_ids_the_newest_are_known(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deduplication, "MAX_KNOWN", 3)
    events = [event(number, timestamp=NOW, received_at=NOW + dt.timedelta(seconds=number)) for number in range(1, 6)]
    store.append(events)
    store.catch_up()
    past = store.state().past
    assert past.known_ids.positions == {joined("w", f"e{number}"): number for number in (3, 4, 5)}
    assert past.known_ids_since == events[2].received_at.timestamp()
    assert past.known_ids_ahead == {}


def test_of_older_errors_the_workers_with_a_clock_that_is_ahead_are_known(
    store: Projected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deduplication, "MAX_KNOWN", 2)
    minutes = [dt.timedelta(minutes=number) for number in range(5)]
    store.append(
        [
            event(1, worker_id="ahead", received_at=NOW, timestamp=NOW + minutes[4]),
            event(2, worker_id="ahead", received_at=NOW, timestamp=NOW + minutes[3]),
            event(3, worker_id="right", received_at=NOW, timestamp=NOW),
            event(4, worker_id="right", received_at=NOW + minutes[1], timestamp=NOW - minutes[1]),
            event(5, worker_id="right", received_at=NOW + minutes[2], timestamp=NOW + minutes[2]),
        ]
    )
    store.catch_up()
    past = store.state().past
    assert past.known_ids_since == (NOW + minutes[1]).timestamp()
    assert past.known_ids_ahead == {"ahead": (NOW + minutes[4]).timestamp()}


def test_of_many_patterns_those_used_last_are_known(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were seen once have a bound of their own."""
    monkeypatch.setattr(state, "MAX_ONCE", 2)
    monkeypatch.setattr(state, "MAX_AGAIN", 3)
    times = [NOW - dt.timedelta(hours=hour) for hour in range(8)]
    for number in range(16):
        for time in times[number % 8 :: 8] * (1 + number // 8):
            store.append([event(fingerprint=f"{number:016x}", timestamp=time, is_new_fingerprint=True)])
    store.catch_up()
    past = store.state().past
    assert past.assigned.known == [f"{number:016x}" for number in (1, 0, 10, 9, 8)]
    assert past.seen_once == 2


def test_of_many_patterns_the_times_of_the_newest_are_known(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MAX_PATTERNS", 3)
    for minute in range(10):
        store.append([event(fingerprint=f"{minute:016x}", timestamp=NOW - dt.timedelta(minutes=minute))])
    store.catch_up()
    assert list(store.state().past.recurrences) == [f"{minute:016x}" for minute in (2, 1, 0)]


def test_patterns_of_version_1_and_families_are_bounded(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MAX_OLD_PATTERNS", 2)
    monkeypatch.setattr(state, "MAX_FAMILIES", 3)
    store.projection = Projection(store.database, store.log, Assignments(store.database))
    names = ["alice", "bob", "carol", "dave", "erin"]
    for minute in range(5):
        time = NOW - dt.timedelta(minutes=minute)
        old = [event(fingerprint=f"old{minute}", scope=None, timestamp=time, is_new_pattern=True)]
        new = [
            event(
                fingerprint=f"{minute}{name}", scope=f"S{minute}", pattern=f"Cannot log in user {name} right now",
                timestamp=time, is_new_fingerprint=True,
            )
            for name in names
        ]  # fmt: skip
        store.append(old + new)
    store.catch_up()
    past = store.state().past
    assert past.old_patterns == ["old0", "old1"]
    assert list(past.assigned.families) == ["S2", "S1", "S0"]
    assert len(past.assigned.ids) == 25


def test_counters_are_added_up_in_as_many_series_as_there_may_be(store: Projected) -> None:
    store.append([event(number, worker_id=f"w{number}", hardware_type=f"h{number}") for number in range(1, 101)])
    store.catch_up()
    found = load_state(store.database, 5, LabelLimits(workers=10, types=5, series=20))
    assert [one.worker_id for one in found.counters] == [f"w{number}" for number in range(91, 101)]
    assert sum(one.errors for one in found.others) == sum(found.resting.values()) == 90
    assert len({one.hardware_type for one in (*found.others, *found.counters)}) == 51


@pytest.mark.parametrize("rolled", [False, True])
def test_only_keys_with_errors_of_late_have_series(
    store: Projected, rolled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if rolled:
        monkeypatch.setattr(projection, "ROLL_FROM", 1)
    ages = {("old", "T"): 30, ("w", "T"): 1, ("w", "U"): 25, ("x", "T"): 2, ("y", "T"): 3}
    for (worker, type_), hours in ages.items():
        for severity, more in (("info", 20), ("critical", 0)):
            time = NOW - dt.timedelta(hours=hours + more)
            store.append([event(worker_id=worker, type=type_, severity=severity, timestamp=time)])
        store.append([event(worker_id=worker, type=type_, imported=True)])
    store.catch_up()
    found = load_state(store.database, 5, LabelLimits(workers=2, idle=86_400))
    assert {(one.worker_id, one.type, one.severity, one.errors) for one in found.counters} == {
        ("w", "T", "info", 1), ("w", "T", "critical", 1), ("x", "T", "info", 1), ("x", "T", "critical", 1),
    }  # fmt: skip
    assert found.resting == {hash_of(*key, "C"): 2 for key in (("old", "T"), ("w", "U"), ("y", "T"))}
    assert {one.severity: one.errors for one in found.others} == {"info": 3, "critical": 3}
    assert found.types == {
        hash_of("T"): (NOW - dt.timedelta(hours=50)).timestamp(), hash_of("U"): (NOW - dt.timedelta(hours=45)).timestamp()
    }  # fmt: skip


def test_the_newest_times_of_a_pattern_are_enough(store: Projected) -> None:
    times = [NOW - dt.timedelta(minutes=minute) for minute in range(10)]
    store.append([event(timestamp=time) for time in times])
    store.catch_up()
    assert store.state().past.recurrences == {"f" * 16: times[4::-1]}


def test_text_of_every_kind_comes_back(store: Projected) -> None:
    texts = ["a\0b", "\u202eRTL", "😀", "<script>", "'; DROP TABLE errors; --", "%s %d {}", "\r\n\t", "x" * 8192]
    store.append([event(n, message=text, worker_id=text, type=text, category=text) for n, text in enumerate(texts)])
    errors = sorted(store.errors().errors, key=lambda error: error.id)
    for name in ("message", "worker_id", "type"):
        assert [getattr(error, name) for error in errors] == texts
    assert [error.error_category for error in errors] == [
        text.strip().upper()[:256] or "UNKNOWN_ERROR" for text in texts
    ]


def test_an_error_whose_report_is_lost_is_still_listed(store: Projected) -> None:
    store.append([event(number) for number in range(1, 100)])
    store.catch_up()
    with store.database.writing:
        for table in ("single_reports", "report_blocks_0"):
            store.database.db.execute(f"DELETE FROM {table}")
    assert [(error.id, error.traceback) for error in store.errors().errors] == [(id_, None) for id_ in range(99, 0, -1)]
