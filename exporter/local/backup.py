"""`error-visualization backup`: a copy of the database that is whole by itself, while the service runs or not.

    running service   it keeps its file unchanged (`hold.py`) ─► copy the file
    stopped service   copy the file and DuckDB's write-ahead log ─► insert into the copy what only the log has
    then              mark the copy complete ─► read every row and compare all sums ─► write the manifest ─► rename

The copy is made, completed and read by the process of the command, and the service writes nothing. If DuckDB writes
another header to the file during the copy, because the service stopped or started, the copy is made again.
"""

import datetime as dt
import os
import time
from pathlib import Path
from typing import Final

import duckdb

from exporter import __version__
from exporter.local import manifest
from exporter.local.copying import copy, digest, need
from exporter.local.hold import held, socket_path
from exporter.local.manifest import DATABASE, File, Manifest
from exporter.local.parquet import write_parquet
from exporter.local.progress import Progress
from exporter.local.unfinished import unfinished
from exporter.log import LogError
from exporter.log.embedded import EmbeddedLog
from exporter.log.files import flush, lock, log_path
from exporter.store import StoreError
from exporter.store.assignments import Assignments
from exporter.store.database import Database, limits, read_only, wal
from exporter.store.offline import check_database, match
from exporter.store.projection import Projection
from exporter.store.sql import named, number
from exporter.store.state import log_position
from exporter.store.verify import check_sums

PARQUET: Final = "errors.parquet"
HEADER_BYTES: Final = 3 * 4096  # of a DuckDB file; each checkpoint writes the second or the third page
TRIES: Final = 5
START_SECONDS: Final = 20.0  # to wait for a service that starts or stops
RETRY_SECONDS: Final = 1.0
_ERRORS: Final = "SELECT count(*) FROM errors"
_VERSION: Final = "SELECT max(version) FROM schema_version"
_WRITE: Final = named("write.sql")


def backup(database: Path, folder: Path, progress: Progress, *, parquet: bool = False) -> Manifest:
    """Makes a backup of the database at `database` in `folder`, which must not exist or be empty, and returns its
    manifest. Raises `StoreError`, `LogError`, OSError and duckdb.Error; then there is no `folder`."""
    if not database.exists():
        raise StoreError(f"{database} does not exist")
    if any(database.parent.glob(f"{database.name}.journal.*")):
        raise StoreError(f"{database} has journal files of an earlier release: start and stop the service once")
    with unfinished(folder) as work:
        copied = work / DATABASE
        made_at = _copy(database, copied, progress)
        with read_only(copied) as db:
            info, errors, version = log_position(db), number(db, _ERRORS), number(db, _VERSION)
        with progress.step("verify", errors) as step:
            if problems := check_database(copied) or check_sums(copied, step.add):
                raise StoreError(f"the copy is not whole: {problems[0]}")
        if parquet:
            write_parquet(copied, work / PARQUET, progress)
        made = Manifest(
            program_version=__version__, schema_version=version, made_at=made_at, log_identity=info.identity,
            position=info.position, errors=errors, files=_files(work, progress),
        )  # fmt: skip
        manifest.write(work, made)
    return made


def _copy(database: Path, copied: Path, progress: Progress) -> dt.datetime:
    """Copies the database as of now, and returns the time. Raises `StoreError`, `LogError` and OSError."""
    started_until = time.monotonic() + START_SECONDS
    left = TRIES
    while left:
        need(copied.parent, database.stat().st_size)
        for file in (copied, wal(copied)):
            file.unlink(missing_ok=True)
        with held(database) as position:
            if position is None and (locked := _locked(database)):
                if time.monotonic() > started_until:
                    raise StoreError(locked)
                whole = False
            else:
                left -= 1
                made_at = dt.datetime.now(dt.UTC)
                whole = _copy_unchanged(database, copied, progress, with_wal=position is None)
        if whole:
            _complete(copied, position if position is not None else _add_log(database, copied))
            return made_at
        time.sleep(RETRY_SECONDS)
    raise StoreError(f"{database} was written to during each of {TRIES} attempts to copy it; try again later")


def _locked(database: Path) -> str:
    """Returns why a service that does not listen cannot be asked; "" if no service runs."""
    if log_path(database).exists():
        try:
            os.close(lock(log_path(database)))
        except LogError as error:
            return (
                f"{error}, but it does not listen on {socket_path(database)}: it is starting or stopping, is of an "
                "earlier release, or logged at its start why it cannot listen"
            )
    return ""


def _copy_unchanged(database: Path, copied: Path, progress: Progress, *, with_wal: bool) -> bool:
    """Copies the database, and with `with_wal` DuckDB's write-ahead log, which a killed service leaves. Returns False
    if one was written to meanwhile: nothing keeps a service from starting."""
    before = _state(database, with_wal)
    files = [(database, copied), *([(wal(database), wal(copied))] if with_wal and wal(database).exists() else [])]
    with progress.step("copy", sum(source.stat().st_size for source, _ in files)) as step:
        for source, target in files:
            copy(source, target, step)
    return _state(database, with_wal) == before


def _state(database: Path, with_wal: bool) -> tuple[bytes, int, int]:
    """Returns the header of the database, and size and time of its write-ahead log."""
    with database.open("rb") as file:
        header = file.read(HEADER_BYTES)
    try:
        found = wal(database).stat() if with_wal else None
    except FileNotFoundError:
        found = None
    return header, found.st_size if found else -1, found.st_mtime_ns if found else -1


def _add_log(database: Path, copied: Path) -> int:
    """Inserts into the copy of the database of a stopped service the errors that only its log has. Returns the log
    position of the copy. Raises `StoreError` if the log does not belong to the database, and `LogError`."""
    with duckdb.connect(str(copied), config=limits(copied)) as db:
        info = log_position(db)
    path = log_path(database)
    log = EmbeddedLog(path, readonly=True) if path.exists() and path.stat().st_size else None
    try:
        match(log, info)
        if log is None or (log.last <= info.position and not log.last_summary):
            return info.position
        _catch_up(copied, log)
        return max(log.last, info.position)
    finally:
        if log is not None:
            log.close()


def _catch_up(copied: Path, log: EmbeddedLog) -> None:
    """Inserts the errors that only the log has, which also upgrades a database of an earlier schema."""
    database = Database(copied)
    database.connect()
    try:
        Projection(database, log, Assignments(database)).catch_up(log.last)
    finally:
        database.disconnect()


def _complete(copied: Path, position: int) -> None:
    """Marks the copy as complete without a log, and leaves one file. Raises `StoreError` if it is not at `position`."""
    with duckdb.connect(str(copied), config=limits(copied)) as db:
        if (found := log_position(db).position) != position:
            raise StoreError(f"the copy ends at error {found} instead of {position}")
        db.execute(_WRITE["settings"])
        db.execute(_WRITE["mark_complete"])
        db.execute("CHECKPOINT")
    if wal(copied).exists():
        raise StoreError(f"{wal(copied)} was not emptied")
    flush(copied)


def _files(work: Path, progress: Progress) -> dict[str, File]:
    """Returns the files of the backup by name."""
    sizes = {name: (work / name).stat().st_size for name in (DATABASE, PARQUET) if (work / name).exists()}
    with progress.step("checksum", sum(sizes.values())) as step:
        return {name: File(size, digest(work / name, step)) for name, size in sizes.items()}
