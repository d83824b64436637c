"""The log's file and its folder, as far as LMDB leaves them to us."""

import errno
import fcntl
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from exporter.log import LogError

NO_ROOM: Final = ("No space left on device", "Disk quota exceeded")
NEARLY_NONE: Final = 2**16  # bytes; LMDB reports a write of which only a part found room as an input/output error


def database_path(given: str | Path) -> Path:
    """Returns the path of the database without symbolic links, so that each path to it leads to the same log. Raises
    `LogError`."""
    try:
        return Path(given).resolve()
    except (RuntimeError, OSError):
        raise LogError(f"{given} cannot be followed: its symbolic links lead in a circle") from None


def refuse_other_names(file: Path) -> None:
    """Raises `LogError` if a file has a second name: a service that is started by that name would use another log with
    the same database."""
    names = file.stat().st_nlink if file.is_file() else 1
    if names > 1:
        raise LogError(
            f"{file} has {names} names (hard links), and only one of them has the other files beside it: delete the "
            "others, or copy the file and give the copy its name"
        )


def has_no_room(folder: Path, error: Exception) -> bool:
    """Returns whether a write to `folder` failed because the disk is full, or a quota is used up."""
    if (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or any(
        words in str(error) for words in NO_ROOM
    ):
        return True
    return os.strerror(errno.EIO) in str(error) and free_bytes(folder) < NEARLY_NONE


def free_bytes(folder: Path) -> int:
    """Returns the free bytes of the disk. It is a very large number if the folder is gone: that is no lack of room."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return sys.maxsize


def log_path(database: Path) -> Path:
    """Returns the path of the log that belongs to the database at `database`."""
    return database.with_name(database.name + ".log")


def lock(path: Path) -> int:
    """Locks the file for one service, and returns the descriptor that holds the lock. Raises `LogError`."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LogError(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise LogError(f"another service is running on this database ({path} is locked)") from error
    return descriptor


def flush(path: Path) -> None:
    """Makes the content of a file durable, or the names in a folder. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
