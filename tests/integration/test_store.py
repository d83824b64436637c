"""The DuckDB file: its versions, what a restart finds, and failures of the engine."""

import datetime as dt
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from exporter.events.event import ErrorEvent
from exporter.store import CounterKey, StoreError, embedded
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


def crashed(path: Path, *batches: list[ErrorEvent]) -> None:
    """Commits in a process that ends at once, before anything was taken over into the database."""

    def run() -> None:
        embedded.PROJECT_SECONDS = 3600
        store = EmbeddedStore(path)
        store.open()
        for batch in batches:
            store.commit(batch)
        os._exit(0)

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    child.join(30)
    assert child.exitcode == 0


def journals(path: Path) -> list[Path]:
    return sorted(path.parent.glob("errors.duckdb.journal.*"))


def written_journal(path: Path) -> Path:
    """The one of the two that has batches."""
    return max(journals(path), key=lambda file: file.stat().st_size)


def test_what_was_only_in_the_journal_is_there_after_a_crash(path: Path) -> None:
    crashed(path, [event(1), event(2)], [event(3, fingerprint="a" * 16, pattern="other")])
    store = EmbeddedStore(path)
    state = store.open()
    assert state.last_id == 3
    assert sum(counted.errors for counted in state.counters.values()) == 3
    assert count(store) == 3
    assert {p["pattern"] for p in store.patterns(24, NOW, 10)} == {"p", "other"}
    assert store.commit([event(4)]) == 4
    store.close()
    assert journals(path) == []


def test_a_batch_that_the_database_has_is_not_taken_over_again(path: Path) -> None:
    crashed(path, [event(1), event(2)])
    kept = {file: file.read_bytes() for file in journals(path)}
    store = EmbeddedStore(path)
    store.open()
    store.close()
    for file, content in kept.items():
        file.write_bytes(content)
    store = EmbeddedStore(path)
    assert store.open().last_id == 2
    assert count(store) == 2


@pytest.mark.parametrize("cut", [1, 3, 10, 100])
def test_a_batch_cut_off_by_a_crash_is_dropped_and_those_before_it_kept(path: Path, cut: int) -> None:
    crashed(path, [event(1)], [event(2)])
    file = written_journal(path)
    os.truncate(file, file.stat().st_size - cut)
    store = EmbeddedStore(path)
    assert store.open().last_id == 1
    assert store.commit([event(3)]) == 2
    assert count(store) == 2


def test_a_damaged_journal_is_told(path: Path) -> None:
    crashed(path, [event(1)], [event(2)], [event(3)])
    file = written_journal(path)
    content = bytearray(file.read_bytes())
    content[20] ^= 1
    file.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged at byte 12; restore it from a backup"):
        EmbeddedStore(path).open()


