"""DuckDB's write-ahead log: that it was cut or deleted is noticed, and a checkpoint is no such thing."""

import os
from pathlib import Path

import pytest

from exporter.store.database import Database, wal
from exporter.store.write_ahead import WriteAhead

pytestmark = pytest.mark.dashboard
INSERT = "INSERT INTO t SELECT md5(i::VARCHAR) || md5((i + 1)::VARCHAR) FROM range(1500) r(i)"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    one = Database(tmp_path / "errors.duckdb")
    one.connect()
    one.db.execute("CREATE TABLE t (a VARCHAR)")
    return one


def test_a_checkpoint_is_no_loss(database: Database) -> None:
    watched = WriteAhead(database)
    database.db.execute("SET wal_autocheckpoint = '1MB'")
    for number in range(60):
        database.db.execute(INSERT)
        if number % 7 == 0:
            assert not watched.lost()
            watched.keep()
    database.disconnect()


def test_a_cut_is_a_loss_until_it_is_kept(database: Database, tmp_path: Path) -> None:
    watched = WriteAhead(database)
    database.db.execute(INSERT)
    watched.keep()
    os.truncate(wal(database.path), 10)
    assert watched.lost()
    watched.keep()
    assert not watched.lost()
    database.disconnect()
    again = Database(tmp_path / "errors.duckdb")
    again.connect()
    assert again.db.execute("SELECT count(*) FROM t").fetchall() == [(1500,)]
    again.disconnect()
