"""One file of the spool. Whoever holds its lock (`flock`) may write and deliver it; the lock ends with the process."""

from __future__ import annotations

import contextlib
import os
import time

from error_visualization.frames import HEADER, MAX_RECORD, Record, frame, header, position_of, records
from error_visualization.place import flush_folder

try:
    import fcntl
except ImportError:  # Windows: reports stay in memory
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".spool"
_flush = getattr(os, "fdatasync", os.fsync)


class Segment:
    """A locked file. Methods raise OSError. Only one thread at a time may use it; `drop` is for a forked child."""

    def __init__(self, path: str, descriptor: int, position: int, size: int) -> None:
        self.path = path
        self.position = position  # of the first record that is not delivered
        self.size = size
        self._descriptor = descriptor

    @classmethod
    def make(cls, folder: str) -> Segment:
        """Returns a new file in `folder`. It gets its name when it is locked, so that no other process adopts it."""
        if fcntl is None:
            raise OSError("this system has no flock")
        name = f"{time.time_ns():020d}-{os.getpid()}-{os.urandom(4).hex()}"
        path, hidden = os.path.join(folder, name + SUFFIX), os.path.join(folder, name + ".new")
        descriptor = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(descriptor, header(HEADER), 0)
            os.rename(hidden, path)
            flush_folder(folder)
        except BaseException:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                os.unlink(hidden)
            raise
        return cls(path, descriptor, HEADER, HEADER)

    @classmethod
    def adopt(cls, path: str) -> Segment | None:
        """Returns the file at `path` if its process has died; None if another process has it, or it is gone. A file
        that is none of the spool counts as one without records."""
        if fcntl is None:
            return None
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.fstat(descriptor)
            if found.st_nlink:
                try:
                    position = position_of(os.pread(descriptor, HEADER, 0))
                except ValueError:
                    position = found.st_size
                return cls(path, descriptor, position, found.st_size)
        except OSError:
            pass
        os.close(descriptor)
        return None

    def append(self, added: list[Record]) -> None:
        """Writes records and returns when they are on disk. After an OSError the file is as it was before."""
        content = b"".join(map(frame, added))
        try:
            _write(self._descriptor, content, self.size)
            _flush(self._descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(content)

    def read(self, most: int) -> list[Record]:
        """Returns the next records, about `most` bytes of them, at least one; [] at the end, or before damage."""
        if self.position >= self.size:
            return []
        wanted = min(most, self.size - self.position)
        found = list(records(os.pread(self._descriptor, wanted, self.position), self.position))
        if not found and wanted < self.size - self.position:
            wanted = min(MAX_RECORD + 8, self.size - self.position)
            found = list(records(os.pread(self._descriptor, wanted, self.position), self.position))[:1]
        return found

    def delivered(self, position: int) -> None:
        """Notes that all before `position` is delivered. A file without anything else becomes empty."""
        self.position = position
        if position >= self.size:
            os.ftruncate(self._descriptor, HEADER)
            self.position = self.size = HEADER
        _write(self._descriptor, header(self.position), 0)

    @property
    def waiting(self) -> int:
        """Bytes that are not delivered."""
        return max(self.size - self.position, 0)

    def remove(self) -> None:
        """Deletes the file and releases its lock."""
        with contextlib.suppress(OSError):
            os.unlink(self.path)
        self.drop()

    def drop(self) -> None:
        """Closes the file. The lock ends when no forked process has it open any more."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _write(descriptor: int, content: bytes, offset: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
