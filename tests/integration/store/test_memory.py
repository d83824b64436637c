"""DuckDB's memory and threads are settings; what does not fit is written to files, or the query fails."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT
from store_process import Started

from exporter.config import Settings
from exporter.service import _store_settings
from exporter.store import StoreError, read
from exporter.store import database as module
from exporter.store.database import Database
from exporter.store.server import Server
from exporter.store.wire import MEMORY_LIMIT

pytestmark = pytest.mark.dashboard
MIB = 2**20
LIMIT = 64 * MIB
ROWS = "SELECT hash(i)::VARCHAR || repeat('x', 100) AS s FROM range({}) r(i)"
SPILLS = f"SELECT s, row_number() OVER (ORDER BY s) FROM ({ROWS.format(1_200_000)}) ORDER BY s DESC"
FAILS = f"SELECT list(s ORDER BY s) FROM ({ROWS.format(1_200_000)})"  # a list is in memory as a whole
FOLDER = "errors.duckdb.tmp"
KILLED_WHILE_SPILLING = """
import os, sys
from pathlib import Path
from exporter.store.database import Database
os.umask(0o077)
database = Database(Path(sys.argv[1]), int(sys.argv[2]))
database.connect()
database.db.execute(sys.argv[3])
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "errors.duckdb"


def settings_of(database: Database) -> dict[str, object]:
    names = ("memory_limit", "threads", "temp_directory", "max_temp_directory_size")
    values = ", ".join(f"current_setting('{name}')" for name in names)
    (row,) = database.read(lambda cursor: cursor.execute(f"SELECT {values}").fetchall())
    return dict(zip(names, row, strict=True))


def test_the_defaults_are_for_a_machine_with_one_gigabyte(path: Path) -> None:
    given = _store_settings(Settings(), path, path)
    assert (given.db_memory_limit, given.db_threads) == (MEMORY_LIMIT, 1) == (200 * MIB, 1)


def test_settings_reach_duckdb_also_after_it_broke(path: Path) -> None:
    given = _store_settings(Settings(db_path=str(path), db_memory_limit=100 * MIB, db_threads=3), path, path)
    near, far = socket.socketpair()
    with near, far:
        server = Server(given, far)
        server._inspect()
        database = server._database
        expected = {
            "memory_limit": "100.0 MiB", "threads": 3, "temp_directory": str(path.with_name(FOLDER)),
            "max_temp_directory_size": "1.0 GiB",
        }  # fmt: skip
        assert settings_of(database) == expected
        before = database.db

        def write() -> None:
            raise duckdb.FatalException("broken")

        with pytest.raises(StoreError, match="broken"):
            database.transact(write)
        assert database.db is not before
        assert settings_of(database) == expected
        database.disconnect()


def test_a_query_that_needs_more_memory_uses_files_beside_the_database(path: Path) -> None:
    umask = os.umask(0o077)  # as the store's process sets it
    try:
        database = Database(path, LIMIT)
        database.connect()
        result = database.db.execute(SPILLS)
        folder = path.with_name(FOLDER)
        assert sum(file.stat().st_size for file in folder.iterdir()) > LIMIT
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
        assert result.fetchone()
        del result
        database.disconnect()
        assert not folder.exists()
    finally:
        os.umask(umask)


def test_a_query_that_needs_more_still_fails_with_a_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SPILL_BYTES", 10 * MIB)
    database = Database(path, LIMIT)
    database.connect()
    for query in (SPILLS, FAILS):
        sentence = r"needs more memory for this than db_memory_limit allows \(64 MiB\)"
        with pytest.raises(StoreError, match=sentence):
            database.read(lambda cursor: cursor.execute(query).fetchall())  # noqa: B023
        with database.writing, pytest.raises(StoreError, match=sentence):
            database.transact(lambda: database.db.execute(query).fetchall())  # noqa: B023
        assert database.read(lambda cursor: cursor.execute("SELECT count(*) FROM errors").fetchall()) == [(0,)]
    database.disconnect()


async def test_the_store_lives_on_after_such_a_query(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(path, process=False, memory_limit=LIMIT)
    await started.start()
    with monkeypatch.context() as patched:
        failing = lambda database, _: database.read(lambda cursor: cursor.execute(FAILS).fetchall())  # noqa: E731
        patched.setattr(read, "answer_from", failing)
        with pytest.raises(StoreError, match="needs more memory"):
            await started.count()
    assert await started.count() == 0
    assert started.client.restarts == 0
    await started.client.close()
    started.log.close()


def test_what_a_killed_process_left_is_deleted_at_the_next_start(path: Path) -> None:
    command = [sys.executable, "-c", KILLED_WHILE_SPILLING, str(path), str(LIMIT), SPILLS]
    assert subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == -9
    folder = path.with_name(FOLDER)
    assert list(folder.glob("duckdb_temp_*"))
    database = Database(path, LIMIT)
    database.connect()
    assert not folder.exists()
    database.disconnect()


def test_what_is_not_of_duckdb_stays(path: Path) -> None:
    folder = path.with_name(FOLDER)
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "duckdb_temp_7_0_storage_DEFAULT-0.tmp").write_bytes(b"left")
    database = Database(path)
    database.connect()
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]
    database.disconnect()


def test_the_files_of_a_running_service_stay(path: Path) -> None:
    """A second process that may not open the database deletes nothing."""
    database = Database(path, LIMIT)
    database.connect()
    folder = path.with_name(FOLDER)
    folder.mkdir()
    (folder / "duckdb_temp_7_0_storage_DEFAULT-0.tmp").write_bytes(b"in use")
    code = f"from pathlib import Path; from exporter.store.database import Database; Database(Path({str(path)!r})).connect()"
    tried = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Could not set lock" in tried.stderr
    assert len(list(folder.iterdir())) == 1
    database.disconnect()
