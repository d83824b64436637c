"""`error-visualization restore`: puts the database of a backup where a service will start on it.

Files that are there are renamed to `<name>.aside-<time>`. Meanwhile a file that is no log has the name of the log, so
that no service starts on files that do not belong together, not even after a crash in between.
"""

import os
import time
from pathlib import Path
from typing import Final

from exporter.local import manifest
from exporter.local.copying import copy, digest, give, need
from exporter.local.manifest import DATABASE, Manifest
from exporter.local.progress import Progress
from exporter.log.files import flush, lock, log_path
from exporter.store import StoreError
from exporter.store.database import wal
from exporter.store.sql import migrations

BLOCKED: Final = b"A restore has not ended: run `error-visualization restore --force` again.\n"


def restore(folder: Path, database: Path, progress: Progress, *, force: bool = False) -> tuple[Manifest, list[Path]]:
    """Puts the database of the backup in `folder` at `database`, and returns the manifest and the new names of files
    that were there. Raises `StoreError`, `LogError` and OSError; then the files that were there still are."""
    wanted = manifest.read(folder)
    if wanted.schema_version > len(migrations()):
        raise StoreError(
            f"{folder} has schema version {wanted.schema_version}, this release knows up to {len(migrations())}: use a "
            "newer release"
        )
    present = _present(database)
    if present and not force:
        raise StoreError(f"{present[0]} exists: use --force to put it aside, or give another --db-path")
    database.parent.mkdir(parents=True, exist_ok=True)
    like = database if database.exists() else database.parent
    held = lock(log_path(database))  # raises LogError while a service runs
    try:
        new = database.with_name(database.name + ".restoring")
        _copy_checked(folder, new, wanted, progress)
        give(new, like)
        give(log_path(database), like)
        if not present:
            new.rename(database)
            flush(database.parent)
            return wanted, []
        return wanted, _exchange(database, new, like)
    finally:
        os.close(held)


def _present(database: Path) -> list[Path]:
    """Returns the files of a service that are at `database`."""
    files = [database, wal(database), *sorted(database.parent.glob(f"{database.name}.journal.*"))]
    log = log_path(database)
    if log.exists() and log.stat().st_size:
        files.append(log)
    return [file for file in files if file.exists()]


def _copy_checked(folder: Path, new: Path, wanted: Manifest, progress: Progress) -> None:
    """Copies the database of a backup to `new`. Raises `StoreError` if it is not what the manifest says."""
    file = wanted.files[DATABASE]
    need(new.parent, file.bytes)
    new.unlink(missing_ok=True)
    try:
        with progress.step("copy", file.bytes) as step:
            copy(folder / DATABASE, new, step)
        with progress.step("checksum", file.bytes) as step:
            found = digest(new, step)
        if found != file.sha256:
            raise StoreError(f"{folder / DATABASE} is damaged: its SHA-256 is {found}, the manifest says {file.sha256}")
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _exchange(database: Path, new: Path, like: Path) -> list[Path]:
    """Puts the files of the earlier database aside and `new` in its place. Returns the new names of these files."""
    log = log_path(database)
    suffix = _unused_suffix(database)
    present = _present(database)
    blocked = log.with_name(log.name + ".restoring")
    blocked.write_bytes(BLOCKED)
    give(blocked, like)
    flush(blocked)
    held = lock(blocked)  # stays when the file is renamed
    try:
        if log in present:
            os.link(log, log.with_name(log.name + suffix))
        blocked.replace(log)
        flush(database.parent)
        for file in present:
            if file != log:
                file.rename(file.with_name(file.name + suffix))
        new.rename(database)
        log.with_name(log.name + "-lock").unlink(missing_ok=True)
        flush(database.parent)
        os.truncate(log, 0)  # the service makes a new log of an empty file
        flush(log)
    finally:
        os.close(held)
    return [file.with_name(file.name + suffix) for file in present]


def _unused_suffix(database: Path) -> str:
    suffix = time.strftime(".aside-%Y%m%dT%H%M%S")
    while any(database.parent.glob(f"{database.name}*{suffix}")):
        suffix += "x"
    return suffix
