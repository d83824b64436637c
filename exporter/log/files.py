"""The log's file and its folder, as far as LMDB leaves them to us."""

import fcntl
import os
from pathlib import Path

from exporter.log import LogError


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
