"""The journal: what makes a commit durable before the database has it.

Two files beside the database, written in turns. A batch is one frame (length, checksum, payload) and is on disk when
`append` returns. When the database has taken a file's batches over, the file is emptied and becomes the next to write.
"""

import contextlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Final

from exporter.store import StoreError

_HEADER: Final = Struct("!II")
MAX_FRAME: Final = 2**30


class JournalFile:
    """One of the two files. Opened it stands behind its last whole frame."""

    def __init__(self, path: Path) -> None:
        self.path = path
        new = not path.exists()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._end = 0
        if new:
            _sync_folder(path.parent)

    def frames(self) -> Iterator[bytes]:
        """Every whole batch. A last one that was cut off by a crash was never acknowledged, and is dropped; damage
        anywhere else raises `StoreError`."""
        content = self.path.read_bytes()
        place = 0
        while place + _HEADER.size <= len(content):
            length, checksum = _HEADER.unpack_from(content, place)
            end = place + _HEADER.size + length
            payload = content[place + _HEADER.size : end]
            if not length and not any(content[place:]):
                break  # what a file system leaves of a write that a power cut caught
            if not length or len(payload) < length or zlib.crc32(payload) != checksum:
                if end < len(content) or length > MAX_FRAME:
                    raise StoreError(f"{self.path} is damaged at byte {place}; restore it from a backup")
                break
            yield payload
            place = end
        self._end = place
        os.ftruncate(self._file, place)

    def append(self, payload: bytes) -> None:
        """Puts a batch on disk. Raises `StoreError`; then the batch is not in the file."""
        frame = _HEADER.pack(len(payload), zlib.crc32(payload)) + payload
        try:
            written = 0
            while written < len(frame):
                written += os.pwrite(self._file, frame[written:], self._end + written)
            os.fdatasync(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._end)
            raise StoreError(f"{self.path}: {error}") from error
        self._end += len(frame)

    def clear(self) -> None:
        """Forgets everything. Batches that a crash brings back are known by their ids."""
        os.ftruncate(self._file, 0)
        self._end = 0

    def close(self, *, remove: bool = False) -> None:
        os.close(self._file)
        if remove:
            self.path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
