"""The embedded log: one LMDB file, `<database>.log`, with its lock file `<database>.log-lock`.

    events   key: last position of a batch, 8 bytes, big-endian
             value: first position (8 bytes, big-endian), CRC-32 of the payload (4 bytes, big-endian), payload
    summaries   summaries of runs: summaries.py draws them
    meta     format      "1"
             identity    32 hex digits
             base        position after which an empty log continues, decimal
             state:NAME  what the reader NAME needs to go on after a restart, in a format of its own
             probe       time of the last probe, decimal seconds

LMDB is copy-on-write: a commit writes new pages, flushes them (fdatasync), then writes the meta page through a
descriptor opened with O_DSYNC. If that last write is torn, the previous commit stays valid. Deleted pages are used
again, so trimming keeps the file small; the file itself never shrinks. The process that serves HTTP writes; the store's
process opens the same file read-only and never takes LMDB's writer lock, so it cannot block an append, even while it
hangs.
"""

import contextlib
import os
import secrets
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import lmdb

from exporter.log import Entry, LogDamagedError, LogError, LogFullError, Record
from exporter.log.files import flush, has_no_room, lock
from exporter.log.mapped import Mapped
from exporter.log.summaries import Summaries
from exporter.log.watched import Watched

FORMAT: Final = b"1"
SPARE_BYTES: Final = 2**30  # address space beyond `max_bytes`, for pages that a slow reader still pins
TRIM_BATCHES: Final = 64  # deleted by one append at most, so that no append has to delete a long backlog
KEEP_BYTES: Final = 2**26  # of events that the database has and that are kept only for readers that resume
PAGE_BYTES: Final = 4096  # added to the size of each append: an upper estimate of the unused part of its last page
ROOM_BYTES: Final = 2**16  # room that a probe requires: an ordinary report and its pages
LOCK_BYTES: Final = 4096  # of LMDB's lock file: its header, and 64 bytes for each reader
DISK_FULL: Final = "the disk is full"
_KEY: Final = struct.Struct(">Q")
_HEAD: Final = struct.Struct(">QI")


