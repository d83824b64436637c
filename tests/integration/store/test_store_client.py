"""The supervision of the store process: whatever happens to it, it is replaced, and the rest of the service continues."""

import asyncio
import contextlib
import datetime as dt
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import psutil
import pytest
from conftest import eventually
from events import append, event
from msgspec import Struct
from store_process import Started

from exporter.store import StoreError
from exporter.store import client as module
from exporter.store.answers import Answer
from exporter.store.client import StoreClient
from exporter.store.decisions import Undo
from exporter.store.parameters import Filters
from exporter.store.queries import GetOverview
from exporter.store.wire import LENGTH, Pong, Response, frame

pytestmark = pytest.mark.dashboard


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Started]:
    store = Started(tmp_path / "errors.duckdb")
    try:
        await store.start()
        yield store
    finally:
        with contextlib.suppress(psutil.Error):
            store.process().resume()
        await store.client.close()
        store.log.close()


async def test_a_read_sees_everything_that_was_appended_before_it(store: Started) -> None:
    for number in range(1, 30):
        append(store.log, [event(number)])
        assert await store.count() == number
    positions: list[int] = []
    store.client.on_position = positions.append
    await eventually(lambda: positions)
    assert positions[-1] == store.client.position == 29


async def test_a_change_that_fails_may_have_been_made(store: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the answer from before it is not given again."""

    async def read() -> Answer:
        return (await store.client.read(GetOverview(filters=Filters(hours=24), now=dt.datetime.now(dt.UTC)))).answer

    async def fails(*_: object) -> bytes:
        raise StoreError("the database did not answer")

    monkeypatch.setattr("exporter.store.answers.MAX_AGE_SECONDS", 60.0)
    for change in (store.client.reset_counts(dt.datetime.now(dt.UTC)), store.client.decide(Undo(1))):
        before = await read()
        assert await read() is before
        with monkeypatch.context() as patch, pytest.raises(StoreError):
            patch.setattr(store.client, "_call", fails)
            await change
        assert await read() is not before


async def test_a_killed_process_is_replaced(store: Started) -> None:
    append(store.log, [event(1)])
    assert await store.count() == 1
    store.process().kill()
    append(store.log, [event(2)])
    began = time.monotonic()
    with pytest.raises(StoreError, match="is being started again"):
        while True:  # until the client notices
            await store.count()
    assert time.monotonic() - began < 8
    await store.replaced()
    assert store.client.restarts == 1
    assert await store.count() == 2


async def test_a_process_that_dies_again_and_again_is_replaced_in_the_end(store: Started) -> None:
    """It dies at any moment of its start, even when the database has just been opened."""
    append(store.log, [event(1)])
    killed: set[int] = set()
    deadline = time.monotonic() + 20
    while len(killed) < 6 and time.monotonic() < deadline:
        with contextlib.suppress(psutil.Error, AssertionError):
            process = store.process()
            if process.pid not in killed:
                await asyncio.sleep(0.1 * len(killed))
                process.kill()
                killed.add(process.pid)
        await asyncio.sleep(0.01)
    await eventually(lambda: store.answered(), 30)
    assert await store.count() == 1
    await eventually(lambda: len(store.client._tasks) - sum(task.done() for task in store.client._tasks) == 1)


async def test_pings_of_the_old_process_do_not_go_to_the_new_one(
    store: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database of the new process is not open yet: an answer would hide that, and its position would be 0."""
    monkeypatch.setattr(module, "PING_INTERVAL", 0.05)
    inspect, states = StoreClient.inspect, []

    async def slowly(self: StoreClient, *, again: bool) -> Any:
        info = await inspect(self, again=again)
        await asyncio.sleep(0.3)
        states.append((self.position, self.failure))
        return info

    append(store.log, [event(1)])
    assert await store.count() == 1
    await eventually(lambda: store.client.position == 1)
    monkeypatch.setattr(StoreClient, "inspect", slowly)
    store.process().kill()
    await eventually(lambda: states)
    assert states == [(1, "its process ended and is started again")]
    await store.replaced()


async def test_a_process_that_ends_as_soon_as_it_is_open_is_replaced(
    store: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = StoreClient._call
    opened = 0

    async def ends_after_open(self: StoreClient, kind: Any, payload: bytes, seconds: float) -> bytes:
        nonlocal opened
        answer = await call(self, kind, payload, seconds)
        if kind == "open":
            opened += 1
            if opened == 1:
                assert self._connection
                self._connection.kill()
                connection = self._connection
                await eventually(lambda: connection.closed)
        return answer

    monkeypatch.setattr(StoreClient, "_call", ends_after_open)
    store.process().kill()
    await eventually(lambda: opened == 2)
    await store.replaced()
    assert await store.count() == 0


async def test_the_last_answer_of_a_process_does_not_hide_its_end(store: Started) -> None:
    """A pong and the end of the process arrive at the same time."""
    connection = store.client._connection
    assert connection
    _, future = connection.request("ping")
    await future
    store.client._tasks[0].cancel()
    pings = asyncio.create_task(store.client._ping(connection))
    await asyncio.sleep(0)
    number = max(connection._pending)
    connection._reader.feed_data(frame(Response(number, "ok", msgspec.msgpack.encode(Pong(0, "")))))
    connection._reader.feed_eof()
    await pings
    assert store.client.failure == "its process ended and is started again"
    await store.replaced()


async def test_a_database_that_is_being_opened_answers_no_read(store: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has not read the whole log yet, so its answer would be outdated."""
    append(store.log, [event(1)])
    inspect = StoreClient.inspect
    failures = []

    async def read_before_open(self: StoreClient, *, again: bool) -> Any:
        info = await inspect(self, again=again)
        with pytest.raises(StoreError, match="is being opened") as error:
            await store.count()
        failures.append(error)
        with pytest.raises(StoreError, match="is being opened"):
            await self.reset_counts(dt.datetime.now(dt.UTC))
        return info

    monkeypatch.setattr(StoreClient, "inspect", read_before_open)
    store.process().kill()
    await eventually(lambda: store.client.restarts)
    await store.replaced()
    assert failures
    assert await store.count() == 1


async def test_a_stopped_process_is_replaced(store: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING_SECONDS", 0.3)
    append(store.log, [event(1)])
    assert await store.count() == 1
    stopped = store.process()
    stopped.suspend()
    waiting = asyncio.create_task(store.count())
    append(store.log, [event(2)])  # the suspended process does not hold LMDB's writer lock
    with pytest.raises(StoreError, match="is being started again"):
        await waiting
    await store.replaced()
    assert not stopped.is_running()
    assert await store.count() == 2


@pytest.mark.parametrize(
    "received",
    [b"\xff\xff\xff\xff", LENGTH.pack(3) + b"\xc1\xc1\xc1", LENGTH.pack(5) + b"\x93\x01\xa2??"],
    ids=["too long", "not MessagePack", "not a response"],
)
async def test_a_process_that_answers_nonsense_is_replaced(store: Started, received: bytes) -> None:
    strange = store.process()
    connection = store.client._connection
    assert connection
    connection._reader.feed_data(received)
    await eventually(lambda: store.client.restarts == 1)
    await store.replaced()
    assert not strange.is_running()
    assert await store.count() == 0


async def test_a_process_that_answers_a_ping_with_nonsense_is_replaced(
    store: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OtherPong(Struct):
        position: str

    with monkeypatch.context() as patch:
        patch.setattr(module, "PING_INTERVAL", 0.01)
        patch.setattr(module, "Pong", OtherPong)
        await eventually(lambda: store.client.restarts)
    await store.replaced()


async def test_a_read_is_given_up_in_time(store: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.2)
    store.process().suspend()
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"did not answer within 0\.2 s"):
        await store.count()
    assert time.monotonic() - began < 8
    store.process().resume()
    monkeypatch.undo()
    assert await store.count() == 0
    assert store.client.restarts == 0
    assert store.client._connection
    assert len(store.client._connection._pending) <= 1  # the ping


async def test_closing_takes_a_bounded_time(store: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.2)
    stopped = store.process()
    stopped.suspend()
    began = time.monotonic()
    await store.client.close()
    assert time.monotonic() - began < 4.5
    assert not stopped.is_running()


async def test_closing_while_it_is_being_replaced(tmp_path: Path) -> None:
    for delay in (0.0, 0.05, 0.2, 0.4):
        store = Started(tmp_path / f"{delay}.duckdb")
        await store.start()
        store.process().kill()
        await asyncio.sleep(delay)
        await store.client.close()
        assert store.client._connection
        assert store.client._connection._process
        assert store.client._connection._process.poll() is not None
        store.log.close()


async def test_closing_at_the_moment_of_a_pong(store: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cancellation of the pings must not be lost."""
    connection = store.client._connection
    assert connection
    real, pings = connection.request, []

    def request(kind: Any, payload: bytes = b"", at: int = 0) -> Any:
        if kind != "ping":
            return real(kind, payload, at)
        pings.append(asyncio.get_running_loop().create_future())
        return 0, pings[-1]

    monkeypatch.setattr(connection, "request", request)
    await eventually(lambda: pings)
    pings[-1].set_result(msgspec.msgpack.encode(Pong(0, "")))
    await asyncio.wait_for(asyncio.create_task(store.client.close()), 5)


async def test_a_clean_close_leaves_the_file_complete(store: Started, tmp_path: Path) -> None:
    append(store.log, [event(1)])
    process = store.process()
    await store.client.close()
    assert not process.is_running()
    assert not (tmp_path / "errors.duckdb.wal").exists()
    with duckdb.connect(str(tmp_path / "errors.duckdb")) as db:
        assert db.execute("SELECT position, complete FROM log_position").fetchone() == (1, True)


async def test_a_process_that_does_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "errors.duckdb").write_bytes(b"not a database" * 1000)
    store = Started(tmp_path / "errors.duckdb")
    with pytest.raises(StoreError, match=r"errors\.duckdb"):
        await store.client.inspect()
    await store.client.close()
    store.log.close()


async def test_signals_of_a_terminal_do_not_end_it(store: Started) -> None:
    """A terminal sends them to the whole process group; the parent closes the store process in order."""
    for number in (signal.SIGINT, signal.SIGTERM):
        store.process().send_signal(number)
    await asyncio.sleep(0.1)
    assert await store.count() == 0
    assert store.client.restarts == 0
