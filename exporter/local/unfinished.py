"""The folder in which a backup is made. It gets the backup's name when everything in it is on disk; until then its name
ends in `.unfinished-backup`. A killed command leaves it, and the next backup beside it removes it."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from exporter.log.files import flush
from exporter.store import StoreError

SUFFIX: Final = ".unfinished-backup"


def refuse(folder: Path) -> None:
    """Raises `StoreError` if `folder` cannot become a backup."""
    if not folder.parent.is_dir():
        raise StoreError(f"the folder {folder.parent} does not exist")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise StoreError(f"{folder} is no folder")
    if folder.is_mount():
        raise StoreError(f"{folder} is a mount point, which cannot be replaced: give a folder inside it")
    if folder.exists() and any(folder.iterdir()):
        raise StoreError(f"{folder} is not empty: give a new folder for each backup")


@contextlib.contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """Yields an empty folder beside `folder`, and renames it to `folder` when `with` ends without an error. Raises
    `StoreError` and OSError."""
    refuse(folder)
    for left in folder.parent.glob(f"*{SUFFIX}"):
        _remove_left(left)
    work = folder.with_name(folder.name + SUFFIX)
    try:
        work.mkdir(mode=0o700)
        descriptor = os.open(work, os.O_RDONLY | os.O_DIRECTORY)
    except (FileExistsError, FileNotFoundError):  # made or removed by another command
        raise StoreError(f"another backup to {folder} is running") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield work
        flush(work)
        refuse(folder)
        work.rename(folder)  # replaces an empty folder
        flush(folder.parent)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    finally:
        os.close(descriptor)


def _remove_left(folder: Path) -> None:
    """Removes what a killed command left. A running one has a lock on its folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
        finally:
            os.close(descriptor)
