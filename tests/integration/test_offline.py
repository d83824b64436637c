"""`check` and `repair`, and starts on files that are damaged or do not belong together, through the command line."""

import datetime as dt
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ROOT, Served
from events import event
from exact import assert_stored
from fleet import Fleet
from projected import Projected
from upgrade import old_database

from exporter.events.event import ErrorEvent
from exporter.store import StoreError, offline, verify
from exporter.store.repair import repair
from exporter.store.reports import PER_BLOCK, fetch
from exporter.store.rollup_tables import ROLLUPS
from exporter.store.sql import named
from exporter.store.verify import check_sums

pytestmark = pytest.mark.dashboard
Start = Callable[..., Served]


def run(command: str, db: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "exporter", command, "--db-path", str(db)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def hashes(db: Path) -> dict[str, str]:
    names = (db.name, db.name + ".log")
    return {name: hashlib.sha256((db.parent / name).read_bytes()).hexdigest() for name in names}


def fill(served: Start, count: int, *, kill: bool = False, start: int = 0) -> Path:
    service = served()
    for number in range(start, start + count):
        service.post({"event_id": f"e{number}", "message": f"m {'x' * 500}"})
    if kill:
        service.get("/api/errors")  # the database has them all
        service.kill()
    else:
        service.stop()
    return service.db


def ids(service: Served) -> list[str]:
    return sorted(error["event_id"] for error in service.get("/api/errors/list?limit=1000")["errors"])


def refused(served: Start, words: str, db: Path) -> None:
    """The start fails with one sentence and changes no file."""
    before = hashes(db)
    with pytest.raises(AssertionError, match=words) as stopped:
        served()
    assert str(stopped.value).count("level=error") == 1
    assert "Traceback" not in str(stopped.value)
    assert hashes(db) == before


def test_what_is_whole_is_called_whole(served: Start) -> None:
    db = fill(served, 5)
    status, said = run("check", db)
    assert (status, "whole" in said) == (0, True), said
    status, said = run("repair", db)
    assert (status, "aside" in said) == (0, False), said
    assert ids(served()) == [f"e{number}" for number in range(5)]


def test_a_running_service_is_not_touched(served: Start) -> None:
    service = served()
    files = sorted(service.db.parent.iterdir())
    for command in ("check", "repair"):
        status, said = run(command, service.db)
        assert status == 1
        assert "another service is running" in said
        assert sorted(service.db.parent.iterdir()) == files
    service.post({})


def test_after_a_clean_stop_the_database_alone_is_complete(served: Start) -> None:
    db = fill(served, 5)
    (db.parent / "errors.duckdb.log").unlink()
    service = served()
    assert ids(service) == [f"e{number}" for number in range(5)]
    assert service.post({})["id"] == 6


def test_a_log_that_is_missing_after_a_kill_stops_the_start(served: Start) -> None:
    db = fill(served, 5, kill=True)
    log = db.parent / "errors.duckdb.log"
    kept = log.read_bytes()
    log.unlink()
    with pytest.raises(AssertionError, match="log beside the database is missing or empty"):
        served()
    log.write_bytes(kept)
    assert ids(served()) == [f"e{number}" for number in range(5)]


def test_a_log_of_another_service_stops_the_start(served: Start) -> None:
    db = fill(served, 3)
    log = db.parent / "errors.duckdb.log"
    foreign = log.read_bytes()
    for file in db.parent.iterdir():
        file.unlink()
    fill(served, 4, kill=True)
    log.write_bytes(foreign)
    refused(served, "are of two different services", db)
    status, said = run("check", db)
    assert (status, "two different services" in said) == (1, True)
    status, said = run("repair", db)
    assert status == 0, said
    assert re.search(r"errors\.duckdb\.log\.aside-\w+ was put aside", said)
    assert len(ids(served())) == 4


def test_an_older_copy_of_the_log_stops_the_start(served: Start) -> None:
    db = fill(served, 3)
    log = db.parent / "errors.duckdb.log"
    older = log.read_bytes()
    fill(served, 3, start=3)
    log.write_bytes(older)
    refused(served, "the log ends at error 3, but the database already holds error 6", db)


def test_an_older_copy_of_the_database_catches_up_or_stops_the_start(served: Start) -> None:
    db = fill(served, 3)
    older = db.read_bytes()
    fill(served, 3, start=3)
    db.write_bytes(older)
    assert ids(served()) == [f"e{number}" for number in range(6)]  # the log still has the events between


def test_a_log_cut_in_half_stops_the_start_and_can_be_repaired(served: Start) -> None:
    db = fill(served, 200)
    log = db.parent / "errors.duckdb.log"
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    refused(served, "was cut", db)
    status, said = run("repair", db)
    assert status == 0, said
    assert len(ids(served())) == 200


def test_a_damaged_batch_in_the_log_is_found_and_repaired(served: Start) -> None:
    db = fill(served, 20)
    log = db.parent / "errors.duckdb.log"
    content = log.read_bytes()
    log.write_bytes(content.replace(b"x" * 200, b"x" * 199 + b"y"))  # free pages hold copies, too
    status, said = run("check", db)
    assert status == 1
    assert "damaged" in said
    assert run("repair", db)[0] == 0
    assert len(ids(served())) == 20


def logged(folder: Path, count: int) -> Path:
    """A log with a batch for each error, and a database that has none of them."""
    db = folder / "errors.duckdb"
    store = Projected(db)
    store.append(*[[event(number, message=f"number-{number}-")] for number in range(1, count + 1)])
    bind = named("write.sql")["bind"]
    store.database.transact(lambda: store.database.db.execute(bind, {"identity": store.log.identity}))
    store.close()
    return db


def test_batches_after_a_damaged_one_are_kept(served: Start, tmp_path: Path) -> None:
    db = logged(tmp_path, 8)
    log = tmp_path / "errors.duckdb.log"
    log.write_bytes(log.read_bytes().replace(b"number-4-", b"number-X-"))
    status, said = run("repair", db)
    assert status == 0, said
    assert "7 errors of the log were moved into the database\n1 of the errors before the last moved one" in said
    service = served()
    assert ids(service) == ["e1", "e2", "e3", "e5", "e6", "e7", "e8"]
    assert service.post({})["id"] == 9


def test_a_page_that_ends_the_process_which_reads_it(served: Start, tmp_path: Path) -> None:
    """LMDB calls abort() for a page without a type, so `check` and `repair` read the log in another process."""
    db = logged(tmp_path, 60)
    log = tmp_path / "errors.duckdb.log"
    content = bytearray(log.read_bytes())
    for page in range(0, len(content), 4096):
        here = bytes(content[page : page + 4096])
        if b"number-30-" in here and b"identity" not in here and b"events" not in here:
            content[page + 10 : page + 12] = b"\0\0"
    log.write_bytes(content)
    status, said = run("check", db)
    assert (status, "LMDB ends the process" in said) == (1, True), said
    status, said = run("repair", db)
    assert status == 0, said
    assert {f"e{number}" for number in range(1, 20)} <= set(ids(served()))


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


def test_a_damaged_database_is_built_anew_from_the_log(served: Start) -> None:
    db = fill(served, 20)
    content = bytearray(db.read_bytes())
    content[4096:12_288] = b"\xff" * 8_192
    db.write_bytes(content)
    status, said = run("check", db)
    assert status == 1, said
    status, said = run("repair", db)
    assert status == 0, said
    assert "put aside" in said
    assert len(ids(served())) == 20


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


def test_a_wrong_row_of_any_sum_is_found_and_counted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "COMPARED_AT_ONCE", 60)
    db, events = rolled_up(tmp_path, 200)
    levels = [rollup.table(level) for rollup in ROLLUPS for level in rollup.levels]
    assert offline.check(db) == []
    whole = db.read_bytes()
    for table in (*levels, "counters"):
        column = (
            "workers = xor(workers, 1::UBIGINT << 63::UBIGINT)" if table.startswith("seen_") else "errors = errors + 1"
        )
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column}"):
            db.write_bytes(whole)
            changed(db, f"{statement} WHERE rowid = (SELECT max(rowid) FROM {table})")
            assert check_sums(db) == [f"{db}: wrong sums in the table {table}: 1"]
    status, said = run("check", db)
    assert (status, said) == (1, f"{db}: wrong sums in the table counters: 1\n")
    status, said = run("repair", db)
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
def test_a_missing_or_doubled_report_is_found(tmp_path: Path, statement: str, empty: int) -> None:
    db, events = rolled_up(tmp_path, 200)
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


def test_a_database_of_an_earlier_schema_is_not_put_aside(tmp_path: Path) -> None:
    """Its sums are counted again when it is upgraded."""
    db, fleet = tmp_path / "errors.duckdb", Fleet(1)
    old_database(db, 6, fleet.errors(10))
    assert run("repair", db) == (0, f"{db} and its log are whole and belong together\n")


def test_files_are_for_the_owner_alone(served: Start) -> None:
    service = served()
    service.post({})
    service.get("/api/errors")
    modes: dict[str, Any] = {file.name: oct(file.stat().st_mode & 0o777) for file in service.db.parent.iterdir()}
    assert set(modes.values()) == {"0o600"}, modes
