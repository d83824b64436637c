"""The DuckDB file: its versions, what a restart finds, and failures of the engine."""

import datetime as dt
from pathlib import Path

import duckdb
import pytest

from exporter.event import ErrorEvent
from exporter.store import CounterKey, StoreError
from exporter.store.embedded import EmbeddedStore, migrate
from exporter.store.filters import cursor_text, parse_cursor
from exporter.store.sql import migrations, named

pytestmark = pytest.mark.dashboard
NOW = dt.datetime.now(dt.UTC)


def event(number: int = 0, **fields: object) -> ErrorEvent:
    given = {
        "id": 0, "event_id": f"e{number}", "timestamp": NOW, "received_at": NOW, "worker_id": "w", "type": "T",
        "category": "C", "message": "m", "severity": "info", "reasons": ("r",), "fingerprint": "f" * 16,
        "pattern": "p", "is_recurring": False, "is_system_critical": False, "hardware_type": None,
        "hardware_error": False, "body": '{"worker_id":"w","message":"m"}',
    }  # fmt: skip
    return ErrorEvent(**given | fields)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "errors.duckdb"


def count(store: EmbeddedStore) -> int:
    return store.overview(24, dt.datetime.now(dt.UTC))["summary"]["total_errors"]


def test_a_newer_file_is_refused(path: Path) -> None:
    EmbeddedStore(path).open()
    with duckdb.connect(str(path)) as db:
        db.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(StoreError, match=r"schema version 99, this release knows up to \d+: use a newer release"):
        EmbeddedStore(path).open()


def test_a_file_of_something_else_is_refused(path: Path) -> None:
    with duckdb.connect(str(path)) as db:
        db.execute("CREATE TABLE pets (name VARCHAR)")
    with pytest.raises(StoreError, match="something else"):
        EmbeddedStore(path).open()
    with duckdb.connect(str(path)) as db:
        assert db.execute("SELECT count(*) FROM pets").fetchone() == (0,)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match=r"errors\.duckdb"):
        EmbeddedStore(path).open()


def test_an_older_file_is_migrated_and_keeps_its_rows(path: Path) -> None:
    store = EmbeddedStore(path)
    store.open()
    store.commit([event()])
    store.close()
    with duckdb.connect(str(path)) as db:
        migrate(db, [*migrations(), "ALTER TABLE errors ADD COLUMN rack VARCHAR DEFAULT 'r1'"])
        assert db.execute("SELECT rack FROM errors").fetchall() == [("r1",)]
        assert db.execute("SELECT version FROM schema_version").fetchone() == (len(migrations()) + 1,)
        migrate(db, [*migrations(), "ALTER TABLE errors ADD COLUMN rack VARCHAR DEFAULT 'r1'"])


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    with duckdb.connect(str(path)) as db:
        migrate(db, migrations())
        with pytest.raises(duckdb.Error):
            migrate(db, [*migrations(), "CREATE TABLE extra (a INTEGER); SELECT * FROM nowhere"])
    with duckdb.connect(str(path)) as db:
        assert db.execute("SELECT version FROM schema_version").fetchone() == (len(migrations()),)
        assert db.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'extra'").fetchone() == (0,)


def test_ids_go_on_and_counters_are_kept(path: Path) -> None:
    store = EmbeddedStore(path)
    assert store.open().last_id == 0
    assert store.commit([event(1), event(2, worker_id="v", hardware_type="cuda")]) == 1
    assert store.commit([event(3)]) == 3
    store.close()
    store = EmbeddedStore(path)
    state = store.open()
    assert state.last_id == 3
    assert {key: counted.errors for key, counted in state.counters.items()} == {
        CounterKey("w", "T", "C", "info", None): 2, CounterKey("v", "T", "C", "info", "cuda"): 1,
    }  # fmt: skip
    assert list(state.event_ids) == ["e1", "e2", "e3"]
    assert state.recurrences == {"f" * 16: [NOW] * 3}
    assert sum(state.received_seconds.values()) == 3
    assert state.critical_seconds == {}
    assert store.commit([event(4)]) == 4


