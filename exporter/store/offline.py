"""`error-visualization check` and `repair`: the database and its log while no service runs.

`check` reads every row and every batch, and compares sums and reports with the errors (`verify.py`). `repair` keeps
what can be read. It deletes only sums, which are counted again, and renames a file that it cannot use to
`<name>.aside-<time>`. All batches of a log are read in a process of its own, because LMDB ends the process that reads a
badly damaged page.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import duckdb
import msgspec

from exporter.events.event import ErrorEvent, decode_batch
from exporter.log import LogError
from exporter.log.embedded import EmbeddedLog
from exporter.log.files import lock, log_path
from exporter.store import DatabaseInfo, StoreError
from exporter.store.belonging import LogInfo, new_log_base
from exporter.store.database import Database, number, read_only, wal
from exporter.store.journal_upgrade import take_over_journal
from exporter.store.projection import Projection
from exporter.store.sql import named
from exporter.store.state import database_info
from exporter.store.verify import check_sums, mend

_WRITE: Final = named("write.sql")


def check(path: Path) -> list[str]:
    """Returns what is wrong with the database at `path` and its log, one sentence each; an empty list if all is well.
    Raises `StoreError` if they cannot be checked."""
    printed = _in_a_process("check", path)
    if printed is None:
        return [f"{log_path(path)}: a page is so damaged that LMDB ends the process that reads it"]
    problems: list[str] = msgspec.json.decode(printed)
    return problems


def _check(path: Path) -> list[str]:
    problems: list[str] = []
    try:
        log = _open_log(path)
    except LogError as error:
        return [str(error)]
    try:
        if log is not None:
            problems += _check_log(log)
        problems += check_database(path) or check_sums(path)
        if not problems:
            problems += _check_belonging(path, log)
    finally:
        if log is not None:
            log.close()
    return problems


def repair(path: Path) -> list[str]:
    """Makes the database and its log usable, and returns what was done, one sentence each. Raises `LogError` if a
    service is running, and `StoreError`."""
    if log_path(path).exists():
        os.close(lock(log_path(path)))  # raises LogError while a service runs
    done: list[str] = []
    if not check_database(path):
        done += mend(path)
    else:
        done += [f"{aside(file)} was put aside" for file in (path, wal(path)) if file.exists()]
        done.append(f"{path} was built from the log; errors that only the damaged one had are in the file put aside")
        log = _open_log(path)
        if log is not None:
            _new_database(path, log)
            log.close()
    problems = check(path)
    if problems:
        before = _extent(path)
        _in_a_process("salvage", path)  # what it inserts before LMDB ends it is kept
        after = _extent(path)
        kept = after.errors - before.errors
        missing = after.position - before.position - kept
        log_file = log_path(path)
        if log_file.exists():
            done.append(f"{aside(log_file)} was put aside ({problems[0]})")
            log_file.with_name(log_file.name + "-lock").unlink(missing_ok=True)
        done.append(f"{kept} errors of the log were moved into the database")
        if missing:
            done.append(f"{missing} of the errors before the last moved one could not be read")
        _mark_complete(path)
    return done


def aside(file: Path) -> Path:
    """Renames a file so that it is kept and not used, and returns its new path."""
    new = file.with_name(f"{file.name}.aside-{time.strftime('%Y%m%dT%H%M%S')}")
    file.rename(new)
    return new


def _open_log(path: Path) -> EmbeddedLog | None:
    """The log, locked against a service; None if there is none. Raises `LogError`."""
    return EmbeddedLog(log_path(path)) if log_path(path).exists() else None


def _check_log(log: EmbeddedLog) -> Iterator[str]:
    position = log.first
    for record, problem in log.scan():
        if problem:
            yield problem
            continue
        assert record is not None
        if record.first != position:
            yield f"{log.path}: errors {position} to {record.first - 1} are missing"
        position = record.last + 1
        try:
            decode_batch(record.payload, record.first)
        except msgspec.DecodeError as error:
            yield f"{log.path}: errors {record.first} to {record.last} cannot be decoded: {error}"


def check_database(path: Path) -> list[str]:
    """Reads every column of every row. Returns what cannot be read."""
    if not path.exists():
        return [f"{path} does not exist"]
    try:
        with read_only(path) as db:
            for (table,) in db.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal").fetchall():
                db.execute(f"SELECT bit_xor(hash(COLUMNS(*))) FROM {table}").fetchall()
    except duckdb.Error as error:
        return [f"{path}: {error}"]
    return []


def _check_belonging(path: Path, log: EmbeddedLog | None) -> list[str]:
    database = Database(path)
    database.connect()
    try:
        match(log, database_info(database))
    except (StoreError, LogError) as error:
        return [str(error)]
    finally:
        database.disconnect()
    return []


def match(log: EmbeddedLog | None, info: DatabaseInfo) -> None:
    """Raises `StoreError` if a database with this `info` does not belong to the log, and `LogError`."""
    event_id = None
    if log is not None and log.first <= info.position <= log.last:
        (record, *_) = log.read(info.position, 1)
        event_id = decode_batch(record.payload, record.first)[info.position - record.first].event_id
    known = LogInfo(log.identity, log.first, log.last, event_id) if log else LogInfo("", 1, 0, None)
    new_log_base(known, info)


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


def _salvage(path: Path) -> None:
    """Inserts into the database the readable events of its log that the database does not have. Does nothing if the log
    belongs to another database."""
    log = _open_log(path)
    if log is None:
        return
    database = Database(path)
    database.connect()
    try:
        if log.identity == database_info(database).identity:
            projection = Projection(database, log)
            for events in _readable(log):
                new = [event for event in events if event.id > database.position]
                if new:
                    projection.insert(new)
    finally:
        database.disconnect()
        log.close()


def _readable(log: EmbeddedLog) -> Iterator[list[ErrorEvent]]:
    """Yields the batches that can be read."""
    for record, _ in log.scan():
        if record is not None:
            with contextlib.suppress(msgspec.DecodeError):
                yield decode_batch(record.payload, record.first)


def _mark_complete(path: Path) -> None:
    database = Database(path)
    database.connect()
    try:
        database.transact(lambda: database.db.execute(_WRITE["mark_complete"]))
        database.db.execute("CHECKPOINT")
    finally:
        database.disconnect()


def _in_a_process(action: str, path: Path) -> str | None:
    """Runs `main` in a process of its own. Returns what it prints, None if LMDB ended the process. Raises `StoreError`
    if the action failed."""
    command = [sys.executable, "-m", "exporter.store.offline", action, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode in (-signal.SIGABRT, -signal.SIGBUS, -signal.SIGSEGV):
        return None
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2]
        raise StoreError(said or f"the process that reads the log ended with status {done.returncode}")
    return done.stdout


def main(action: str, path: Path) -> int:
    """`check` prints the problems as a JSON array; `salvage` moves nothing from a log that cannot be opened."""
    try:
        if action == "check":
            print(msgspec.json.encode(_check(path)).decode())
        else:
            with contextlib.suppress(LogError):
                _salvage(path)
    except (StoreError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
