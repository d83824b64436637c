"""Gives back the memory of a file that LMDB maps into this process.

LMDB reads through a mapping of the whole file. A page that was read stays mapped and counts as memory of the process
(RSS) until the kernel needs room, although a batch of the log is read only once. `madvise(MADV_DONTNEED)` unmaps such
pages; the data stays in the file and in the kernel's cache, and a page that is needed again is mapped again.
"""

import contextlib
import ctypes
import os
import threading
from pathlib import Path
from typing import Final

RELEASE_BYTES: Final = 2**23  # so much may be mapped between two releases
AROUND_BYTES: Final = 2**16  # what the kernel maps around a page that is touched
MADV_DONTNEED: Final = 4  # of Linux; for a shared mapping of a file it changes no data
_MAPS: Final = Path("/proc/self/maps")


class Mapped:
    """The mapping of `path`. To be made after the file was mapped, and closed before it is unmapped: afterwards, the
    addresses may belong to other memory, whose content would be lost. Any thread may call its methods."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._bytes = 0
        self._ranges: list[tuple[int, int]] = []
        with contextlib.suppress(OSError, AttributeError):  # not Linux
            self._madvise = ctypes.CDLL(None).madvise
            self._madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
            self._ranges = _ranges(os.fsdecode(_MAPS.read_bytes()), str(path.resolve()))

    def touched(self, size: int, places: int) -> None:
        """Counts bytes that were read or written in so many places of the file, and gives the pages back when they are
        many."""
        self._bytes += size + places * AROUND_BYTES
        if self._bytes < RELEASE_BYTES:
            return
        self._bytes = 0
        with self._lock:
            for start, length in self._ranges:
                self._madvise(start, length, MADV_DONTNEED)

    def close(self) -> None:
        with self._lock:
            self._ranges = []


def _ranges(maps: str, path: str) -> list[tuple[int, int]]:
    """Returns the start and the length of each mapping of the file `path` in the text of /proc/self/maps."""
    found = []
    for line in maps.splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5] == path:
            start, end = (int(one, 16) for one in fields[0].split("-"))
            found.append((start, end - start))
    return found
