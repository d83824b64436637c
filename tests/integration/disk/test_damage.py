"""Damaged blocks of the database under a real service, and what `check` and `repair` make of them. tests/chaos damages the
files at random."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from commands import ok
from conftest import ROOT, Served, eventually, store_processes, stored
from disk_answers import answer, report, send
from here import Here, ok_here, read_here, run_here, starting

from exporter.store import StoreError
from exporter.store.rescue import rescue

pytestmark = pytest.mark.dashboard
Start = Callable[..., Served]
StartHere = Callable[..., Here]
BLOCK, HEADERS = 262_144, 12_288  # bytes
FILLER = 200_000  # rows with random numbers: some blocks of their own


@pytest.fixture
def here(tmp_path: Path) -> Iterator[StartHere]:
    yield from starting(tmp_path / "errors.duckdb")


def filled(start: Start | StartHere, *flags: str, count: int = 100) -> tuple[Path, list[str]]:
    """A database of a stopped service."""
    service = start(*flags)
    accepted = send(service, "e", count)
    service.get("/api/errors")
    service.stop()
    return service.db, accepted


def damage(db: Path, table: str, column: str, filler: str) -> None:
    """Adds rows to a table and flips a byte in the first block that only they use."""
    with duckdb.connect(str(db)) as connection:
        connection.execute(filler)
        connection.execute("CHECKPOINT")
        segments = connection.execute(
            f"SELECT column_name, block_id FROM pragma_storage_info('{table}') WHERE block_id >= 0 ORDER BY start"
        ).fetchall()
    own = {block for name, block in segments if name == column} - {block for name, block in segments if name != column}
    flip(db, HEADERS + min(own) * BLOCK + 5_000)


def flip(file: Path, place: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(place)
        (byte,) = opened.read(1)
        opened.seek(place)
        opened.write(bytes([byte ^ 1]))


async def test_a_rollup_that_cannot_be_read_is_named_and_counted_again(
    served: Start, here: StartHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, accepted = filled(here)
    damage(db, "time_minute", "errors", filler_of(db))
    service = served()
    status, headers, body = answer(service, "/api/errors?time_range=1")
    assert (status, "Retry-After" in headers) == (503, True)
    assert "a part of the database is damaged" in body["message"]
    assert str(db.parent) not in body["message"]
    for _ in range(3):
        assert answer(service, "/api/errors?time_range=1")[0] == 503
    assert answer(service, "/api/errors/list")[0] == 200
    assert report(service, "later")[0] == 200
    await eventually(lambda: answer(service, "/-/ready")[2]["data"] == {"ready": True, "behind": ["database"]})
    assert service.metrics()["distributed_testing_database_up"] == 0
    assert len([line for line in service.log if "checksum" in line]) == 1
    assert not [line for line in service.log if "traceback=" in line]
    service.stop()
    read_here(monkeypatch)
    assert "checksum" in run_here("check", "--db-path", db)[1]
    said = ok_here("repair", "--db-path", db)
    assert "the rollups and counters were deleted" in said
    assert "lost" not in said
    service = here()
    assert sorted(stored(service)) == sorted([*accepted, "later"])
    assert service.get("/api/errors?time_range=1")["summary"]["total_errors"] == len(accepted) + 1


def rows(db: Path, table: str) -> int:
    with duckdb.connect(str(db), read_only=True) as connection:
        ((count,),) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
        return count


def filler_of(db: Path) -> str:
    """Rows of `time_minute`, which has none yet."""
    with duckdb.connect(str(db), read_only=True) as connection:
        columns = [name for name, *_ in connection.execute("DESCRIBE time_minute").fetchall()]
    values = {"t": "date_trunc('minute', now()::TIMESTAMP)", "errors": "hash(i) // 4096 // 1048576"}
    return f"INSERT INTO time_minute SELECT {', '.join(values.get(name, '0') for name in columns)} FROM range({FILLER}) r(i)"


def test_errors_that_cannot_be_read_are_taken_from_the_log_or_counted(here: StartHere, tmp_path: Path) -> None:
    """`repair` copies the other rows. The log has the newest 20 errors."""
    db, accepted = filled(here, "--log-keep-events", "20", count=60)
    damage(
        db, "errors", "event_id",
        f"INSERT INTO errors SELECT one.* REPLACE (1000 + i AS id, md5(i::VARCHAR) AS event_id) FROM "
        f"(SELECT * FROM errors LIMIT 1) one, range({FILLER}) r(i)",
    )  # fmt: skip
    unread = rescue(db, tmp_path / "new.duckdb")
    assert set(unread) == {"errors"}
    assert 2_048 <= unread["errors"] <= 30_000, "one block, and not the whole table"
    assert rows(tmp_path / "new.duckdb", "errors") == len(accepted) + FILLER - unread["errors"]


@pytest.mark.parametrize("place", [100, 4_096 + 50, 8_192 + 50])
def test_a_header_that_cannot_be_read(here: StartHere, monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    read_here(monkeypatch)
    db, accepted = filled(here)
    flip(db, place)
    with pytest.raises(StoreError, match="run `error-visualization check`"):
        here()
    assert "was built from the log" in ok_here("repair", "--db-path", db)
    assert sorted(stored(here())) == sorted(accepted)


def test_the_command_says_in_one_line_that_it_cannot_read_a_header(served: Start, here: StartHere) -> None:
    db, accepted = filled(here)
    flip(db, 100)
    with pytest.raises(AssertionError, match="run `error-visualization check`") as refused:
        served()
    assert str(refused.value).count("level=error") == 1
    assert "was built from the log" in ok("repair", "--db-path", db)
    assert sorted(stored(here())) == sorted(accepted)


def test_a_header_that_cannot_be_read_and_a_log_that_begins_later(
    here: StartHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is lost is said."""
    read_here(monkeypatch)
    db, accepted = filled(here, "--log-keep-events", "0")
    service = here("--log-keep-events", "0")
    for number in range(5):
        accepted += send(service, f"f{number}-", 20)
        service.get("/api/errors")
    service.stop()
    flip(db, 100)
    said = ok_here("repair", "--db-path", db)
    found = stored(here())
    lost = len(accepted) - len(found)
    assert lost == 0 or f"errors 1 to {lost} were only in the damaged database" in said


