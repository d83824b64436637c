"""Which ids are in memory, and when the database has to be asked."""

import datetime as dt

import pytest
from events import event
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.events.report import MAX_LABEL
from exporter.ingest import deduplication
from exporter.ingest.deduplication import KnownIds
from exporter.ingest.past import NewestIds, joined, newest_ids, worker_of

pytestmark = pytest.mark.dashboard
NOW = dt.datetime(2026, 3, 15, 12, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
WORKER = st.text(min_size=1, max_size=MAX_LABEL)


@pytest.fixture
def ids(monkeypatch: pytest.MonkeyPatch) -> KnownIds:
    monkeypatch.setattr(deduplication, "MAX_KNOWN", 2)
    return KnownIds(NewestIds(), None, {})


def add(ids: KnownIds, number: int, *, worker: str = "w", ahead: float = 0) -> None:
    """Adds the event that is received in the second `number`, from a worker whose clock is ahead."""
    ids.add(event(number, worker_id=worker, timestamp=NOW + (number + ahead) * SECOND))


def may_be_evicted(ids: KnownIds, second: float, worker: str = "w") -> bool:
    return ids.may_be_evicted(worker, (NOW + second * SECOND).timestamp())


def test_nothing_is_evicted_while_there_is_room(ids: KnownIds) -> None:
    add(ids, 1)
    add(ids, 2)
    assert not ids.has_evicted
    assert not may_be_evicted(ids, -10_000)
    assert (ids.get(("w", "e1")), ids.get(("w", "e2"))) == (1, 2)


def test_only_what_is_not_later_than_an_evicted_error_may_be_evicted(ids: KnownIds) -> None:
    """So in a flood, when the ids in memory are those of some seconds, new errors are not looked up."""
    for number in range(1, 6):
        add(ids, number)
    assert (ids.get(("w", "e3")), ids.get(("w", "e4")), ids.evicted) == (None, 4, 3)
    assert [may_be_evicted(ids, second) for second in (1, 3, 3.1, 4, 5, 6)] == [True, True, False, False, False, False]


def test_a_clock_that_is_ahead_concerns_its_worker_alone(ids: KnownIds) -> None:
    add(ids, 1, worker="ahead", ahead=240)
    for number in range(2, 5):
        add(ids, number)
    assert may_be_evicted(ids, 241, "ahead")
    assert not may_be_evicted(ids, 242, "ahead")
    assert [may_be_evicted(ids, second) for second in (2, 3)] == [True, False]
    assert not may_be_evicted(ids, 1, "another")


def test_the_workers_are_bounded(ids: KnownIds, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is forgotten of one counts for all: too many reports are looked up, never too few."""
    monkeypatch.setattr(deduplication, "MAX_WORKERS", 2)
    add(ids, 1, worker="a", ahead=50)
    for number, worker in enumerate("bcdef", 2):
        add(ids, number, worker=worker)
    assert may_be_evicted(ids, 51, "a")
    assert may_be_evicted(ids, 51, "another")
    assert not may_be_evicted(ids, 52, "a")


def test_the_ids_of_the_database_are_evicted_first(ids: KnownIds) -> None:
    at = NOW.timestamp()
    ids = KnownIds(newest_ids([("v", "a", 7, at + 30), ("w", "b", 8, at)]), None, {})
    assert not ids.has_evicted
    for number in range(9, 12):
        add(ids, number)
        assert ids.evicted == number - 2
    assert [ids.get(key) for key in (("v", "a"), ("w", "b"), ("w", "e9"), ("w", "e10"))] == [None, None, None, 10]
    assert [may_be_evicted(ids, 30, worker) for worker in "vw"] == [True, False]


@given(WORKER, st.text(min_size=1), WORKER, st.text(min_size=1))
@example("a", "bc", "ab", "c")
@example("a", "\1a", "\1a", "a")
@example("w" * MAX_LABEL, "e", "w", "e")
def test_different_ids_have_different_keys(worker: str, event_id: str, other: str, other_id: str) -> None:
    assert worker_of(joined(worker, event_id)) == worker
    assert (joined(worker, event_id) == joined(other, other_id)) == ((worker, event_id) == (other, other_id))


def test_an_id_that_comes_twice_is_evicted_once(ids: KnownIds) -> None:
    """A sender may use an id that the service then makes for a report without one."""
    add(ids, 1)
    again = event(2, event_id="e1", timestamp=NOW + 20 * SECOND)
    ids.add(again)
    assert ids.get(("w", "e1")) == 2
    assert may_be_evicted(ids, 20)
    for number in range(3, 9):
        add(ids, number)
        known = [one for one in range(9) if ids.get(("w", f"e{one}"))]
        assert known == ([1, 3] if number == 3 else [number - 1, number])
        assert ids.evicted == {3: 0, 4: 2}.get(number, number - 2)
    ids = KnownIds(newest_ids([]), None, {})
    ids.add(again)
    ids.add(event(3, event_id="e1"))  # both slots are free
    assert ids.get(("w", "e1")) == 3


def test_an_id_that_the_database_has_twice_is_evicted_once(ids: KnownIds) -> None:
    at = NOW.timestamp()
    ids = KnownIds(newest_ids([("w", "a", 7, at), ("v", "b", 8, at), ("w", "a", 9, at + 60)]), None, {})
    assert ids.get(("w", "a")) == 9
    add(ids, 10, worker="v")
    assert may_be_evicted(ids, 60)
    ids = KnownIds(newest_ids([("w", "a", 7, at), ("w", "a", 8, at + 1)]), None, {})
    assert ids.get(("w", "a")) == 8
    for number in range(9, 12):
        add(ids, number)
    assert (ids.get(("w", "a")), ids.get(("w", "e9")), ids.get(("w", "e10")), ids.evicted) == (None, None, 10, 9)
    assert [may_be_evicted(ids, second) for second in (9, 10)] == [True, False]


def test_what_was_evicted_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    at = NOW.timestamp()
    ids = KnownIds(newest_ids([("w", "e9", 9, at)]), at - 5, {"ahead": at + 100})
    assert ids.has_evicted
    assert ids.evicted == 0
    assert [may_be_evicted(ids, second) for second in (-6, -5, -4.9, 0)] == [True, True, False, False]
    assert may_be_evicted(ids, 100, "ahead")
    monkeypatch.setattr(deduplication, "MAX_WORKERS", 1)
    ids = KnownIds(NewestIds(), at - 5, {"a": at + 100, "b": at + 50})
    assert may_be_evicted(ids, 100, "another")
