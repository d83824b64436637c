"""A path of something else than this service's database ends the start with one sentence, and leaves the file as it is."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from commands import run
from here import Here, starting

from exporter.log import LogError
from exporter.store import StoreError
from exporter.store.database import Database

pytestmark = pytest.mark.dashboard


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Callable[..., Here]]:
    yield from starting(tmp_path / "errors.duckdb")


def sqlite(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE errors (id INTEGER)")
    db.close()


def other_duckdb(path: Path) -> None:
    with duckdb.connect(str(path)) as db:
        db.execute("CREATE TABLE something AS SELECT 1")


def newer_schema(path: Path) -> None:
    with duckdb.connect(str(path)) as db:
        db.execute("CREATE TABLE schema_version AS SELECT 9999 AS version")


def test_no_statement_reaches_another_file(tmp_path: Path) -> None:
    database = Database(tmp_path / "errors.duckdb")
    database.connect()
    other = tmp_path / "secret.txt"
    other.write_text("secret")
    for statement in (f"SELECT * FROM read_text('{other}')", f"COPY errors TO '{other}'", f"ATTACH '{tmp_path}/x.db'"):
        with pytest.raises(duckdb.PermissionException):
            database.db.execute(statement)
    database.disconnect()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            sqlite,
            "is an SQLite database and stays as it is. To use both, start the service with a file of its own: --db-path",
        ),
        (Path.touch, "is an empty file: choose another --db-path"),
        (lambda path: path.write_bytes(b"PAR1" + bytes(100)), "is a Parquet file"),
        (lambda path: path.write_text("worker_id,message\n" * 1_000), "is no DuckDB database"),
        (lambda path: path.write_text("hi"), "is no DuckDB database"),
        (lambda path: path.write_bytes(bytes(5_000)), "its beginning is damaged: run `error-visualization repair`"),
        (Path.mkdir, "is a folder: name a file in it with --db-path"),
        (other_duckdb, "is a DuckDB database of something else and stays as it is. To use both, start the service"),
        (newer_schema, "use a newer release"),
    ],
)
def test_another_file_ends_the_start_with_one_sentence(
    here: Callable[..., Here], tmp_path: Path, make: object, words: str
) -> None:
    path = tmp_path / "other.db"
    make(path)  # type: ignore[operator]
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises((LogError, StoreError)) as refused:
        here(db=path)
    (line,) = str(refused.value).splitlines()
    assert words in line
    assert "extension" not in line
    assert ("other-errors.duckdb" in line) == ("To use both" in line)
    assert path.is_dir() or path.read_bytes() == before


@pytest.mark.parametrize("make", [other_duckdb, Path.mkdir])
def test_the_command_prints_the_sentence_alone(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "other.db")
    status, said = run("serve", "--port", "0", "--db-path", tmp_path / "other.db")
    assert (status, len(said.splitlines()), "level=error" in said, " is a " in said) == (1, 1, True, True), said
