"""The readers in the HTTP process: each gets every event once and in order, even if it or another reader fails."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from conftest import eventually
from events import append, event

from exporter.backoff import Backoff
from exporter.events.event import ErrorEvent
from exporter.log import LogDamagedError, LogError
from exporter.log import readers as module
from exporter.log.embedded import EmbeddedLog
from exporter.log.readers import TRIES, Follower, Readers

pytestmark = pytest.mark.dashboard


class Collector:
    """A reader that collects ids. `broken` maps an id to the number of failures at it, -1 for always."""

    def __init__(self, position: int = 0) -> None:
        self.position = position
        self.ids: list[int] = []
        self.failures: list[int] = []
        self.broken: dict[int, int] = {}

    def on_events(self, events: Sequence[ErrorEvent]) -> None:
        for one in events:
            if self.broken.get(one.id):
                self.broken[one.id] -= 1
                self.failures.append(one.id)
                raise RuntimeError(f"event {one.id}")
            self.ids.append(one.id)
            self.position = one.id


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Backoff", lambda first, longest: Backoff(0.001, 0.002))


@pytest.fixture
def log(tmp_path: Path) -> EmbeddedLog:
    log = EmbeddedLog(tmp_path / "errors.duckdb.log")
    append(log, [event(number) for number in range(1, 6)])
    return log


@contextlib.asynccontextmanager
async def running(log: EmbeddedLog, **collectors: Collector) -> AsyncIterator[Readers]:
    readers = Readers(log)
    for name, collector in collectors.items():
        readers.add(name, collector)
    readers.start()
    try:
        yield readers
    finally:
        await readers.stop()
        log.close()


def publish(readers: Readers, log: EmbeddedLog, count: int = 1) -> None:
    """Appends and publishes one batch, as the service does."""
    readers.publish(append(log, [event(log.last + 1 + number) for number in range(count)]))


def follower(readers: Readers, name: str) -> Follower:
    (found,) = [follower for follower in readers.followers if follower.name == name]
    return found


async def test_a_reader_gets_the_past_from_the_log_and_the_present_directly(log: EmbeddedLog) -> None:
    new, resumed, current = Collector(), Collector(3), Collector(5)
    async with running(log, new=new, resumed=resumed, current=current) as readers:
        publish(readers, log, 2)
        assert current.ids == [6, 7]  # before the senders are answered
        await eventually(lambda: not readers.followers[0].lag and not readers.followers[1].lag)
        assert (new.ids, resumed.ids) == (list(range(1, 8)), [4, 5, 6, 7])
        publish(readers, log)
        assert [reader.ids[-1] for reader in (new, resumed, current)] == [8] * 3
        assert readers.position() == 8
        assert [one.restarts for one in readers.followers] == [0] * 3


async def test_a_reader_that_fails_does_not_disturb_the_others_and_goes_on_from_its_position(
    log: EmbeddedLog, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Collector(5), Collector(5)
    bad.broken = {7: 3}
    async with running(log, bad=bad, good=good) as readers:
        publish(readers, log, 3)
        assert (bad.ids, good.ids) == ([6], [6, 7, 8])
        publish(readers, log)
        assert good.ids == [6, 7, 8, 9]
        await eventually(lambda: not follower(readers, "bad").lag)
        assert bad.ids == [6, 7, 8, 9]  # none lost, none repeated
        publish(readers, log)
        assert bad.ids == good.ids == [6, 7, 8, 9, 10]
        assert (follower(readers, "bad").restarts, follower(readers, "bad").skipped) == (3, 0)
        assert (follower(readers, "good").restarts, follower(readers, "good").skipped) == (0, 0)
    assert "reader bad failed at event 7, try 3" in caplog.text


async def test_an_event_that_always_fails_is_skipped_after_five_tries(
    log: EmbeddedLog, caplog: pytest.LogCaptureFixture
) -> None:
    bad = Collector(5)
    bad.broken = {7: -1, 9: -1}
    async with running(log, bad=bad) as readers:
        publish(readers, log, 5)
        await eventually(lambda: not follower(readers, "bad").lag)
        assert bad.ids == [6, 8, 10]
        assert bad.failures == [7] * TRIES + [9] * TRIES
        assert (follower(readers, "bad").restarts, follower(readers, "bad").skipped) == (2 * TRIES, 2)
        publish(readers, log)
        assert bad.ids[-1] == 11
    assert "reader bad skips event 7" in caplog.text


async def test_tries_of_one_event_are_not_counted_for_another(log: EmbeddedLog) -> None:
    bad = Collector(5)
    bad.broken = dict.fromkeys(range(6, 16), TRIES - 1)
    async with running(log, bad=bad) as readers:
        publish(readers, log, 12)
        await eventually(lambda: not follower(readers, "bad").lag)
        assert bad.ids == list(range(6, 18))
        assert follower(readers, "bad").skipped == 0


async def test_events_that_come_while_a_reader_catches_up_are_not_lost_or_doubled(
    log: EmbeddedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_BYTES", 1)  # one batch at a time
    reader = Collector()
    async with running(log, reader=reader) as readers:
        for number in range(300):
            publish(readers, log, 1 + number % 3)
            if number % 10 == 0:
                await asyncio.sleep(0.001)
            if number % 50 == 7:
                reader.broken[log.last + 1] = 2
        await eventually(lambda: not follower(readers, "reader").lag)
        assert reader.ids == list(range(1, log.last + 1))


async def test_a_log_that_cannot_be_read_for_a_while_costs_nothing(
    log: EmbeddedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Collector()
    reads = 0
    read = EmbeddedLog.read

    def fails(self: EmbeddedLog, position: int, max_bytes: int) -> object:
        nonlocal reads
        reads += 1
        if reads < 20:
            raise LogError("Input/output error")
        return read(self, position, max_bytes)

    monkeypatch.setattr(EmbeddedLog, "read", fails)
    async with running(log, reader=reader) as readers:
        await eventually(lambda: not follower(readers, "reader").lag)
        assert (reader.ids, follower(readers, "reader").skipped) == ([1, 2, 3, 4, 5], 0)


async def test_events_that_are_damaged_in_the_log_are_skipped(
    log: EmbeddedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, [event(6)])
    reader = Collector()
    read = EmbeddedLog.read

    def damaged(self: EmbeddedLog, position: int, max_bytes: int) -> object:
        if position <= 5:
            raise LogDamagedError("the batch of positions 1 to 5 is damaged")
        return read(self, position, max_bytes)

    monkeypatch.setattr(EmbeddedLog, "read", damaged)
    async with running(log, reader=reader) as readers:
        await eventually(lambda: not follower(readers, "reader").lag)
        assert (reader.ids, follower(readers, "reader").skipped) == ([6], 5)


async def test_events_that_were_deleted_before_a_reader_read_them_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = EmbeddedLog(tmp_path / "errors.duckdb.log", keep_events=1)
    append(log, *[[event(number)] for number in range(1, 8)])
    log.trim(7)
    append(log, [event(8)])
    assert log.first == 7
    reader = Collector(2)
    async with running(log, reader=reader) as readers:
        await eventually(lambda: not follower(readers, "reader").lag)
        assert (reader.ids, follower(readers, "reader").skipped) == ([7, 8], 4)
    assert "events 3 to 6 were deleted before it read them" in caplog.text


async def test_a_reader_that_is_behind_is_named_and_what_it_needs_is_kept(
    log: EmbeddedLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    stuck, good = Collector(5), Collector(5)
    async with running(log, stuck=stuck, good=good) as readers:
        publish(readers, log, 2)
        assert (readers.behind(0.0), readers.position()) == ([], 7)
        stuck.broken = dict.fromkeys(range(8, 1_000), -1)
        publish(readers, log, 500)
        await asyncio.sleep(0.02)
        assert readers.behind(0.01) == ["stuck"]
        assert readers.behind(10) == []
        assert readers.position() < 100 < log.last
        assert follower(readers, "stuck").lag > 400
        stuck.broken = {}
        await eventually(lambda: readers.behind(0.0) == [])
        assert stuck.ids[-1] == log.last


async def test_a_reader_of_a_fresh_log_is_not_behind(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path / "errors.duckdb.log")
    log.initialise("a" * 32, 41)
    async with running(log, reader=Collector(41)) as readers:
        await asyncio.sleep(0.01)
        assert (readers.behind(0.0), readers.position(), follower(readers, "reader").lag) == ([], 41, 0)
        assert Readers(log).position() == 41
