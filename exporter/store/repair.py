"""`error-visualization repair`: keeps what can be read of the files of a service that does not run.

    the database      whole: its sums and reports are corrected (`verify.py`)
                      damaged: copied without what cannot be read (`rescue.py`); what is missing is taken from the log
                      not even its tables are known: built from the log
    DuckDB's WAL      cut before a damaged entry; put aside if it cannot be replayed even then
    the log           whole: stays
                      damaged, or of another database: its readable events are moved into the database

It deletes only sums, which are counted again, and renames a file that it cannot use to `<name>.aside-<time>`. It says
how many errors it could not read.
"""

import os
import re
import shutil
import time
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from exporter.log import LogError
from exporter.log.embedded import EmbeddedLog
from exporter.log.files import flush, lock, log_path
from exporter.store import StoreError
from exporter.store.database import Database, wal
from exporter.store.journal_upgrade import take_over_journal
from exporter.store.offline import check, in_a_process, open_log
from exporter.store.rollup_tables import ROLLUPS
from exporter.store.sql import named, number
from exporter.store.verify import mend

_WRITE: Final = named("write.sql")
_DAMAGED_ENTRY: Final = re.compile(r"WAL file: entry at byte position (\d+)")
_SUMS: Final = {"counters", *(rollup.table(level) for rollup in ROLLUPS for level in rollup.levels)}


def repair(path: Path) -> list[str]:
    """Makes the database and its log usable, and returns what was done, one sentence each. Raises `LogError` if a
    service is running, and `StoreError`."""
    if path.is_dir():
        raise StoreError(f"{path} is a folder")
    if not path.exists() and not log_path(path).exists():
        raise StoreError(f"{path} does not exist")
    if log_path(path).exists():
        os.close(lock(log_path(path)))  # raises LogError while a service runs
    done: list[str] = []
    if not _damage(path):
        done += mend(path)
    else:
        done += _restore_database(path)
    problems = check(path)
    if problems:
        done += _take_from_log(path, problems[0])
        _mark_complete(path)
    return done


def aside(file: Path) -> Path:
    """Renames a file so that it is kept and not used, and returns its new path."""
    new = _unused(file)
    file.rename(new)
    return new


def _unused(file: Path) -> Path:
    new = file.with_name(f"{file.name}.aside-{time.strftime('%Y%m%dT%H%M%S')}")
    while new.exists():
        new = new.with_name(new.name + "x")
    return new


def _damage(path: Path) -> bool:
    """Returns whether the database cannot be read as a whole."""
    said, died = in_a_process("read", path)
    return died or said.strip() != "[]"


def _restore_database(path: Path) -> list[str]:
    """Makes a database that can be read of one that cannot."""
    done = _cut_write_ahead_log(path)
    if done and not _damage(path):
        return [*done, *mend(path)]
    new = path.with_name(path.name + ".repairing")
    unread = _rescued(path, new)
    if unread is None and path.exists() and wal(path).exists():
        done.append(f"{aside(wal(path))} was put aside: DuckDB cannot replay it")
        if not _damage(path):
            return [*done, *mend(path)]
        unread = _rescued(path, new)
    if unread is None or (unread.keys() - _SUMS and _log_is_complete(path)):
        for file in (new, wal(new)):
            file.unlink(missing_ok=True)
        return [*done, *_build_from_log(path)]
    done += [f"{aside(file)} was put aside" for file in (path, wal(path)) if file.exists()]
    new.rename(path)
    flush(path.parent)
    errors, _ = _put_back(path)
    corrected = mend(path)
    _, reports = _put_back(path)
    lost = unread.pop("errors", 0)
    if lost < 0:
        done.append(f"the errors of the database could not be read; {errors} of them were in the log")
    elif lost:
        gone = max(0, lost - errors)
        done.append(
            f"{lost} errors of the database could not be read; {errors} of them were in the log, {gone} are lost"
        )
    done += [
        f"{rows if rows > 0 else 'all'} rows of the table {table} could not be read"
        for table, rows in unread.items()
        if table not in _SUMS
    ]
    if reports:
        corrected.append(f"{reports} of these reports were in the log")
    return [*done, *corrected]


