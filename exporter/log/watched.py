"""Whether the names of the open files still lead to them.

A file that is deleted or replaced stays open: what is written to it goes on into a file that no later start finds. So
the log looks at the names before it accepts a batch, and again before the batch is acknowledged. One look takes about
1 µs a file.
"""

import os
import threading
from pathlib import Path
from typing import NamedTuple


class Loss(NamedTuple):
    """What happened to a file; `reason` names it without its path, for senders."""

    path: Path
    reason: str


class Watched:
    """Files that are open. Any thread may call it."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[str, int, int]] = {}  # name, device and inode by path
        self._sizes: dict[str, int] = {}  # the largest seen, of files that never shrink
        self._lock = threading.Lock()

    def add(self, path: Path, name: str, *, grows: bool = False) -> None:
        """Watches a file that has just been opened; `name` says what it is. With `grows`, a smaller size is a loss,
        too. Raises OSError."""
        found = path.stat()
        self._files[str(path)] = name, found.st_dev, found.st_ino
        if grows:
            self._sizes[str(path)] = found.st_size

    def lost(self) -> Loss | None:
        """Returns what happened to the first file that is not as it was; None if all are."""
        for path in self._files:
            if loss := self.lost_file(path):
                return loss
        return None

    def lost_file(self, path: str) -> Loss | None:
        """As `lost`, for one file."""
        name, device, inode = self._files[path]
        known = self._sizes.get(path, 0)  # before the look: another thread may see a larger file meanwhile
        try:
            found = os.stat(path)  # noqa: PTH116  a Path takes twice the time
        except OSError:
            return Loss(Path(path), f"{name} was deleted or moved")
        if found.st_ino != inode or found.st_dev != device:
            return Loss(Path(path), f"{name} was replaced by another file")
        if found.st_size < known:
            return Loss(Path(path), f"{name} was cut")
        if path in self._sizes and found.st_size > known:
            with self._lock:
                self._sizes[path] = max(self._sizes[path], found.st_size)
        return None
