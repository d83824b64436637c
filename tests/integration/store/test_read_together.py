"""Two queries at the same time see one snapshot, and leave nothing open when one fails."""

import threading
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from exporter.store import StoreError
from exporter.store.database import Database

pytestmark = pytest.mark.dashboard


@pytest.fixture
def database(tmp_path: Path) -> Any:
    database = Database(tmp_path / "errors.duckdb")
    database.connect()
    yield database
    database.disconnect()


def marks(cursor: duckdb.DuckDBPyConnection) -> int:
    ((count,),) = cursor.execute("SELECT count(*) FROM marks").fetchall()
    return int(count)


def add_mark(database: Database) -> None:
    with database.writing:
        database.transact(lambda: database.db.execute("INSERT INTO marks VALUES (now()::TIMESTAMP)"))


def test_both_see_the_state_in_which_they_began(database: Database) -> None:
    """Each of two queries counts before and after a commit that happens while both run."""
    add_mark(database)
    both, committed = threading.Barrier(3), threading.Event()

    def count(cursor: duckdb.DuckDBPyConnection) -> list[int]:
        both.wait(10)
        assert committed.wait(10)
        return [marks(cursor), marks(cursor)]

    def commit() -> None:
        both.wait(10)
        add_mark(database)
        committed.set()

    thread = threading.Thread(target=commit)
    thread.start()
    assert database.read_together(count, count) == ([1, 1], [1, 1])
    thread.join()
    assert database.read_together(marks, marks) == (2, 2)


def test_no_commit_comes_between_the_two_beginnings(database: Database) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            add_mark(database)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(100):
            one, two = database.read_together(marks, marks)
            assert one == two
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("place", [0, 1])
def test_a_query_that_fails_leaves_nothing_open(database: Database, place: int) -> None:
    queries: list[Any] = [marks, marks]
    queries[place] = lambda cursor: cursor.execute("SELECT * FROM nowhere")
    with pytest.raises(StoreError, match="nowhere"):
        database.read_together(*queries)
    assert database.read_together(marks, marks) == (0, 0)
    assert database.read(marks) == 0


def test_the_second_query_is_interrupted_when_the_first_fails(database: Database) -> None:
    """A cancelled read is interrupted in its first query."""
    begun = threading.Event()
    interrupted = []

    def long(cursor: duckdb.DuckDBPyConnection) -> None:
        begun.set()
        try:
            cursor.execute("SELECT count(*) FROM range(100000000000)").fetchall()
        except duckdb.InterruptException:
            interrupted.append(cursor)

    def fails(cursor: duckdb.DuckDBPyConnection) -> None:
        assert begun.wait(10)
        time.sleep(0.2)  # now the other query runs
        raise duckdb.InterruptException("interrupted")

    with pytest.raises(StoreError, match="interrupted"):
        database.read_together(fails, long)
    assert interrupted
    assert database.read_together(marks, marks) == (0, 0)


def test_a_beginning_that_fails_leaves_nothing_open(database: Database) -> None:
    database.read(marks)
    second = database._cursor(1)
    second.execute("BEGIN")  # so that its next BEGIN fails
    with pytest.raises(StoreError, match="transaction"):
        database.read_together(marks, marks)
    second.execute("ROLLBACK")
    assert database.read_together(marks, marks) == (0, 0)
