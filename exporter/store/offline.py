"""`error-visualization check`: reads the database and its log while no service runs.

It reads every row and every batch, and compares sums and reports with the errors (`verify.py`). The files are read in a
process of its own, because LMDB ends the process that reads a badly damaged page. `repair.py` uses the same process for
what it reads.
"""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import duckdb
import msgspec

from exporter.events.event import ErrorEvent, decode_batch
from exporter.log import LogError
from exporter.log.embedded import EmbeddedLog
from exporter.log.files import log_path
from exporter.store import DatabaseInfo, StoreError
from exporter.store.belonging import LogInfo, new_log_base
from exporter.store.database import Database, read_only
from exporter.store.projection import Projection
from exporter.store.rescue import put_back, put_back_reports, rescue
from exporter.store.state import database_info
from exporter.store.verify import check_sums

SUMMARIES_BYTES: Final = 2**22  # of summaries that are read at once


def check(path: Path) -> list[str]:
    """Returns what is wrong with the database at `path` and its log, one sentence each; an empty list if all is well.
    Raises `StoreError` if they cannot be checked."""
    said, died = in_a_process("check", path)
    if died and in_a_process("read", path).died:
        return [f"{path}: it is so damaged that DuckDB ends the process that reads it"]
    if died:
        return [f"{log_path(path)}: a page is so damaged that LMDB ends the process that reads it"]
    problems: list[str] = msgspec.json.decode(said)
    return problems


def _check(path: Path) -> list[str]:
    problems: list[str] = []
    try:
        log = open_log(path)
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


def open_log(path: Path) -> EmbeddedLog | None:
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
    yield from _check_summaries(log)


def _check_summaries(log: EmbeddedLog) -> Iterator[str]:
    number = 0
    try:
        while entries := log.summaries(number, SUMMARIES_BYTES):
            number = entries[-1].number
            yield from (f"{log.path}: the summary {one.number} is damaged" for one in entries if one.payload is None)
    except LogError as error:
        yield str(error)


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


def salvage(path: Path, position: int = 0) -> None:
    """Inserts into the database the readable events of its log that the database does not have, from `position`. Does
    nothing if the log belongs to another database, or cannot be opened."""
    with contextlib.suppress(LogError):
        log = open_log(path)
        if log is None:
            return
        database = Database(path)
        database.connect()
        try:
            if log.identity == database_info(database).identity:
                projection = Projection(database, log)
                for events in readable(log, position):
                    new = [event for event in events if event.id > database.position]
                    if new:
                        projection.insert(new)
                projection.summaries.catch_up()
        finally:
            database.disconnect()
            log.close()


def restore_from_log(path: Path) -> tuple[int, int]:
    """Inserts what a rescued database lacks and its log still has. Returns how many errors, and how many reports."""
    log = open_log(path)
    if log is None:
        return 0, 0
    database = Database(path)
    database.connect()
    try:
        if log.identity != database_info(database).identity:
            return 0, 0
        counts = put_back(database, readable(log)), put_back_reports(database, readable(log))
        summaries = Projection(database, log).summaries
        summaries.begin_again()
        summaries.catch_up()
        return counts
    finally:
        database.disconnect()
        log.close()


def _is_complete(path: Path) -> bool:
    log = open_log(path)
    if log is None:
        return False
    try:
        return log.first == 1 <= log.last and not list(_check_log(log))
    finally:
        log.close()


def readable(log: EmbeddedLog, position: int = 0) -> Iterator[list[ErrorEvent]]:
    """Yields the batches that can be read, from the one with `position`."""
    for record, _ in log.scan(position):
        if record is not None:
            with contextlib.suppress(msgspec.DecodeError):
                yield decode_batch(record.payload, record.first)


class Outcome(NamedTuple):
    """What a process printed, and whether LMDB or DuckDB ended it."""

    said: str
    died: bool


def in_a_process(action: str, path: Path, *more: object) -> Outcome:
    """Runs `main` in a process of its own. Raises `StoreError` if the action failed."""
    command = [sys.executable, "-m", "exporter.store.offline", action, str(path), *map(str, more)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    died = done.returncode in (-signal.SIGABRT, -signal.SIGBUS, -signal.SIGSEGV)
    if done.returncode and not died:
        said = done.stderr.strip().rpartition("\n")[2]
        raise StoreError(said or f"the process that reads the files ended with status {done.returncode}")
    return Outcome(done.stdout, died)


def main(action: str, path: Path, *more: str) -> int:
    """`check`, `read`, `complete`, `rescue`, `restore` print what they return as JSON; `ends` prints the positions of
    `EmbeddedLog.ends`, one a line, each as soon as it is read."""
    try:
        match action:
            case "check":
                print(msgspec.json.encode(_check(path)).decode())
            case "read":
                print(msgspec.json.encode(check_database(path)).decode())
            case "rescue":
                print(msgspec.json.encode(rescue(path, Path(*more))).decode())
            case "restore":
                print(msgspec.json.encode(restore_from_log(path)).decode())
            case "complete":
                print(msgspec.json.encode(_is_complete(path)).decode())
            case "ends":
                with contextlib.suppress(LogError):  # raised at a damaged page that does not end the process
                    for end in log.ends() if (log := open_log(path)) else ():
                        print(end, flush=True)
            case _:
                salvage(path, *map(int, more))
    except (StoreError, LogError, OSError, duckdb.Error) as error:
        print(str(error).partition("\n")[0], file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]))
