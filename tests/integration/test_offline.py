"""`check` and `repair`, and starts on files that are damaged or do not belong together, through the command line."""

import datetime as dt
import hashlib
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from commands import ok
from conftest import Served
from events import event
from exact import assert_stored
from fleet import Fleet
from here import Here, ok_here, read_here, run_here, starting
from projected import Projected
from upgrade import old_database

from exporter.events.event import ErrorEvent
from exporter.log import LogError
from exporter.store import StoreError, offline, verify
from exporter.store.repair import repair
from exporter.store.reports import PER_BLOCK, fetch
from exporter.store.rollup_tables import ROLLUPS
from exporter.store.sql import named
from exporter.store.verify import check_sums

pytestmark = pytest.mark.dashboard
Start = Callable[..., Served]
StartHere = Callable[..., Here]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Callable[..., Here]]:
    yield from starting(tmp_path / "errors.duckdb")


@pytest.fixture
def read_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    read_here(monkeypatch)


def hashes(db: Path) -> dict[str, str]:
    names = (db.name, db.name + ".log")
    return {name: hashlib.sha256((db.parent / name).read_bytes()).hexdigest() for name in names}


def fill(start: Start | StartHere, count: int, *, kill: bool = False, first: int = 0) -> Path:
    service = start()
    for number in range(first, first + count):
        service.post({"event_id": f"e{number}", "message": f"m {'x' * 500}"})
    if kill:
        service.get("/api/errors")  # the database has them all
        service.kill()
    else:
        service.stop()
    return service.db


def ids(service: Served | Here) -> list[str]:
    return sorted(error["event_id"] for error in service.get("/api/errors/list?limit=1000")["errors"])


def refused(start: Start | StartHere, words: str, db: Path) -> None:
    """The start fails with one sentence and changes no file."""
    before = hashes(db)
    with pytest.raises((AssertionError, LogError, StoreError), match=words) as stopped:
        start()
    if isinstance(stopped.value, AssertionError):  # of the command: this is its stderr
        assert str(stopped.value).count("level=error") == 1
        assert "Traceback" not in str(stopped.value)
    assert hashes(db) == before


def test_what_is_whole_is_called_whole(here: StartHere) -> None:
    db = fill(here, 5)
    assert "whole" in ok("check", "--db-path", db)
    assert "aside" not in ok("repair", "--db-path", db)
    assert ids(here()) == [f"e{number}" for number in range(5)]


def test_a_running_service_is_not_touched(served: Start) -> None:
    service = served()
    files = sorted(service.db.parent.iterdir())
    for command in ("check", "repair"):
        status, said = run_here(command, "--db-path", service.db)
        assert status == 1
        assert "another service is running" in said
        assert sorted(service.db.parent.iterdir()) == files
    service.post({})


def test_after_a_clean_stop_the_database_alone_is_complete(here: StartHere) -> None:
    db = fill(here, 5)
    (db.parent / "errors.duckdb.log").unlink()
    service = here()
    assert ids(service) == [f"e{number}" for number in range(5)]
    assert service.post({})["id"] == 6


def test_a_log_that_is_missing_after_a_kill_stops_the_start(served: Start, here: StartHere) -> None:
    db = fill(served, 5, kill=True)
    log = db.parent / "errors.duckdb.log"
    kept = log.read_bytes()
    log.unlink()
    with pytest.raises(StoreError, match="log beside the database is missing or empty"):
        here()
    log.write_bytes(kept)
    assert ids(here()) == [f"e{number}" for number in range(5)]


def test_a_log_of_another_service_stops_the_start(here: StartHere, read_in_place: None) -> None:
    db = fill(here, 3)
    log = db.parent / "errors.duckdb.log"
    foreign = log.read_bytes()
    for file in db.parent.iterdir():
        file.unlink()
    fill(here, 4, kill=True)
    log.write_bytes(foreign)
    refused(here, "are of two different services", db)
    status, said = run_here("check", "--db-path", db)
    assert (status, "two different services" in said) == (1, True)
    said = ok_here("repair", "--db-path", db)
    assert re.search(r"errors\.duckdb\.log\.aside-\w+ was put aside", said)
    assert len(ids(here())) == 4


def test_an_older_copy_of_the_log_stops_the_start(served: Start, here: StartHere) -> None:
    db = fill(here, 3)
    log = db.parent / "errors.duckdb.log"
    older = log.read_bytes()
    fill(here, 3, first=3)
    log.write_bytes(older)
    refused(served, "the log ends at error 3, but the database already holds error 6", db)


def test_an_older_copy_of_the_database_catches_up_or_stops_the_start(here: StartHere) -> None:
    db = fill(here, 3)
    older = db.read_bytes()
    fill(here, 3, first=3)
    db.write_bytes(older)
    assert ids(here()) == [f"e{number}" for number in range(6)]  # the log still has the events between


