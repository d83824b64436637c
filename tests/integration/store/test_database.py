"""The DuckDB file: its versions, its transactions, and recovery from an engine that broke."""

import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT
from events import event
from upgrade import old_database

from exporter.store import StoreError
from exporter.store import database as module
from exporter.store.database import Database
from exporter.store.migrate import migrate
from exporter.store.rows import Row, row
from exporter.store.series import LabelLimits
from exporter.store.sql import migrations, named
from exporter.store.state import load_state

pytestmark = pytest.mark.dashboard


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "errors.duckdb"


def opened(path: Path) -> Database:
    database = Database(path)
    database.connect()
    return database


def plain(number: int) -> Row:
    """A row whose names all have the integer 1."""
    return row(event(number), defaultdict(lambda: 1), 0)


def insert(database: Database, *numbers: int, position: int | None = None) -> None:
    """One transaction that inserts errors."""

    def write() -> None:
        database.errors.append_rows([plain(number) for number in numbers])
        database.errors.flush()

    with database.writing:
        database.transact(write, position=position)


def ids(database: Database) -> list[int]:
    return database.read(
        lambda cursor: [id_ for (id_,) in cursor.execute("SELECT id FROM errors ORDER BY id").fetchall()]
    )


def test_a_new_file_is_empty_and_belongs_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "new" / "errors.duckdb"
    database = opened(path)
    assert (database.position, ids(database)) == (0, [])
    database.disconnect()
    version = (len(migrations()),)
    with duckdb.connect(str(path)) as db:
        assert db.execute("SELECT version FROM schema_version").fetchone() == version
        assert db.execute("SELECT identity, position, complete FROM log_position").fetchall() == [("", 0, True)]


def test_a_newer_file_is_refused(path: Path) -> None:
    opened(path).disconnect()
    with duckdb.connect(str(path)) as db:
        db.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(StoreError, match=r"schema version 99, this release knows up to \d+: use a newer release"):
        opened(path)


def test_a_file_of_something_else_is_refused(path: Path) -> None:
    with duckdb.connect(str(path)) as db:
        db.execute("CREATE TABLE pets (name VARCHAR)")
    with pytest.raises(StoreError, match="something else"):
        opened(path)
    with duckdb.connect(str(path)) as db:
        assert db.execute("SELECT count(*) FROM pets").fetchone() == (0,)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match=r"errors\.duckdb"):
        opened(path)


def test_an_older_file_is_migrated_and_keeps_its_rows(path: Path) -> None:
    old_database(path, 1, [event(number) for number in (1, 2, 7)])
    database = opened(path)
    assert (database.position, ids(database)) == (7, [1, 2, 7])  # the position is that of the newest error
    database.disconnect()
    further = [*migrations(), "ALTER TABLE errors ADD COLUMN rack VARCHAR DEFAULT 'r1'"]
    with duckdb.connect(str(path)) as db:
        for _ in range(2):
            migrate(db, further)
            assert db.execute("SELECT DISTINCT rack FROM errors").fetchall() == [("r1",)]
            assert db.execute("SELECT version FROM schema_version").fetchone() == (len(further),)


def test_categories_and_blanks_of_an_older_file_are_corrected(path: Path) -> None:
    spellings = ["network_x", " Network_X\n", "NETWORK_X", "kühlung"]
    celsius = [-50.0, 82505.0, -50.0, -50.0]
    old_database(
        path, 3,
        [event(n, category=one, cpu_percent=50.0 * n, gpu_celsius=celsius[n - 1]) for n, one in enumerate(spellings, 1)],
    )  # fmt: skip
    database = opened(path)

    def read(query: str) -> list[tuple[object, ...]]:
        return database.read(lambda cursor: cursor.execute(query).fetchall())

    assert read("SELECT name FROM categories ORDER BY id") == [("NETWORK_X",), ("KÜHLUNG",)]
    measured = read("SELECT category, cpu_percent, gpu_celsius FROM errors ORDER BY id")
    assert measured == [(1, 50, -50), (1, 100, None), (1, None, -50), (2, None, -50)]
    counted = load_state(database, 1, LabelLimits()).counters
    assert [(one.category, one.errors) for one in counted] == [("NETWORK_X", 3), ("KÜHLUNG", 1)]
    database.disconnect()


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    with duckdb.connect(str(path)) as db:
        migrate(db, migrations())
        with pytest.raises(duckdb.Error):
            migrate(db, [*migrations(), "CREATE TABLE extra (a INTEGER); SELECT * FROM nowhere"])
    with duckdb.connect(str(path)) as db:
        assert db.execute("SELECT version FROM schema_version").fetchone() == (len(migrations()),)
        assert db.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'extra'").fetchone() == (0,)


def test_one_process_has_the_file_open(path: Path) -> None:
    database = opened(path)
    code = f"from pathlib import Path; from exporter.store.database import Database; Database(Path({str(path)!r})).connect()"
    tried = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Could not set lock" in tried.stderr
    database.disconnect()


