"""The socket over which a command asks the service to keep its database file unchanged."""

import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from commands import ok
from conftest import Served, eventually
from events import event
from here import Here, starting
from projected import Projected

from exporter.local.backup import backup
from exporter.local.hold import held, socket_path
from exporter.local.progress import Progress
from exporter.store import StoreError

pytestmark = pytest.mark.dashboard
Start = Callable[..., Served]
StartHere = Callable[..., Here]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[StartHere]:
    yield from starting(tmp_path / "errors.duckdb")


def ask(database: Path, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(socket_path(database)))
        connection.sendall(line)
        answer: bytes = connection.recv(1_000)
        return answer


def header(database: Path) -> bytes:
    with database.open("rb") as file:
        return file.read(12_288)


def test_only_the_user_of_the_service_can_connect(served: Start) -> None:
    service = served()
    mode = socket_path(service.db).stat().st_mode
    assert (stat.S_ISSOCK(mode), oct(mode & 0o777)) == (True, "0o600")
    service.stop()
    assert not socket_path(service.db).exists()


def test_during_a_hold_the_file_does_not_change_and_everything_goes_on(here: StartHere) -> None:
    """20 MB of write-ahead log; without the hold, DuckDB would checkpoint after 16."""
    service = here("--max-report-bytes", str(2**25))
    service.post({"event_id": "e0"})
    with held(service.db) as position:
        assert position == 1
        before = header(service.db)
        text = os.urandom(1_000_000).hex()
        for number in range(20):
            service.post({"event_id": f"e{number + 1}", "extra": text[number:]})
            assert service.get("/api/errors")["summary"]["total_errors"] == number + 2
        wal = service.db.with_name("errors.duckdb.wal")
        assert wal.stat().st_size > 17_000_000
        assert header(service.db) == before
    for number in range(20, 25):
        service.post({"event_id": f"e{number + 1}", "extra": text[number:]})
        service.get("/api/errors")
    assert wal.stat().st_size < 17_000_000, "the hold has ended"


async def test_there_is_one_hold_at_a_time_and_it_ends_with_its_connection(here: StartHere) -> None:
    service = here()
    with held(service.db) as position:
        assert position == 0
        assert b"another backup is running" in ask(service.db, b"hold\n")
        with pytest.raises(StoreError, match="another backup is running"), held(service.db):
            pass

    def again() -> bool:
        try:
            with held(service.db) as position:
                return position == 0
        except StoreError:
            return False

    await eventually(again)


@pytest.mark.parametrize("line", [b"GET /hold HTTP/1.1\r\n\r\n", b"release\n", b"x" * 10_000 + b"\n", b"\n", b"hold"])
def test_other_requests_are_refused(here: StartHere, line: bytes) -> None:
    service = here()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(socket_path(service.db)))
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(1_000)
    assert answer in (b"", b'{"position":0,"refused":"this release of the service does not know the request"}\n')
    with held(service.db) as position:
        assert position == 0
    service.stop()


def test_the_socket_of_a_killed_service_is_replaced(served: Start, tmp_path: Path) -> None:
    service = served()
    service.kill()
    assert socket_path(service.db).exists()
    with held(service.db) as position:
        assert position is None
    service = served()
    service.post({})
    ok("backup", tmp_path / "b", "--db-path", service.db)


@pytest.mark.parametrize(("name", "works"), [("e.duckdb", True), ("e" * 100 + ".duckdb", False)])
def test_a_long_path_works_and_a_name_that_is_too_long_leaves_the_service_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, works: bool
) -> None:
    monkeypatch.setattr("exporter.local.backup.START_SECONDS", 0.0)
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    service = Here(folder / name)
    try:
        service.post({})
        if works:
            assert backup(service.db, tmp_path / "b", Progress()).errors == 1
        else:
            with pytest.raises(StoreError, match="does not listen on"):
                backup(service.db, tmp_path / "b", Progress())
    finally:
        service.stop()
    assert any("no backups are possible while the service runs" in line for line in service.log) is not works


def test_a_service_that_stops_ends_the_hold_and_closes_its_database(served: Start) -> None:
    service = served()
    service.post({})
    with held(service.db) as position:
        assert position == 1
        began = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began < 10
    with duckdb.connect(str(service.db), read_only=True) as db:
        assert db.execute("SELECT position, complete FROM log_position").fetchall() == [(1, True)]


def test_a_hold_waits_for_reads_that_began_before_the_last_insertion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB refuses a checkpoint as long as there is one."""
    store = Projected(tmp_path / "errors.duckdb")
    monkeypatch.setattr("exporter.store.database.POLITE_SECONDS", 0.05)
    monkeypatch.setattr("exporter.store.database.CLOSING_SECONDS", 0.05)
    reading = store.database.db.cursor()
    reading.execute("BEGIN")
    reading.execute("SELECT count(*) FROM errors").fetchall()
    store.append([event(1)])
    store.catch_up()
    with pytest.raises(StoreError, match="was given up"):
        store.database.hold()
    store.database.hold_wanted = True
    with pytest.raises(StoreError, match="reads that take long"):
        store.database.hold()
    monkeypatch.undo()
    threading.Timer(0.1, store.database.release).start()
    with pytest.raises(StoreError, match="was given up"):
        store.database.hold()
    store.database.hold_wanted = True
    threading.Timer(0.2, reading.execute, ["ROLLBACK"]).start()
    assert store.database.hold() == 1
    assert not (tmp_path / "errors.duckdb.wal").exists()
    store.close()


def test_a_hold_that_keeps_insertions_back_ends_at_once_when_it_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.store.database.POLITE_SECONDS", 0.0)
    store = Projected(tmp_path / "errors.duckdb")
    reading = store.database.db.cursor()
    reading.execute("BEGIN")
    reading.execute("SELECT count(*) FROM errors").fetchall()
    store.append([event(1)])
    store.catch_up()
    store.database.hold_wanted = True
    release = threading.Timer(0.1, store.database.release)
    release.start()
    began = time.monotonic()
    with pytest.raises(StoreError, match="was given up"):
        store.database.hold()
    release.join()
    assert time.monotonic() - began < 2
    reading.execute("ROLLBACK")
    store.close()