async def test_a_start_of_the_store_on_damaged_files_says_so_while_it_tries(served: Start) -> None:
    """No crash loop that nobody sees: `behind`, a metric and one line of the log."""
    service = served()
    send(service, "e", 50)
    service.get("/api/errors")
    for place in (100, 4_096 + 50, 8_192 + 50):
        flip(service.db, place)
    store_processes(service)[0].kill()
    await eventually(lambda: any("does not start" in line for line in service.log))
    assert report(service, "later")[0] == 200
    assert answer(service, "/-/ready")[2]["data"] == {"ready": True, "behind": ["database"]}
    assert service.metrics()["distributed_testing_database_up"] == 0
    status, _, body = answer(service, "/api/errors")
    assert (status, "Traceback" in str(body)) == (503, False)


REHEARSE = """
import sys
from pathlib import Path
from exporter.log import LogDamagedError
from exporter.log.rehearsal import rehearse
log = Path(sys.argv[1])
whole = log.read_bytes()
for page in range(0, len(whole), 4_096):
    log.write_bytes(whole[:page + 10] + bytes(2) + whole[page + 12 :])
    try:
        rehearse(log)
    except LogDamagedError:
        print(page)
log.write_bytes(whole)
rehearse(log)
"""


def test_a_log_that_lmdb_cannot_read_is_a_sentence_and_no_crash(served: Start, here: StartHere) -> None:
    """Takes the type of each page of the log away, one after the other. Starts on one that makes LMDB end its process."""
    db, accepted = filled(here, count=100)
    log = db.with_name(db.name + ".log")
    done = subprocess.run([sys.executable, "-c", REHEARSE, log], cwd=ROOT, capture_output=True, text=True, check=True)
    pages = [int(line) for line in done.stdout.split()]
    assert pages, "no page ends LMDB's process"
    content = bytearray(log.read_bytes())
    content[pages[0] + 10 : pages[0] + 12] = bytes(2)
    log.write_bytes(content)
    with pytest.raises(
        AssertionError, match="LMDB ends the process that reads it: run `error-visualization"
    ) as refused:
        served()
    assert str(refused.value).count("level=error") == 1
    ok_here("repair", "--db-path", db)
    assert sorted(stored(here())) == sorted(accepted)


@pytest.mark.parametrize("kept", ["0", "20000"])
def test_a_damaged_entry_of_the_write_ahead_log_costs_no_earlier_one(
    here: StartHere, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    """DuckDB replays nothing of such a file. What comes after the entry is in the log, if the log still has it."""
    service = here("--log-keep-events", kept)
    accepted = []
    for number in range(10):
        accepted += send(service, f"f{number}-", 10)
        service.get("/api/errors")
    service.kill()
    wal = service.db.with_name(service.db.name + ".wal")
    flip(
        wal, wal.read_bytes().index(b"f7-")
    )  # in an entry's data: with a damaged length it looks like an end that was torn
    with pytest.raises(StoreError, match="run `error-visualization check`"):
        here()
    read_here(monkeypatch)
    said = ok_here("repair", "--db-path", service.db)
    assert "was cut before a damaged entry" in said
    found = stored(here())
    assert len(found) >= len(accepted) * 2 // 3
    if kept != "0":
        assert sorted(found) == sorted(accepted)