def test_a_log_cut_in_half_stops_the_start_and_can_be_repaired(served: Start, here: StartHere) -> None:
    db = fill(here, 200)
    log = db.parent / "errors.duckdb.log"
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    refused(served, "was cut", db)
    ok_here("repair", "--db-path", db)
    assert len(ids(here())) == 200


def test_a_damaged_batch_in_the_log_is_found_and_repaired(here: StartHere, read_in_place: None) -> None:
    db = fill(here, 20)
    log = db.parent / "errors.duckdb.log"
    content = log.read_bytes()
    log.write_bytes(content.replace(b"x" * 200, b"x" * 199 + b"y"))  # free pages hold copies, too
    status, said = run_here("check", "--db-path", db)
    assert status == 1
    assert "damaged" in said
    ok_here("repair", "--db-path", db)
    assert len(ids(here())) == 20


def logged(folder: Path, count: int) -> Path:
    """A log with a batch for each error, and a database that has none of them."""
    db = folder / "errors.duckdb"
    store = Projected(db)
    store.append(*[[event(number, message=f"number-{number}-")] for number in range(1, count + 1)])
    bind = named("write.sql")["bind"]
    store.database.transact(lambda: store.database.db.execute(bind, {"identity": store.log.identity}))
    store.close()
    return db


def test_batches_after_a_damaged_one_are_kept(here: StartHere, read_in_place: None, tmp_path: Path) -> None:
    db = logged(tmp_path, 8)
    log = tmp_path / "errors.duckdb.log"
    log.write_bytes(log.read_bytes().replace(b"number-4-", b"number-X-"))
    said = ok_here("repair", "--db-path", db)
    assert "7 errors of the log were moved into the database\n1 of the errors before the last moved one" in said
    service = here()
    assert ids(service) == ["e1", "e2", "e3", "e5", "e6", "e7", "e8"]
    assert service.post({})["id"] == 9


def test_a_page_that_ends_the_process_which_reads_it(here: StartHere, tmp_path: Path) -> None:
    """LMDB calls abort() for a page without a type, so `check` and `repair` read the log in another process."""
    db = logged(tmp_path, 60)
    log = tmp_path / "errors.duckdb.log"
    content = bytearray(log.read_bytes())
    for page in range(0, len(content), 4096):
        one = bytes(content[page : page + 4096])
        if b"number-30-" in one and b"identity" not in one and b"events" not in one:
            content[page + 10 : page + 12] = b"\0\0"
    log.write_bytes(content)
    status, said = run_here("check", "--db-path", db)
    assert (status, "LMDB ends the process" in said) == (1, True), said
    ok_here("repair", "--db-path", db)
    assert {f"e{number}" for number in range(1, 20)} <= set(ids(here()))


