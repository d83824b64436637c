"""Copies files in small parts, each flushed before the next: the flush of an append to the log may have to wait until
everything that was written before it is on disk."""

import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import Final

from exporter.local.progress import Step
from exporter.store import StoreError

CHUNK_BYTES: Final = 2**20
FLUSH_BYTES: Final = 2**22


def copy(source: Path, target: Path, step: Step) -> None:
    """Copies a file; the copy is on disk when it returns. Raises OSError."""
    with source.open("rb", buffering=0) as from_, target.open("xb", buffering=0) as to:
        flushed = done = 0
        while chunk := from_.read(CHUNK_BYTES):
            to.write(chunk)
            done += len(chunk)
            step.add(len(chunk))
            if done - flushed >= FLUSH_BYTES:
                began = time.monotonic()
                _flush(to.fileno(), flushed, done)
                flushed = done
                time.sleep(time.monotonic() - began)  # the disk is for others half of the time
        _flush(to.fileno(), flushed, done)
        os.fsync(to.fileno())


def digest(file: Path, step: Step) -> str:
    """Returns the SHA-256 of a file as hex digits. Raises OSError."""
    sha = hashlib.sha256()
    with file.open("rb", buffering=0) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            sha.update(chunk)
            step.add(len(chunk))
    return sha.hexdigest()


def need(folder: Path, size: int) -> None:
    """Raises `StoreError` if the disk of `folder` has less than `size` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise StoreError(f"the disk of {folder} is too full: {free} bytes are free, {size} are needed")


def give(file: Path, like: Path) -> None:
    """Gives a file that root has made to the owner of `like`, so that the service can open it. Raises OSError."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(file, owner.st_uid, owner.st_gid)


def literal(path: Path) -> str:
    """Returns a path as a literal of SQL."""
    return "'" + str(path).replace("'", "''") + "'"


def _flush(descriptor: int, start: int, end: int) -> None:
    os.fdatasync(descriptor)
    if hasattr(os, "posix_fadvise"):  # the copy is not read again soon: leave the memory to what is
        os.posix_fadvise(descriptor, start, end - start, os.POSIX_FADV_DONTNEED)
