"""The journal: what makes a commit durable before the database has it.

Two files beside the database, written in turns. A batch is one frame and is on disk when `append` returns. When the
database has taken a file's batches over, the file is cleared and becomes the next to write. Its blocks are kept and
written over, for a write that makes a file grow takes twice as long to reach the disk. So that what is left of earlier
turns is never taken for a batch, each turn has a random mark of its own, which the file begins with and every frame
repeats.
"""

import contextlib
import os
import secrets
import zlib
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Final

from exporter.store import StoreError

_MARK: Final = Struct("!8sI")  # the turn's mark and its checksum; at the beginning of the file
_FRAME: Final = Struct("!8sII")  # the turn's mark, the length of what follows and its checksum
MAX_KEPT: Final = 2**25  # bytes that a file keeps when it is cleared


class JournalFile:
    """One of the two files. What an earlier process left in it must be read (`frames`) before it is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mark = b""  # of this turn; none before the first
        self._end = 0  # where the next frame goes
        new = not path.exists()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if new:
            _sync_folder(path.parent)

    def frames(self) -> Iterator[bytes]:
        """Every whole batch. A last one that was cut off by a crash was never acknowledged, and is dropped; damage
        anywhere else raises `StoreError`."""
        content = self.path.read_bytes()
        if not any(content[: _MARK.size]):
            return  # made, and never cleared
        mark, checksum = _MARK.unpack_from(content.ljust(_MARK.size, b"\0"))
        if zlib.crc32(mark) != checksum:
            raise StoreError(f"{self.path} is damaged at byte 0; restore it from a backup")
        place = _MARK.size
        while (payload := _payload(content, place, mark)) is not None:
            yield payload
            place += _FRAME.size + len(payload)
        other = place
        while (other := content.find(mark, other + 1)) >= 0:
            if _payload(content, other, mark) is not None:
                raise StoreError(f"{self.path} is damaged at byte {place}; restore it from a backup")

    def append(self, payload: bytes) -> None:
        """Puts a batch on disk. Raises `StoreError`; then the batch is not in the file."""
        try:
            if not self._mark:
                self.clear()
            self._write(_FRAME.pack(self._mark, len(payload), zlib.crc32(payload)) + payload, self._end)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._end)
            raise StoreError(f"{self.path}: {error}") from error
        self._end += _FRAME.size + len(payload)

    def clear(self) -> None:
        """Begins a new turn. Raises `OSError`; then the next `append` tries it again."""
        self._mark = b""
        mark = secrets.token_bytes(8)
        self._write(_MARK.pack(mark, zlib.crc32(mark)), 0)
        if os.fstat(self._file).st_size > MAX_KEPT:
            os.ftruncate(self._file, _MARK.size)
        self._mark, self._end = mark, _MARK.size

    def close(self, *, remove: bool = False) -> None:
        os.close(self._file)
        if remove:
            self.path.unlink(missing_ok=True)

    def _write(self, content: bytes, place: int) -> None:
        written = 0
        while written < len(content):
            written += os.pwrite(self._file, content[written:], place + written)
        os.fdatasync(self._file)


def _payload(content: bytes, place: int, mark: bytes) -> bytes | None:
    """What the frame at `place` holds; None where there is no whole one of this turn."""
    if place + _FRAME.size > len(content):
        return None
    found, length, checksum = _FRAME.unpack_from(content, place)
    payload = content[place + _FRAME.size : place + _FRAME.size + length]
    whole = found == mark and 0 < length == len(payload) and zlib.crc32(payload) == checksum
    return payload if whole else None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