def test_a_log_that_could_not_be_salvaged_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full, say: the next `repair` can still move what is in the log."""
    db = logged(tmp_path, 3)
    log = tmp_path / "errors.duckdb.log"
    log.write_bytes(log.read_bytes().replace(b"number-2-", b"number-X-"))
    real = subprocess.run

    def without_salvage(command: list[str], **more: Any) -> Any:
        if "salvage" in command:
            return subprocess.CompletedProcess(command, 1, "", "there is no space on the disk")
        return real(command, **more)

    monkeypatch.setattr(subprocess, "run", without_salvage)
    with pytest.raises(StoreError, match="no space"):
        repair(db)
    assert log.exists()


def test_a_damaged_database_is_built_anew_from_the_log(here: StartHere, read_in_place: None) -> None:
    db = fill(here, 20)
    content = bytearray(db.read_bytes())
    content[4096:12_288] = b"\xff" * 8_192
    db.write_bytes(content)
    status, said = run_here("check", "--db-path", db)
    assert status == 1, said
    assert "put aside" in ok_here("repair", "--db-path", db)
    assert len(ids(here())) == 20


def rolled_up(folder: Path, count: int) -> tuple[Path, list[ErrorEvent]]:
    """A database with rollups of all levels and packed reports, and no log; and its errors."""
    db, fleet = folder / "errors.duckdb", Fleet(1)
    store = Projected(db)
    for events in (fleet.errors(count // 2), fleet.errors(count - count // 2)):
        store.append(events)
        store.catch_up()
        store.roll_up()
        fleet.now += dt.timedelta(days=1)
    store.database.transact(lambda: store.database.db.execute(named("write.sql")["mark_complete"]))
    store.close()
    for file in folder.glob("*.log*"):
        file.unlink()
    return db, fleet.sent


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[ErrorEvent]]:
    """The content of a database as `rolled_up` makes it, and its errors."""
    db, events = rolled_up(tmp_path_factory.mktemp("whole"), 200)
    with duckdb.connect(str(db)) as connection:
        connection.execute("CHECKPOINT")
    return db.read_bytes(), events


def changed(db: Path, statement: str) -> None:
    with duckdb.connect(str(db)) as connection:
        ((count,),) = connection.execute(statement).fetchall()
        assert count == 1, "the statement changes one row"


def is_mended(db: Path, events: list[ErrorEvent]) -> None:
    assert offline.check(db) == []
    store = Projected(db)
    store.log.initialise("x", len(events))
    store.roll_up()
    store.pack()
    assert_stored(store, events)
    store.close()


def test_a_wrong_row_of_any_sum_is_found_and_counted_again(
    tmp_path: Path, whole: tuple[bytes, list[ErrorEvent]], monkeypatch: pytest.MonkeyPatch, read_in_place: None
) -> None:
    monkeypatch.setattr(verify, "COMPARED_AT_ONCE", 60)
    db, (content, events) = tmp_path / "errors.duckdb", whole
    db.write_bytes(content)
    tables = ["counters", *(rollup.table(level) for rollup in ROLLUPS for level in rollup.levels)]
    assert offline.check(db) == []
    for round_ in range(6):  # a third of the tables in each, never two neighbours
        db.write_bytes(content)
        wrong = tables[round_ % 3 :: 3]
        for table in wrong:
            column = (
                "workers = xor(workers, 1::UBIGINT << 63::UBIGINT)"
                if table.startswith("seen_")
                else "errors = errors + 1"
            )
            statement = f"DELETE FROM {table}" if round_ < 3 else f"UPDATE {table} SET {column}"
            changed(db, f"{statement} WHERE rowid = (SELECT max(rowid) FROM {table})")
        assert check_sums(db) == [f"{db}: wrong sums in the table {table}: 1" for table in wrong]
    db.write_bytes(content)
    changed(db, "UPDATE counters SET errors = errors + 1 WHERE rowid = (SELECT max(rowid) FROM counters)")
    status, said = run_here("check", "--db-path", db)
    assert (status, said) == (1, f"{db}: wrong sums in the table counters: 1\n")
    status, said = run_here("repair", "--db-path", db)
    assert (status, "the rollups and counters were deleted" in said, "aside" in said) == (0, True, False), said
    is_mended(db, events)


@pytest.mark.parametrize(
    ("statement", "empty"),
    [
        ("DELETE FROM report_blocks_0 WHERE block = 1", PER_BLOCK),
        ("UPDATE report_blocks_0 SET packed = 'x'::BLOB WHERE block = 1", PER_BLOCK),
        ("UPDATE report_blocks_0 SET block = 9 WHERE block = 1", PER_BLOCK),
        ("INSERT INTO report_blocks_0 SELECT * FROM report_blocks_0 WHERE block = 1", 0),
        ("INSERT INTO single_reports VALUES (100, '{}')", 0),
        ("INSERT INTO single_reports VALUES (1000000, '{}')", 0),
        ("DELETE FROM single_reports WHERE id = 200", 1),
    ],
)
def test_a_missing_or_doubled_report_is_found(
    tmp_path: Path, whole: tuple[bytes, list[ErrorEvent]], read_in_place: None, statement: str, empty: int
) -> None:
    db, (content, events) = tmp_path / "errors.duckdb", whole
    db.write_bytes(content)
    changed(db, statement)
    (problem,) = offline.check(db)
    assert "blocks of reports do not match the errors; the first is that of the errors" in problem
    (done,) = repair(db)
    assert done.endswith(f" were made again; {empty} errors got an empty report")
    lost = [one for one in events if one.id == 200 or one.id // PER_BLOCK == 1] if empty else []
    lost = [one for one in lost if empty > 1 or one.id == 200][:empty]
    store = Projected(db)
    found = store.database.read(lambda cursor: fetch(cursor, range(1, 201)))
    store.close()
    assert found == {one.id: "{}" if one in lost else one.body for one in events}
    assert offline.check(db) == []


def test_a_database_of_an_earlier_schema_is_not_put_aside(tmp_path: Path, read_in_place: None) -> None:
    """Its sums are counted again when it is upgraded."""
    db, fleet = tmp_path / "errors.duckdb", Fleet(1)
    old_database(db, 6, fleet.errors(10))
    assert run_here("repair", "--db-path", db) == (0, f"{db} and its log are whole and belong together\n")


def test_files_are_for_the_owner_alone(served: Start) -> None:
    service = served()
    service.post({})
    service.get("/api/errors")
    modes: dict[str, Any] = {file.name: oct(file.stat().st_mode & 0o777) for file in service.db.parent.iterdir()}
    assert set(modes.values()) == {"0o600"}, modes
