"""Remembers, over restarts and crashes, up to where the kernel's log was reported."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import NamedTuple


class Cursor(NamedTuple):
    """`source` names the kind of log, `boot` the start of the kernel, `place` the last line that needs no more work."""

    source: str
    boot: str
    place: str


class CursorFile:
    """The file is replaced as a whole, so that a crash leaves the old or the new cursor."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Cursor | None:
        """Returns the cursor; None if there is none, or none that can be read."""
        try:
            found = json.loads(self.path.read_text("utf-8"))
            return Cursor(str(found["source"]), str(found["boot"]), str(found["place"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, cursor: Cursor) -> None:
        """Returns once the cursor is on disk. Raises OSError."""
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(cursor._asdict(), file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
