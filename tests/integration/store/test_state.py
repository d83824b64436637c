"""The state that the HTTP process gets from the store at start, and the texts that rows keep."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from events import event
from projected import Projected

from exporter.ingest.past import KnownId
from exporter.store import CounterKey, rollups, state

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
    assert (found.past.recurrences, found.past.known_ids, found.past.known_patterns) == ({}, [], [])
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
    assert [(key, count.errors) for key, count in found.counters] == [
        (CounterKey("w", "T", "C", "info", None), 2), (CounterKey("v", "T", "C", "critical", "cuda"), 2),
    ]  # fmt: skip
    assert [(count.first_seen, count.last_seen) for _, count in found.counters] == [(old, NOW)] * 2
    assert found.past.known_ids == [KnownId(one.worker_id, one.event_id, one.id, one.received_at) for one in events]
    assert found.past.known_ids_since is None
    assert found.past.recurrences == {"f" * 16: [NOW, NOW]}
    assert found.past.known_patterns == ["f" * 16]
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
    assert [key.worker_id for key, _ in store.state().counters] == workers
    store.roll_up()
    assert [(key.worker_id, count.errors) for key, count in store.state().counters] == [(w, 2) for w in workers]


def test_of_many_ids_the_newest_are_known(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MAX_KNOWN", 3)
    events = [event(number, received_at=NOW + dt.timedelta(seconds=number)) for number in range(1, 6)]
    store.append(events)
    store.catch_up()
    past = store.state().past
    assert [known.event_id for known in past.known_ids] == ["e3", "e4", "e5"]
    assert past.known_ids_since == events[2].received_at


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
