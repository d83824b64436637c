"""Files that are replaced as a whole: another process reads the old content or the new one, also after a crash."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LOCK_SECONDS: Final = 10.0  # to wait for another process that changes the same file
_PRIVATE: Final = 0o600


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps other processes from changing `path` meanwhile, by a lock on `PATH.lock`. Raises OSError; TimeoutError
    after `LOCK_SECONDS`."""
    descriptor = os.open(_beside(path, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE)
    try:
        _own_like(path, descriptor)
        deadline = time.monotonic() + LOCK_SECONDS
        while not _lock(descriptor):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} is being changed by another process; try again")
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes) -> None:
    """Writes a file of mode 0600 and flushes it to disk before it gets its name. Only one process at a time may do
    this. Raises OSError."""
    new = _beside(path, ".new")
    new.unlink(missing_ok=True)  # of a process that was killed
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        _own_like(path, descriptor)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _own_like(path: Path, descriptor: int) -> None:
    """Gives a file that root makes to the owner of `path` or, if it is new, of its folder: the service does not run as
    root, and has to read it."""
    if os.geteuid() == 0:
        like = (path if path.exists() else path.parent).stat()
        os.fchown(descriptor, like.st_uid, like.st_gid)
