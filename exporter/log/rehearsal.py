"""A start of the log in a process of its own, before the service starts: LMDB ends the process that reads a badly
damaged page, and a supervisor would start it again and again."""

import os
from pathlib import Path

import lmdb

from exporter.log import REPAIR, LogDamagedError, LogError
from exporter.log.embedded import EmbeddedLog


def rehearse(path: Path) -> None:
    """Raises `LogDamagedError` if LMDB ends the process that opens the log at `path`, reads where its batches are and
    writes to it. Keeps nothing of what it writes. To be called while this process has one thread."""
    if not path.exists() or path.stat().st_size == 0:
        return
    child = os.fork()
    if child == 0:
        try:
            EmbeddedLog(path).rehearse()
        except (LogError, lmdb.Error, OSError):
            pass  # the service itself reports it
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        raise LogDamagedError(f"{path}: a page is so damaged that LMDB ends the process that reads it: {REPAIR}")