def test_what_was_not_rolled_up_before_a_crash_is_counted(path: Path) -> None:
    store = EmbeddedStore(path, clock=lambda: 0.0)  # a clock that stands still never rolls up
    store.open()
    for number in range(5):
        store.commit([event(number)])
    assert count(store) == 5
    with duckdb.connect(str(path)) as db:
        assert db.execute("SELECT count(*) FROM rollup").fetchone() == (0,)
    del store
    store = EmbeddedStore(path)
    assert sum(counted.errors for counted in store.open().counters.values()) == 5
    assert count(store) == 5


def test_rollups_and_single_rows_add_up(path: Path) -> None:
    now = 0.0
    store = EmbeddedStore(path, clock=lambda: now)
    store.open()
    for number in range(60):
        now = number * 0.3
        store.commit([event(number, timestamp=NOW - dt.timedelta(seconds=number * 41), worker_id=f"w{number % 4}")])
        assert count(store) == number + 1
    store.idle()
    now += 2
    store.idle()
    assert count(store) == 60
    with duckdb.connect(str(path)) as db:
        assert db.execute("SELECT sum(errors) FROM rollup").fetchone() == (60,)
        assert db.execute("SELECT sum(errors) FROM counters").fetchone() == (60,)


def test_a_failed_row_leaves_nothing_behind(path: Path) -> None:
    store = EmbeddedStore(path)
    store.open()
    with pytest.raises(Exception, match="surrogate"):
        store.commit([event(1), event(2, message="\ud800")])
    assert store.commit([event(3)]) == 1
    assert [e["event_id"] for e in store.errors(_all(), NOW)["errors"]] == ["e3"]


def test_text_of_every_kind_comes_back(path: Path) -> None:
    store = EmbeddedStore(path)
    store.open()
    texts = ["a\0b", "\u202eRTL", "😀", "<script>", "'; DROP TABLE errors; --", "%s %d {}", "\r\n\t", "x" * 8192]
    store.commit([event(n, message=text, worker_id=text, type=text, category=text) for n, text in enumerate(texts)])
    found = store.errors(_all(), NOW)["errors"][::-1]
    for name in ("message", "worker_id", "type", "error_category"):
        assert [e[name] for e in found] == texts


def test_a_broken_instance_is_opened_again_and_asked(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As when a checkpoint runs out of disk: the commit may be durable although the engine says it broke."""
    store = EmbeddedStore(path)
    store.open()
    store.commit([event(1)])
    count(store)  # a reader's cursor is open
    real = store._appender

    class Breaks:
        def __init__(self, kept: bool) -> None:
            self.kept = kept

        def append_rows(self, rows: object) -> None:
            real.append_rows(rows)

        def flush(self) -> None:
            if self.kept:
                real.flush()
            else:
                real.clear()
            raise duckdb.FatalException("broken")

    store._appender = Breaks(kept=True)
    assert store.commit([event(2)]) == 2
    assert count(store) == 2
    real = store._appender
    store._appender = Breaks(kept=False)
    with pytest.raises(StoreError, match="broken"):
        store.commit([event(3)])
    assert store.commit([event(4)]) == 3
    assert count(store) == 3
    assert "is opened again" in caplog.text


def test_two_services_cannot_share_a_file(path: Path) -> None:
    """In another process the engine refuses it; what it says is told."""
    import subprocess
    import sys

    holder = EmbeddedStore(path)
    holder.open()
    code = f"from pathlib import Path; from exporter.store.embedded import EmbeddedStore; EmbeddedStore(Path({str(path)!r})).open()"
    tried = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Could not set lock" in tried.stderr
    holder.close()


def test_every_statement_has_a_name_and_is_used() -> None:
    package = Path(__file__).parent.parent / "exporter/store"
    code = "".join(file.read_text() for file in package.glob("*.py"))
    for file in ("read.sql", "write.sql"):
        for name in named(file):
            assert f'"{name}"' in code, f"{file}: {name} is not used"


def test_a_cursor_comes_back() -> None:
    moment = dt.datetime(1066, 10, 14, 1, 2, 3, 456789)
    assert parse_cursor(cursor_text(moment, 7)) == (moment, 7)


def _all():  # type: ignore[no-untyped-def]
    from exporter.store.filters import Filters

    return Filters()