def _cut_write_ahead_log(path: Path) -> list[str]:
    """Cuts DuckDB's write-ahead log before its first damaged entry, which keeps DuckDB from replaying the others.
    Returns what was done."""
    file = wal(path)
    place = _DAMAGED_ENTRY.search(in_a_process("read", path).said) if file.exists() else None
    if place is None:
        return []
    whole = _unused(file)
    shutil.copy2(file, whole)
    os.truncate(file, int(place[1]))
    flush(file)
    return [f"{file} was cut before a damaged entry; {whole} is the whole file"]


def _log_is_complete(path: Path) -> bool:
    """Returns whether every event that was ever accepted can be read from the log."""
    try:
        said, died = in_a_process("complete", path)
    except StoreError:
        return False
    return not died and said.strip() == "true"


def _rescued(path: Path, new: Path) -> dict[str, int] | None:
    """Copies what can be read of the database to `new`. Returns as `rescue`; None if nothing could be copied."""
    if path.exists():
        try:
            said, died = in_a_process("rescue", path, new)
            if not died:
                return msgspec.json.decode(said, type=dict[str, int])
        except StoreError:
            pass
    return None


def _put_back(path: Path) -> tuple[int, int]:
    """Inserts what the database lacks and the log has. Returns how many errors and reports; 0 if the log cannot be
    read."""
    try:
        said, died = in_a_process("restore", path)
    except StoreError:
        return 0, 0
    return msgspec.json.decode(said, type=tuple[int, int]) if not died else (0, 0)


def _build_from_log(path: Path) -> list[str]:
    done = [f"{aside(file)} was put aside" for file in (path, wal(path)) if file.exists()]
    try:
        log = open_log(path)
    except LogError:  # it is damaged, too; a start makes a new database
        log = None
    if log is None:
        return [*done, "there is no log that can be read: the next start makes an empty database"]
    try:
        _new_database(path, log)
        if log.first > 1:
            done.append(f"errors 1 to {log.first - 1} were only in the damaged database")
    finally:
        log.close()
    done.append(
        f"{path} was built from the log; merges, splits, pins, states and the history were only in the damaged one"
    )
    return done


def _take_from_log(path: Path, problem: str) -> list[str]:
    """Moves the readable events of the log into the database, and puts the log aside. Returns what was done."""
    done: list[str] = []
    before = _extent(path)
    if in_a_process("salvage", path).died:  # what it inserted before LMDB ended it is kept
        ends = in_a_process("ends", path).said.split()
        if ends:
            in_a_process("salvage", path, int(ends[-1]))
    after = _extent(path)
    kept = after.errors - before.errors
    missing = after.position - before.position - kept
    log_file = log_path(path)
    if after.position == before.position and log_file.exists():
        done.append(f"errors after error {after.position} that only the log had are lost")
    if log_file.exists():
        done.append(f"{aside(log_file)} was put aside ({problem})")
        log_file.with_name(log_file.name + "-lock").unlink(missing_ok=True)
    done.append(f"{kept} errors of the log were moved into the database")
    if missing:
        done.append(f"{missing} of the errors before the last moved one could not be read")
    return done


def _new_database(path: Path, log: EmbeddedLog) -> None:
    """Makes an empty database, bound to the log, whose position is just before the log's first event."""
    database = Database(path)
    database.connect()
    try:
        database.transact(
            lambda: database.db.execute(_WRITE["bind"], {"identity": log.identity}), position=log.first - 1
        )
    finally:
        database.disconnect()


class Extent(NamedTuple):
    """The log position of a database, and how many errors it holds."""

    position: int
    errors: int


def _extent(path: Path) -> Extent:
    database = Database(path)
    database.connect()
    try:
        take_over_journal(database)
        return Extent(database.position, number(database.db, "SELECT count(*) FROM errors"))
    finally:
        database.disconnect()


def _mark_complete(path: Path) -> None:
    database = Database(path)
    database.connect()
    try:
        database.transact(lambda: database.db.execute(_WRITE["mark_complete"]))
        database.db.execute("CHECKPOINT")
    finally:
        database.disconnect()