def test_a_failed_opening_leaves_nothing_open(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All connections of a process share one DuckDB instance, so a connection left open would keep a broken instance."""
    opened(path).disconnect()
    made: list[duckdb.DuckDBPyConnection] = []
    real = duckdb.connect

    def connect(*arguments: object, **more: object) -> duckdb.DuckDBPyConnection:
        made.append(real(*arguments, **more))
        return made[-1]

    monkeypatch.setattr(duckdb, "connect", connect)
    with monkeypatch.context() as patch:
        patch.setitem(module._WRITE, "settings", "SET no_such_setting = 1")
        database = Database(path)
        for _ in range(2):
            with pytest.raises(StoreError, match="no_such_setting"):
                database.connect()
        assert not database.connected
    for connection in made:
        with pytest.raises(duckdb.ConnectionException):
            connection.execute("SELECT 1")
    database.connect()
    assert ids(database) == []
    database.disconnect()


def test_a_failed_transaction_leaves_nothing_behind(path: Path) -> None:
    database = opened(path)
    insert(database, 1, position=1)
    good, bad = plain(2), (*plain(3)[:1], "not a time", *plain(3)[2:])

    def write() -> None:
        database.errors.append_rows([good])
        database.errors.append_rows([bad])

    with pytest.raises(StoreError):
        database.transact(write, position=3)
    assert (database.position, ids(database)) == (1, [1])
    insert(database, 4, position=4)
    assert (database.position, ids(database)) == (4, [1, 4])  # without the row that was buffered before the failure
    database.disconnect()
    database = opened(path)
    assert (database.position, ids(database)) == (4, [1, 4])
    database.disconnect()


@pytest.mark.parametrize("durable", [False, True])
def test_a_broken_engine_is_opened_again_and_asked(path: Path, caplog: pytest.LogCaptureFixture, durable: bool) -> None:
    """As when a checkpoint runs out of disk: the commit may be durable although DuckDB reports a fatal error."""
    database = opened(path)
    insert(database, 1, position=1)
    ids(database)  # a reader's cursor is open
    before = database.db

    def write() -> None:
        database.errors.append_rows([plain(2)])
        database.errors.flush()
        if durable:
            database.db.execute("UPDATE log_position SET position = 2")
            database.db.execute("COMMIT")
        raise duckdb.FatalException("broken")

    if durable:
        database.transact(write, position=2)
    else:
        with pytest.raises(StoreError, match="broken"):
            database.transact(write, position=2)
    assert database.db is not before
    assert (database.position, ids(database)) == ((2, [1, 2]) if durable else (1, [1]))
    assert "is opened again" in caplog.text
    insert(database, 3, position=3)
    assert ids(database)[-1] == 3
    database.disconnect()


def test_a_broken_engine_without_a_position_is_never_taken_for_done(path: Path) -> None:
    database = opened(path)

    def write() -> None:
        raise duckdb.FatalException("broken")

    with pytest.raises(StoreError, match="broken"):
        database.transact(write)
    assert database.connected
    database.disconnect()


def test_a_read_that_goes_on_does_not_keep_the_database_from_closing(path: Path) -> None:
    database = opened(path)
    insert(database, 1)
    begun = threading.Event()
    failures: list[str] = []

    def endless(cursor: duckdb.DuckDBPyConnection) -> None:
        begun.set()
        cursor.execute("SELECT count(*) FROM range(100000000000)").fetchall()

    def read() -> None:
        try:
            database.read(endless)
        except StoreError as error:
            failures.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    assert begun.wait(30)
    time.sleep(0.2)  # now the query runs
    began = time.monotonic()
    database.disconnect()
    assert time.monotonic() - began < 5
    reader.join(30)
    assert failures
    database.connect()
    assert ids(database) == [1]
    database.disconnect()


def test_a_read_sees_one_snapshot(path: Path) -> None:
    database = opened(path)
    insert(database, 1)

    def query(cursor: duckdb.DuckDBPyConnection) -> list[int]:
        counts = []
        for number in (2, 3):
            counts += [count for (count,) in cursor.execute("SELECT count(*) FROM errors").fetchall()]
            writer = threading.Thread(target=insert, args=(database, number))
            writer.start()
            writer.join()
        return counts

    assert database.read(query) == [1, 1]
    assert ids(database) == [1, 2, 3]
    database.disconnect()


def test_every_statement_has_a_name_and_is_used() -> None:
    package = Path(module.__file__).parent
    code = "".join(file.read_text() for file in package.glob("*.py"))
    for file in ("read.sql", "write.sql"):
        for name in named(file):
            assert f'"{name}"' in code, f"{file}: {name} is not used"


class InterruptedAtItsEnd:
    """A cursor whose first ROLLBACK is interrupted before it has any effect."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self._interrupted = False

    def execute(self, statement: str) -> duckdb.DuckDBPyConnection:
        if statement == "ROLLBACK" and not self._interrupted:
            self._interrupted = True
            raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")
        return self._cursor.execute(statement)


def test_a_read_that_is_interrupted_at_its_end_does_not_disturb_later_ones(path: Path) -> None:
    database = opened(path)
    insert(database, 1)
    database._local.cursor = InterruptedAtItsEnd(database._cursor())
    assert ids(database) == [1]
    insert(database, 2)
    assert ids(database) == [1, 2]
    database.disconnect()
