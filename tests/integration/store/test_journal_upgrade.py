"""Upgrade from the release before the log: the events of its journal files are inserted once, then the files are deleted."""

import zlib
from collections.abc import Callable
from pathlib import Path
from struct import pack
from typing import Any

import duckdb
import msgspec
import pytest
from conftest import InProcess
from events import event
from upgrade import old_database as database_of
from upgrade import old_pattern_row, old_row

from exporter.events.event import ErrorEvent
from exporter.store import StoreError
from exporter.store.database import Database
from exporter.store.journal_upgrade import take_over_journal
from exporter.store.reports import fetch
from exporter.store.series import LabelLimits
from exporter.store.state import load_state

pytestmark = pytest.mark.dashboard
VERSION = 1  # of the schema of that release
MARK = b"turnmark"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "errors.duckdb"


def old_database(path: Path, *events: ErrorEvent) -> None:
    """A database as the release before the log left it."""
    database_of(path, VERSION, events)


def old_journal(path: Path, number: int, *batches: list[ErrorEvent]) -> Path:
    """The journal file `number` of that release."""
    file = path.with_name(f"{path.name}.journal.{number}")
    content = MARK + pack("!I", zlib.crc32(MARK))
    for batch in batches:
        patterns = [old_pattern_row(one, VERSION) for one in batch if one.is_new_pattern]
        payload = msgspec.msgpack.encode(([old_row(one, VERSION) for one in batch], patterns))
        content += MARK + pack("!II", len(payload), zlib.crc32(payload)) + payload
    file.write_bytes(content)
    return file


def opened(path: Path) -> Database:
    database = Database(path)
    database.connect()
    try:
        take_over_journal(database)
    except BaseException:
        database.disconnect()
        raise
    return database


def values(database: Database, query: str) -> list[Any]:
    return database.read(lambda cursor: [value for (value,) in cursor.execute(query).fetchall()])


def test_both_files_are_taken_over_in_order_and_deleted(path: Path) -> None:
    old_database(path, event(1), event(2))
    new = event(4, category="network_x ", fingerprint="a" * 16, pattern="other", is_new_pattern=True)
    files = [old_journal(path, 0, [event(5)]), old_journal(path, 1, [event(2)], [event(3), new])]
    database = opened(path)
    assert values(database, "SELECT event_id FROM errors ORDER BY id") == ["e1", "e2", "e3", "e4", "e5"]
    assert [count.errors for count in load_state(database, 1, LabelLimits()).counters] == [4, 1]
    assert values(database, "SELECT DISTINCT error_category FROM named_errors ORDER BY 1") == ["C", "NETWORK_X"]
    assert database.read(lambda cursor: list(fetch(cursor, range(1, 6)))) == [1, 2, 3, 4, 5]
    assert values(database, "SELECT pattern FROM patterns") == ["other"]
    assert values(database, "SELECT position FROM log_position") == [database.position] == [5]
    assert not any(file.exists() for file in files)
    database.disconnect()


def test_what_the_database_has_is_not_inserted_again(path: Path) -> None:
    """As after a crash between the insert and the deletion of the files."""
    old_database(path)
    files = [old_journal(path, 0, [event(1, is_new_pattern=True), event(2)]), old_journal(path, 1)]
    kept = {file: file.read_bytes() for file in files}
    opened(path).disconnect()
    for file, content in kept.items():
        file.write_bytes(content)
    database = opened(path)
    assert values(database, "SELECT id FROM errors ORDER BY id") == [1, 2]
    assert values(database, "SELECT count(*) FROM patterns") == [1]
    assert [count.errors for count in load_state(database, 1, LabelLimits()).counters] == [2]
    assert not any(file.exists() for file in files)
    database.disconnect()


def test_a_torn_last_batch_is_left_out(path: Path) -> None:
    old_database(path)
    file = old_journal(path, 0, [event(1)], [event(2)])
    file.write_bytes(file.read_bytes()[:-3])
    database = opened(path)
    assert values(database, "SELECT id FROM errors") == [1]
    assert not file.exists()
    database.disconnect()


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[20] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ([], [[event(4)]], "go on with error 4 where error 3 is expected after error 2"),
        ([[event(3)]], [[event(5)]], "go on with error 5 where error 4 is expected after error 3"),
        ([[event(3)]], [[event(3), event(4)]], "go on with error 3 where error 4 is expected after error 3"),
        ([[event(2, event_id="other")]], [[event(3)]], "hold another error 2 than the database"),
    ],
    ids=["gap", "gap between the files", "two files of two databases", "another error under the same id"],
)
def test_a_journal_of_another_database_changes_nothing(
    path: Path, first: list[list[ErrorEvent]], second: list[list[ErrorEvent]], words: str
) -> None:
    old_database(path, event(1), event(2))
    files = [old_journal(path, 0, *first), old_journal(path, 1, *second)]
    kept = [file.read_bytes() for file in files]
    with pytest.raises(StoreError, match=words):
        opened(path)
    assert [file.read_bytes() for file in files] == kept
    with duckdb.connect(str(path)) as db:
        assert db.execute("SELECT id FROM errors ORDER BY id").fetchall() == [(1,), (2,)]


def test_a_damaged_journal_changes_nothing(path: Path) -> None:
    old_database(path, event(1))
    files = [old_journal(path, 0, [event(2)]), old_journal(path, 1, [event(3)], [event(4)])]
    damage(files[1])
    with pytest.raises(StoreError, match=r"journal\.1 is damaged at byte 12; restore it from a backup"):
        opened(path)
    assert all(file.exists() for file in files)
    with duckdb.connect(str(path)) as db:
        assert db.execute("SELECT id FROM errors").fetchall() == [(1,)]


async def test_a_service_goes_on_with_what_the_earlier_release_left(path: Path, serve: Callable[..., Any]) -> None:
    old_database(path, event(1), event(2))
    old_journal(path, 0, [event(3, is_new_pattern=True)])
    service: InProcess = await serve(db_path=str(path))
    assert (await service.get("/api/errors"))["summary"]["total_errors"] == 3
    assert (await service.metrics())['distributed_testing_errors_by_severity_total{severity="critical"}'] == 3
    assert (await service.post({"worker_id": "w", "event_id": "e3"}))["id"] == 3  # a repeat
    assert (await service.post())["id"] == 4
    assert [error["id"] for error in (await service.get("/api/errors/list"))["errors"]] == [4, 3, 2, 1]