class EmbeddedLog:
    """A `Log` in an LMDB file. With `readonly`, it only reads what another process writes."""

    def __init__(
        self, path: Path, *, max_bytes: int = 2**30, keep_events: int = 20_000, readonly: bool = False
    ) -> None:
        """Opens the file, or makes it with mode 0600. A new log has no identity until `initialise` gives it one. Raises
        `LogError`."""
        self.path = path
        self.refusal = ""  # why nothing may be appended now, as long as it is set
        self.watched = Watched()  # this file and its lock file; others may be added
        self._max_bytes = max_bytes
        self._keep_events = keep_events
        self._released = 0  # the newest position that `trim` has released; not all events up to it are deleted yet
        self._forgotten = 0  # up to this position, events are not kept for readers that resume
        self._trim_due = False
        self._unsaved: dict[str, bytes] = {}  # reader → its state
        self._writing = threading.Lock()  # an append and a probe may come from two threads
        self._lost = ""  # a batch was written to a file that was deleted or replaced at that moment
        self._lock = -1
        try:
            if not readonly:
                self._lock = lock(path)
                _allocate(_lock_file(path))
            self._open(readonly)
        except (lmdb.Error, OSError) as error:
            self._unlock()
            if isinstance(error, OSError) or has_no_room(path.parent, error):
                raise self._failure(error) from error
            raise LogDamagedError(f"{path} cannot be opened as a log: {error}") from error
        except BaseException:
            self._unlock()
            raise

    def _open(self, readonly: bool) -> None:
        self._env = lmdb.open(
            str(self.path), subdir=False, map_size=self._max_bytes + SPARE_BYTES, mode=0o600, max_dbs=3, max_readers=32,
            readonly=readonly, create=not readonly,
        )  # fmt: skip
        try:
            self.watched.add(self.path, "the log", grows=True)
            self.watched.add(_lock_file(self.path), "the lock file of the log")
            # A page beyond the end of a truncated file would end this process by SIGBUS when it is read.
            pages = self._env.info()["last_pgno"] + 1
            if self.path.stat().st_size < pages * self._env.stat()["psize"]:
                raise LogDamagedError(f"{self.path} was cut: {pages} pages are expected")
            self._env.reader_check()  # slots of processes that died would pin old pages
            self._meta_db = self._env.open_db(b"meta", create=not readonly)
            self._events_db = self._env.open_db(b"events", create=not readonly)
            self._summaries = Summaries(self._env, self._summaries_db(readonly))
            version = self._meta(b"format")
            if version != FORMAT and (version or readonly):
                raise LogDamagedError(f"{self.path} has format {version.decode() or 'none'!r}; this release reads 1")
            if not version:
                with self._env.begin(write=True) as txn:
                    txn.put(b"format", FORMAT, db=self._meta_db)
                flush(self.path.parent)
            self._identity = self._meta(b"identity").decode()
            self._base = int(self._meta(b"base") or 0)
            self._last = self._read_last()
            self._used = self.bytes_used()  # upper estimate: appends add to it, `_trim` measures it again
            self._mapped = Mapped(self.path)
        except BaseException:
            self._env.close()
            raise

    def _summaries_db(self, readonly: bool) -> Any:
        """Returns the LMDB database of the summaries; None for a file of an earlier release that is only read."""
        try:
            return self._env.open_db(b"summaries", create=not readonly)
        except lmdb.NotFoundError:
            return None

    def initialise(self, identity: str, base: int) -> None:
        """Gives an empty log its identity, and `base` as the position before its first event. Raises `LogError`."""
        if self.first <= self.last:
            raise LogError(f"{self.path} holds events and cannot be initialised")
        try:
            with self._writing, self._env.begin(write=True) as txn:
                txn.put(b"identity", identity.encode(), db=self._meta_db)
                txn.put(b"base", str(base).encode(), db=self._meta_db)
                self._summaries.clear(txn)
        except (lmdb.Error, OSError) as error:
            raise self._failure(error) from error
        self._identity, self._base, self._last = identity, base, base

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def base(self) -> int:
        return self._base

    @property
    def last(self) -> int:
        return self._last

    @property
    def first(self) -> int:
        with self._cursor() as cursor:
            return _HEAD.unpack_from(cursor.value())[0] if cursor.first() else self._last + 1

    def refresh(self) -> int:
        """Reads `last` from the file again, since another process appends to it, and returns it."""
        self._last = self._read_last()
        return self._last

    def bytes_used(self) -> int:
        """Returns the bytes of the pages that hold events."""
        with self._reading() as txn:
            return self._bytes(txn)

    def append(self, payload: bytes, count: int) -> int:
        self._check()
        first = self._last + 1
        last = self._last + count
        if self._used + len(payload) > self._max_bytes:
            self._make_room(len(payload))
        try:
            # As few calls as possible: each has to wait for the interpreter lock again.
            with self._writing, self._env.begin(write=True) as txn:
                head = _HEAD.pack(first, zlib.crc32(payload))
                txn.put(_KEY.pack(last), head + payload, append=True, db=self._events_db)
                if self._trim_due:
                    self._trim(txn)
                if self._unsaved:
                    self._write_states(txn)
        except lmdb.MapFullError as error:
            raise LogFullError(f"{self.path}: {error}") from error
        except (lmdb.Error, OSError) as error:
            raise self._failure(error) from error
        if loss := self.watched.lost():
            # The batch is in a file that may come back, but nobody will be told: to append after it would give its
            # positions to other events, or hide it from the readers.
            self._lost = f"{loss.reason} during a write; the service has to be started again"
            raise LogError(self._lost)
        self._last = last
        self._used += len(payload) + PAGE_BYTES
        self._mapped.touched(2 * len(payload), 2)  # the trimmed pages are read, too
        return first

    def append_summary(self, payload: bytes) -> int:
        self._check()
        try:
            with self._writing:
                with self._env.begin(write=True) as txn:
                    number = self._summaries.add(txn, payload)
                self._summaries.added(number, payload)
        except lmdb.MapFullError as error:
            raise LogFullError(f"{self.path}: {error}") from error
        except (lmdb.Error, OSError) as error:
            raise self._failure(error) from error
        if loss := self.watched.lost():
            raise LogError(f"{loss.reason} during a write")
        self._mapped.touched(2 * len(payload), 2)
        return number

    @property
    def last_summary(self) -> int:
        try:
            return self._summaries.last()
        except lmdb.Error as error:
            raise LogDamagedError(f"{self.path}: {error}") from error

    def summaries(self, after: int, max_bytes: int) -> list[Entry]:
        try:
            found = self._summaries.after(after, max_bytes)
        except lmdb.Error as error:
            raise LogDamagedError(f"{self.path}: {error}") from error
        self._mapped.touched(sum(len(one.payload or b"") for one in found), len(found))
        return found

    def release_summaries(self, number: int) -> None:
        self._summaries.released = max(self._summaries.released, number)

    def read(self, position: int, max_bytes: int) -> list[Record]:
        records: list[Record] = []
        size = 0
        with self._cursor() as cursor:
            more = cursor.set_range(_KEY.pack(position))
            while more and (size < max_bytes or not records):
                record = _record(cursor.key(), cursor.value(), self.path)
                if records and record.first != records[-1].last + 1:
                    raise LogDamagedError(
                        f"{self.path}: positions {records[-1].last + 1} to {record.first - 1} are missing"
                    )
                records.append(record)
                size += len(record.payload)
                more = cursor.next()
        self._mapped.touched(size, len(records))
        if records and records[0].first > position:
            raise LogError(f"{self.path} begins at position {records[0].first}; position {position} was trimmed")
        return records

    def scan(self, position: int = 0) -> Iterator[tuple[Record | None, str]]:
        """Yields `(record, "")` for each batch from the one with `position`, `(None, problem)` for a damaged one. For a
        log that nobody writes."""
        try:
            with self._cursor() as cursor:
                if not cursor.set_range(_KEY.pack(position)):
                    return
                for key, value in cursor:
                    try:
                        yield _record(key, value, self.path), ""
                    except LogDamagedError as error:
                        yield None, str(error)
        except LogDamagedError as error:
            yield None, str(error)

    def ends(self) -> Iterator[int]:
        """Yields the position of the last event of each batch, the newest first. Raises `LogDamagedError`."""
        with self._cursor() as cursor:
            for key in cursor.iterprev(values=False):
                yield _KEY.unpack(key)[0]

    def rehearse(self) -> None:
        """Reads every page that leads to a batch, and writes without keeping it: a damaged page ends the process."""
        with self._cursor() as cursor:
            for _ in cursor.iternext(values=False):
                pass
        with self._writing:
            txn = self._env.begin(write=True)
            try:
                txn.put(_KEY.pack(self._last + 1), bytes(ROOM_BYTES), append=True, db=self._events_db)
            finally:
                txn.abort()

    def trim(self, position: int) -> None:
        self._released = max(self._released, position)
        self._trim_due = True

    def forget(self, position: int) -> bool:
        """Deletes events up to a position that `trim` has released, also those kept for readers that resume, in one
        transaction. Returns whether there are more. Those that are not released yet are deleted after they are. Raises
        `LogError`."""
        self._forgotten = max(self._forgotten, position)
        try:
            with self._writing, self._env.begin(write=True) as txn:
                return self._trim(txn)
        except (lmdb.Error, OSError) as error:
            raise self._failure(error) from error

    def state(self, reader: str) -> bytes:
        if reader in self._unsaved:
            return self._unsaved[reader]
        return self._meta(b"state:" + reader.encode())

    def save_state(self, reader: str, state: bytes) -> None:
        self._unsaved[reader] = state

    def refused(self) -> str:
        """Returns why an append would be refused now, "" if it would not."""
        loss = self.watched.lost()
        return self._lost or (loss.reason if loss else "") or self.refusal

    def _check(self) -> None:
        """Raises `LogError` if nothing may be appended now."""
        if reason := self.refused():
            raise LogError(reason)

    def _failure(self, error: Exception) -> LogError:
        """Returns the error for a write that failed."""
        return LogError(DISK_FULL if has_no_room(self.path.parent, error) else f"{self.path}: {error}")

    def probe(self) -> None:
        self._check()
        if self._used + ROOM_BYTES > self._max_bytes:
            self._make_room(ROOM_BYTES)
        try:
            with self._writing, self._env.begin(write=True) as txn:
                txn.put(b"probe", str(time.time()).encode(), db=self._meta_db)
                self._write_states(txn)
        except (lmdb.Error, OSError) as error:
            raise self._failure(error) from error

    def close(self) -> None:
        if self._unsaved:
            with contextlib.suppress(lmdb.Error), self._writing, self._env.begin(write=True) as txn:
                self._write_states(txn)
        self._mapped.close()
        self._env.close()
        self._unlock()

    def _make_room(self, size: int) -> None:
        """Deletes what may be deleted until there is room for `size` bytes. Raises `LogFullError` if there is not."""
        more = True
        try:
            while more and self._used + size > self._max_bytes:
                with self._writing, self._env.begin(write=True) as txn:
                    more = self._trim(txn)
        except (lmdb.Error, OSError) as error:
            raise self._failure(error) from error
        if self._used + size > self._max_bytes:
            raise LogFullError(f"the log holds {self._max_bytes} bytes of events that the database does not have yet")

    def _trim(self, txn: lmdb.Transaction) -> bool:
        """Deletes the oldest batches that `trim` has released, except those kept for readers that resume. Deletes at
        most `TRIM_BATCHES`; returns whether there may be more to delete."""
        self._used = self._bytes(txn)
        keep = min(KEEP_BYTES, self._max_bytes // 2)
        kept_from = max(self._last - self._keep_events, self._forgotten)
        more = deleted = False
        with txn.cursor(self._events_db) as cursor:
            for _ in range(TRIM_BATCHES):
                more = cursor.first()
                last = _KEY.unpack(cursor.key())[0] if more else 0
                more = more and last <= self._released and (last <= kept_from or self._used > keep)
                if not more:
                    break
                self._used -= len(cursor.value())
                cursor.delete()
                deleted = True
            if deleted and not cursor.first():  # an empty log has no last key: the next start reads `base`
                txn.put(b"base", str(self._last).encode(), db=self._meta_db)
                self._base = self._last
        self._trim_due = more
        return more

    def _write_states(self, txn: lmdb.Transaction) -> None:
        for reader, state in list(self._unsaved.items()):
            txn.put(b"state:" + reader.encode(), state, db=self._meta_db)
            if self._unsaved[reader] is state:
                del self._unsaved[reader]

    @contextlib.contextmanager
    def _reading(self) -> Iterator[lmdb.Transaction]:
        """A transaction that only reads. Raises `LogDamagedError` for what LMDB cannot read."""
        if (loss := self.watched.lost_file(str(self.path))) and loss.reason.endswith("cut"):
            raise LogDamagedError(f"{self.path} was cut")  # reading beyond its end would end this process by SIGBUS
        try:
            with self._env.begin(buffers=True) as txn:
                yield txn
        except lmdb.Error as error:
            raise LogDamagedError(f"{self.path}: {error}") from error

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[lmdb.Cursor]:
        """A cursor over the batches."""
        with self._reading() as txn, txn.cursor(self._events_db) as cursor:
            yield cursor

    def _bytes(self, txn: lmdb.Transaction) -> int:
        pages = txn.stat(self._events_db)
        return int((pages["branch_pages"] + pages["leaf_pages"] + pages["overflow_pages"]) * pages["psize"])

    def _meta(self, key: bytes) -> bytes:
        with self._reading() as txn:
            return bytes(txn.get(key, default=b"", db=self._meta_db))

    def _read_last(self) -> int:
        with self._cursor() as cursor:
            return _KEY.unpack(cursor.key())[0] if cursor.last() else self._base

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _lock_file(path: Path) -> Path:
    return path.with_name(path.name + "-lock")


def _allocate(lock_file: Path) -> None:
    """Makes LMDB's lock file with room on the disk. LMDB maps it into memory, and a write to a page of it that finds no
    room ends the process by SIGBUS. Raises OSError."""
    descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, LOCK_BYTES)
    finally:
        os.close(descriptor)


def new_identity() -> str:
    return secrets.token_hex(16)


def _record(key: bytes | memoryview, value: bytes | memoryview, path: Path) -> Record:
    try:
        (last,) = _KEY.unpack(key)
        first, checksum = _HEAD.unpack_from(value)
    except struct.error as error:
        raise LogDamagedError(f"{path}: a batch is damaged: {error}") from error
    payload = bytes(value[_HEAD.size :])
    if zlib.crc32(payload) != checksum or not first <= last:
        raise LogDamagedError(f"{path}: the batch of positions {first} to {last} is damaged")
    return Record(first, last, payload)
