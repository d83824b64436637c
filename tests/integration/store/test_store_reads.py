"""Reads in the store process: a failed or cancelled read does not disturb others."""

import asyncio
import datetime as dt
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import duckdb
import pytest
from conftest import eventually
from events import append, event
from store_process import Started

from exporter.config import Settings
from exporter.service import _store_settings
from exporter.store import StoreError, assignments
from exporter.store import server as module
from exporter.store.client import StoreClient
from exporter.store.parameters import Filters
from exporter.store.queries import ListErrors

pytestmark = pytest.mark.dashboard


@pytest.fixture
async def threaded(tmp_path: Path) -> AsyncIterator[Started]:
    """The store in a thread of this process, so that a test can patch it."""
    store = Started(tmp_path / "errors.duckdb", process=False)
    await store.start()
    yield store
    await store.client.close()
    store.log.close()


async def test_a_read_that_nobody_waits_for_is_interrupted(threaded: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = 0

    def endless(cursor: duckdb.DuckDBPyConnection, query: object) -> object:
        nonlocal begun
        begun += 1
        return cursor.execute("SELECT count(*) FROM range(100000000000)").fetchall()

    with monkeypatch.context() as patch:
        patch.setattr(module.read, "answer", endless)
        queries = [
            ListErrors(filters=Filters(), now=dt.datetime.now(dt.UTC), limit=limit)
            for limit in range(1, module.WORKERS + 1)
        ]
        reads = [asyncio.create_task(threaded.client.read(query)) for query in queries]
        await eventually(lambda: begun == module.WORKERS)
        await asyncio.sleep(0.2)  # now the queries run
    for read in reads:
        read.cancel()
    assert await asyncio.wait_for(threaded.count(), 5) == 0


def test_a_read_whose_connection_was_closed_can_be_cancelled(tmp_path: Path) -> None:
    """As while a broken database is opened again: an exception in the main thread would end the process."""
    cursor = duckdb.connect()
    cursor.close()
    near, far = socket.socketpair()
    with near, far:
        server = module.Server(_store_settings(Settings(), tmp_path / "errors.duckdb", tmp_path / "log"), far)
        server._running[1] = cursor
        server._cancel(1)


async def test_a_read_that_fails_is_an_error_of_its_own(
    threaded: Started, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> object:
        raise ZeroDivisionError("a fault of our own")

    with monkeypatch.context() as patch:
        patch.setattr(module.read, "answer_from", fails)
        with pytest.raises(StoreError, match="a fault of our own"):
            await threaded.count()
    assert await threaded.count() == 0
    assert threaded.client.restarts == 0
    assert "a read request failed" in caplog.text


async def test_a_bug_in_the_rules_of_families_keeps_no_service_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(texts: object) -> object:
        raise ValueError("a bug")

    monkeypatch.setattr(assignments, "grouped", fails)
    store = Started(tmp_path / "errors.duckdb", process=False)
    append(store.log, [event(1, is_new_fingerprint=True, scope="S")])
    try:
        for client in (store.client, StoreClient(store.client._settings, store.log, process=False)):
            store.client = client
            await store.start()
            assert await store.count() == 1
            await client.close()
        assert caplog.text.count("could not be computed") == 2
    finally:
        await store.client.close()
        store.log.close()
