"""The projection: whatever fails, the database has every event of the log once, and exact counts."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from conftest import eventually
from events import event
from projected import Projected

from exporter.events.event import ErrorEvent
from exporter.log.embedded import EmbeddedLog
from exporter.log.files import log_path
from exporter.store import StoreError
from exporter.store import projection as module

pytestmark = pytest.mark.dashboard


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "errors.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[Projected]:
    store = Projected(path)
    yield store
    store.close()


def assert_exact(store: Projected, count: int) -> None:
    """Asserts that each event is there once, with its report, and that it is counted once."""
    assert store.values("SELECT id FROM errors ORDER BY id") == list(range(1, count + 1))
    assert store.values("SELECT position FROM log_position") == [store.database.position] == [count]
    assert len(store.errors().errors) == min(count, 1_000)
    assert sum(counted.errors for counted in store.state().counters) == count
    assert store.count() == count
    store.roll_up()
    assert store.count() == count


def test_what_was_appended_is_read(store: Projected) -> None:
    store.append([event(1), event(2)], [event(3, fingerprint="a" * 16, pattern="other", is_new_pattern=True)])
    assert_exact_after(store, 3)
    assert [error.event_id for error in store.errors().errors] == ["e3", "e2", "e1"]
    assert {pattern.pattern for pattern in store.patterns().patterns} == {"T", "other"}
    assert store.overview().seq == 3


def assert_exact_after(store: Projected, count: int) -> None:
    store.catch_up()
    assert_exact(store, count)


def test_it_goes_on_after_a_crash_wherever_that_was(path: Path) -> None:
    """The log has more events than the database when the process starts again."""
    store = Projected(path)
    store.append([event(1), event(2)], [event(3)])
    store.catch_up()
    store.append([event(4)], [event(5), event(6)])
    store.close()
    for _ in range(2):
        store = Projected(path)
        assert_exact_after(store, 6)
        store.close()


async def test_the_log_is_copied_while_old_reports_are_packed(
    store: Projected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade, packing the reports of ten million errors takes minutes."""
    packing = threading.Event()

    def pack_step() -> bool:
        packing.set()
        return True

    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(store.projection.inserter, "pack_step", pack_step)
    store.append([event(1)])
    store.projection.start()
    await eventually(packing.is_set)
    store.append([event(2)])
    await eventually(lambda: store.database.position == 2)


def test_a_run_ends_where_the_log_ended_when_it_began(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under load the log grows during each transaction; a run that followed it would make many small transactions."""
    store.append([event(1), event(2)])
    real = store.projection.insert

    def insert(events: list[ErrorEvent]) -> None:
        assert store.database.position < 2, "a second transaction in one run"
        store.append([event(events[-1].id + 1)])
        real(events)

    monkeypatch.setattr(store.projection, "insert", insert)
    store.catch_up()
    assert store.database.position == 2
    monkeypatch.undo()
    assert_exact_after(store, 3)


@pytest.mark.parametrize("position", range(1, 7))
def test_it_catches_up_at_least_to_a_position(store: Projected, position: int) -> None:
    store.append([event(1), event(2)], [event(3)], [event(4), event(5), event(6)])
    store.catch_up(position)
    assert store.database.position >= position
    assert_exact_after(store, 6)


def test_a_position_within_a_batch_is_continued(store: Projected) -> None:
    """A database that was upgraded from a journal may end in the middle of a batch of the log."""
    store.append([event(number) for number in range(1, 6)])
    real, store.projection._read = store.projection._read, lambda: real()[:2]  # type: ignore[method-assign]
    store.catch_up(1)
    assert store.database.position == 2
    store.projection._read = real  # type: ignore[method-assign]
    assert_exact_after(store, 5)


def test_a_long_log_is_inserted_in_bounded_transactions(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_BYTES", 3_000)
    positions: list[int | None] = []
    transact = store.database.transact

    def noted(write: Callable[[], object], *, position: int | None = None) -> None:
        positions.append(position)
        transact(write, position=position)

    monkeypatch.setattr(store.database, "transact", noted)
    store.append(*[[event(number)] for number in range(1, 101)])
    store.catch_up()
    assert len(positions) == 5
    assert positions == sorted(set(positions), key=lambda position: position or 0)
    assert_exact(store, 100)


@pytest.mark.parametrize("durable", [False, True])
def test_an_engine_that_breaks_and_cannot_be_opened_is_opened_later(
    store: Projected, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    """The commit may have been durable when the engine broke."""
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0.02)
    store.append([event(1)])
    store.catch_up()
    assert store.count() == 1
    database, real, tries = store.database, duckdb.connect, []

    def connect(*arguments: object, **more: object) -> duckdb.DuckDBPyConnection:
        tries.append(arguments)
        if len(tries) < 4:
            raise duckdb.IOException("no space left")
        return real(*arguments, **more)

    transact = database.transact

    def breaks(write: Callable[[], object], *, position: int | None = None) -> None:
        def and_breaks() -> None:
            write()
            if durable:
                database.db.execute(f"UPDATE log_position SET position = {position}")
                database.db.execute("COMMIT")
            raise duckdb.FatalException("broken")

        monkeypatch.setattr(database, "transact", transact)  # the next transaction succeeds
        transact(and_breaks, position=position)

    monkeypatch.setattr(duckdb, "connect", connect)
    monkeypatch.setattr(database, "transact", breaks)
    store.append([event(2)])
    store.projection.start()
    deadline = time.monotonic() + 30
    failures = set()
    while len(tries) < 4 and time.monotonic() < deadline:
        failures.add(store.projection.failure)
        time.sleep(0.005)
    assert any("no space left" in failure for failure in failures)
    store.append([event(3)])
    assert_exact_after(store, 3)
    while store.projection.failure and time.monotonic() < deadline:
        time.sleep(0.005)
    assert store.projection.failure == ""


async def test_it_follows_the_log_by_itself(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0.01)
    store.projection.start()
    store.append([event(1)])
    await eventually(lambda: store.database.position == 1)
    with monkeypatch.context() as patch:
        patch.setattr(module, "decode_batch", lambda *_: 1 / 0)  # a bug in the projection does not end its thread
        store.append([event(2)])
        await eventually(lambda: "ZeroDivisionError" in store.projection.failure)
    await eventually(lambda: store.database.position == 2)
    await eventually(lambda: store.projection.failure == "")


def test_events_that_the_log_no_longer_has_are_reported(path: Path) -> None:
    store = Projected(path, EmbeddedLog(log_path(path), keep_events=0))
    store.append([event(1)])
    store.log.trim(1)
    store.append([event(2)])
    with pytest.raises(StoreError, match="begins at position 2; position 1 was trimmed"):
        store.catch_up()
    store.close()


def test_threads_read_beside_the_projection(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read includes every event that was appended before it began."""
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0.001)
    store.append([event(1)])
    store.projection.start()
    wrong: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            before = store.log.last
            if (seen := store.count()) < before:
                wrong.append(f"{seen} < {before}")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(150):
        store.append([event(number * 10 + n) for n in range(10)])
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert_exact_after(store, 1_501)
