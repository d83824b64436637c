"""Keeps what only DuckDB's write-ahead log has when that file is deleted or cut while the database is open.

DuckDB goes on writing to the open file, which the next start does not find. A checkpoint writes everything into the
main file and begins a new write-ahead log.
"""

import contextlib
import logging
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from exporter.store.database import Database, wal

DELETED: Final = " (deleted)"  # the kernel's mark behind the name of an open file
_DESCRIPTORS: Final = Path("/proc/self/fd")
_log = logging.getLogger(__name__)


class _Seen(NamedTuple):
    """The file's identity and size, and when the main file was written last, in nanoseconds."""

    inode: int
    size: int
    written: int


_NOTHING: Final = _Seen(0, 0, 0)


class WriteAhead:
    """Watches the write-ahead log of `database`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._path = wal(database.path)
        self._seen = _NOTHING

    def lost(self) -> bool:
        """Returns whether what the write-ahead log held is not in the file of its name. A checkpoint, which writes the
        main file, begins a smaller one, perhaps with the same inode. Any thread may call it."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return self._is_open_and_deleted()
        cut = found.st_ino == self._seen.inode and found.st_size < self._seen.size
        return cut and self._written() == self._seen.written

    def keep(self) -> None:
        """Writes everything into the main file if the write-ahead log is lost. The caller must hold
        `database.writing`. Raises `StoreError`."""
        if self.lost() and not self._database.hold_wanted:
            try:
                self._database.db.execute("CHECKPOINT")
            except duckdb.TransactionException:  # a read that began before the last insertion; it is tried again
                return
            except duckdb.Error as error:
                raise self._database.failed(error) from error
            _log.error("%s was deleted or cut; what it held is in the main file now", self._path)
        try:
            found = self._path.stat()
            self._seen = _Seen(found.st_ino, found.st_size, self._written())
        except FileNotFoundError:
            self._seen = _NOTHING

    def _written(self) -> int:
        return self._database.path.stat().st_mtime_ns

    def _is_open_and_deleted(self) -> bool:
        deleted = f"{self._path}{DELETED}"
        with contextlib.suppress(FileNotFoundError):  # there is no /proc
            return any(_leads_to(one) == deleted for one in _DESCRIPTORS.iterdir())
        return False


def _leads_to(descriptor: Path) -> str:
    with contextlib.suppress(OSError):  # closed meanwhile, as that of the folder itself
        return str(descriptor.readlink())
    return ""