def test_a_full_disk_refuses_a_commit_and_keeps_the_others(path: Path) -> None:
    """A real error of a real write: the file may not grow beyond a limit."""

    def run() -> None:
        embedded.PROJECT_SECONDS = 3600
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = EmbeddedStore(path)
        store.open()
        store.commit([event(1)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        try:
            store.commit([event(2, body='{"worker_id":"w","message":"' + "x" * 30_000 + '"}')])
        except StoreError as error:
            assert "File too large" in str(error)
            assert store.commit([event(3)]) == 2
            os._exit(0)
        os._exit(1)

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    child.join(30)
    assert child.exitcode == 0
    store = EmbeddedStore(path)
    assert store.open().last_id == 2
    assert [e["event_id"] for e in store.errors(_all(), NOW)["errors"]] == ["e3", "e1"]


def test_the_files_of_the_journal_take_turns_and_stay_small(path: Path) -> None:
    store = EmbeddedStore(path)
    store.open()
    for number in range(50):
        store.commit([event(number)])
        store.project()
    assert sum(file.stat().st_size for file in journals(path)) < 2_000
    assert count(store) == 50


def test_rollups_add_up_to_the_rows(path: Path) -> None:
    store = EmbeddedStore(path)
    store.open()
    for number in range(60):
        store.commit([event(number, timestamp=NOW - dt.timedelta(seconds=number * 41), worker_id=f"w{number % 4}")])
        assert count(store) == number + 1
    with duckdb.connect(str(path)) as db:
        assert db.execute("SELECT sum(errors) FROM rollup").fetchone() == (60,)
        assert db.execute("SELECT sum(errors) FROM counters").fetchone() == (60,)


def test_many_threads_commit_and_read(path: Path) -> None:
    """Reads never see fewer than was committed before, while the projector runs beside them."""
    store = EmbeddedStore(path)
    store.open()
    wrong: list[str] = []
    done = threading.Event()
    committed = 0

    def read() -> None:
        while not done.is_set():
            before = committed
            if (seen := count(store)) < before:
                wrong.append(f"{seen} < {before}")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(150):
        store.commit([event(number * 10 + n) for n in range(10)])
        committed += 10
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert count(store) == 1500
    store.close()


def test_a_database_that_fails_loses_nothing_and_is_tried_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = EmbeddedStore(path)
    store.open()
    store.commit([event(1)])

    class Fails:
        def append_rows(self, rows: object) -> None:
            raise duckdb.IOException("disk full")

        def clear(self) -> None: ...

    with monkeypatch.context() as patch:
        patch.setattr(store, "_appender", Fails())
        with pytest.raises(StoreError, match="disk full"):
            count(store)
        assert store.commit([event(2)]) == 2
        with pytest.raises(StoreError, match="disk full"):
            count(store)
    assert count(store) == 2
    assert store.commit([event(3)]) == 3
    store.close()
    again = EmbeddedStore(path)
    assert again.open().last_id == 3
    assert count(again) == 3


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


def test_a_broken_instance_is_opened_again_and_asked(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a checkpoint runs out of disk: the commit may be durable although the engine says it broke."""
    monkeypatch.setattr(embedded, "PROJECT_SECONDS", 3600)
    store = EmbeddedStore(path)
    store.open()
    store.commit([event(1)])
    count(store)  # a reader's cursor is open
    real = store._appender

    class Breaks:
        def append_rows(self, rows: object) -> None:
            real.append_rows(rows)

        def flush(self) -> None:
            real.clear()
            raise duckdb.FatalException("broken")

    store._appender = Breaks()
    store.commit([event(2)])
    with pytest.raises(StoreError, match="broken"):
        store.project()
    assert count(store) == 2  # with the new instance it is taken over
    real = store._appender
    real_transact = store._transact

    def breaks_after(write: Callable[[], object], *, last_id: int = 0) -> None:
        """The commit is durable, then the engine breaks."""

        def and_breaks() -> None:
            write()
            store._db.execute("COMMIT")
            raise duckdb.FatalException("broken")

        real_transact(and_breaks, last_id=last_id)

    store.commit([event(3)])
    monkeypatch.setattr(store, "_transact", breaks_after)
    store.project()
    monkeypatch.undo()
    assert count(store) == 3
    assert "is opened again" in caplog.text


@pytest.mark.parametrize("durable", [False, True])
def test_a_broken_instance_that_cannot_be_opened_is_opened_later(
    path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    monkeypatch.setattr(embedded, "PROJECT_SECONDS", 0.05)
    store = EmbeddedStore(path)
    store.open()
    store.commit([event(1)])
    count(store)
    real = duckdb.connect
    tries = []

    def fails(*arguments: object) -> duckdb.DuckDBPyConnection:
        tries.append(arguments)
        if len(tries) < 4:
            raise duckdb.IOException("no space left")
        return real(*arguments)

    real_transact = store._transact

    def breaks(write: Callable[[], object], *, last_id: int = 0) -> None:
        def and_breaks() -> None:
            write()
            if durable:
                store._db.execute("COMMIT")
            raise duckdb.FatalException("broken")

        monkeypatch.setattr(store, "_transact", real_transact)  # the next one is well
        real_transact(and_breaks, last_id=last_id)

    monkeypatch.setattr(duckdb, "connect", fails)
    monkeypatch.setattr(store, "_transact", breaks)
    store.commit([event(2)])
    deadline = time.monotonic() + 30
    while len(tries) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    store.commit([event(3)])
    assert count(store) == 3
    assert [e["event_id"] for e in store.errors(_all(), dt.datetime.now(dt.UTC))["errors"]] == ["e3", "e2", "e1"]
    assert store.failure() == ""
    store.close()


def test_zeros_at_the_end_of_the_journal_are_a_torn_write(path: Path) -> None:
    crashed(path, [event(1)], [event(2), event(3)])
    file = written_journal(path)
    with file.open("ab") as end:
        end.write(bytes(4_096))
    store = EmbeddedStore(path)
    store.open()
    assert count(store) == 3
    store.close()


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
    package = Path(embedded.__file__).parent
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


def test_a_read_that_goes_on_does_not_keep_the_store_from_closing(path: Path) -> None:
    store = EmbeddedStore(path)
    store.open()
    store.commit([event()])
    begun = threading.Event()
    told: list[str] = []

    def endless(cursor: duckdb.DuckDBPyConnection) -> None:
        begun.set()
        cursor.execute("SELECT count(*) FROM range(100000000000)").fetchall()

    def read() -> None:
        try:
            store._read(endless)
        except StoreError as error:
            told.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    assert begun.wait(30)
    time.sleep(0.2)  # now the query runs
    store.close()
    reader.join(30)
    assert told
    again = EmbeddedStore(path)
    again.open()
    assert count(again) == 1
    again.close()
