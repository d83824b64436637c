"""`error-visualization backup`: a copy of the database that is whole by itself, while the service runs or not.

    running service   it keeps its file unchanged (`hold.py`) ─► copy the file
    stopped service   copy the file and DuckDB's write-ahead log ─► insert what only the log has
    then              mark the copy complete ─► read every row and compare all sums ─► write the manifest ─► rename

The copy is made, completed and read by the process of the command, and the service writes nothing. If DuckDB writes
another header to the file during the copy, because the service stopped or was started again, the copy is thrown away
and made again.
"""

import datetime as dt
import os
import time
from pathlib import Path
from typing import Final

import duckdb

from exporter import __version__
from exporter.local import manifest
from exporter.local.copying import copy, digest, flush, need
from exporter.local.hold import held, socket_path
from exporter.local.manifest import DATABASE, File, Manifest
from exporter.local.parquet import write_parquet
from exporter.local.progress import Progress
from exporter.local.unfinished import unfinished
from exporter.log import LogError
from exporter.log.embedded import EmbeddedLog
from exporter.log.files import lock, log_path
from exporter.store import DatabaseInfo, StoreError
from exporter.store.assignments import Assignments
from exporter.store.database import Database, limits, number, read_only, wal
from exporter.store.offline import check_database, match, open_log
from exporter.store.projection import Projection
from exporter.store.sql import named
from exporter.store.state import log_position
from exporter.store.verify import check_sums

PARQUET: Final = "errors.parquet"
HEADER_BYTES: Final = 3 * 4096  # of a DuckDB file; each checkpoint writes one of the last two pages
TRIES: Final = 5
RETRY_SECONDS: Final = 1.0
_ERRORS: Final = "SELECT count(*) FROM errors"
_VERSION: Final = "SELECT max(version) FROM schema_version"
_WRITE: Final = named("write.sql")


def backup(database: Path, folder: Path, progress: Progress, *, parquet: bool = False) -> Manifest:
    """Makes a backup of the database at `database` in `folder`, which must not exist or be empty, and returns its
    manifest. Raises `StoreError`, `LogError`, OSError and duckdb.Error; then there is no `folder`."""
    if not database.exists():
        raise StoreError(f"{database} does not exist")
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
    for left in reversed(range(TRIES)):
        need(copied.parent, database.stat().st_size)
        for file in (copied, wal(copied)):
            file.unlink(missing_ok=True)
        try:
            with held(database) as position:
                made_at = dt.datetime.now(dt.UTC)
                if position is None:
                    _copy_stopped(database, copied, progress)
                    return made_at
                whole = _copy_unchanged(database, copied, progress)
            if whole:
                _complete(copied, position)
                return made_at
        except _RunsError as error:
            if not left:
                raise StoreError(str(error)) from error
        time.sleep(RETRY_SECONDS)
    raise StoreError(f"{database} was checkpointed during each of {TRIES} attempts to copy it; try again later")


def _copy_unchanged(database: Path, copied: Path, progress: Progress) -> bool:
    """Copies the file; returns False if a checkpoint wrote to it meanwhile."""
    before = _header(database)
    with progress.step("copy", database.stat().st_size) as step:
        copy(database, copied, step)
    return _header(database) == before


def _header(database: Path) -> bytes:
    with database.open("rb") as file:
        return file.read(HEADER_BYTES)


class _RunsError(Exception):
    """A service has the lock on the log, but does not listen on its socket."""


def _copy_stopped(database: Path, copied: Path, progress: Progress) -> None:
    """Copies the files of a stopped service and inserts into the copy what only the log has."""
    if any(database.parent.glob(f"{database.name}.journal.*")):
        raise StoreError(f"{database} has journal files of an earlier release: start and stop the service once")
    if log_path(database).exists():
        try:
            os.close(lock(log_path(database)))
        except LogError as error:
            raise _RunsError(
                f"{error}, but it does not listen on {socket_path(database)}: it is starting or stopping, is of an "
                "earlier release, or logged at its start why it cannot listen"
            ) from error
    log = open_log(database)
    try:
        files = [(one, of(copied)) for of in (Path, wal) if (one := of(database)).exists()]
        with progress.step("copy", sum(source.stat().st_size for source, _ in files)) as step:
            for source, target in files:
                copy(source, target, step)
        info = _info(copied)
        match(log, info)
        if log is not None and log.last > info.position:
            _catch_up(copied, log)
        _complete(copied, max(info.position, log.last) if log else info.position)
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


def _info(copied: Path) -> DatabaseInfo:
    with duckdb.connect(str(copied), config=limits(copied)) as db:
        return log_position(db)


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
