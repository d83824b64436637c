"""Summaries of runs in the log: entries of a kind of their own, beside the batches of events.

    key: number of the summary, 8 bytes, big-endian        value: CRC-32 of the payload (4 bytes), payload

Only the projection reads them, so they have numbers of their own instead of positions. The newest ones stay when the
database has them, so that `error-visualization repair` can make a database of the log.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final

import lmdb

from exporter.log import Entry, LogFullError

KEPT: Final = 1_000  # summaries that the database has and that are kept
KEPT_BYTES: Final = 2**24  # of these
MAX_WAITING_BYTES: Final = 2**26  # of summaries that the database does not have yet
_KEY: Final = struct.Struct(">Q")
_HEAD: Final = struct.Struct(">I")


class Summaries:
    """The summaries in one LMDB database `db` of `env`; None if an earlier release made the file and this process may
    only read it. `released` is the number up to which the database has them."""

    def __init__(self, env: lmdb.Environment, db: Any) -> None:
        self.released = 0
        self._env = env
        self._db = db
        self._bytes: dict[int, int] = {} if db is None else dict(self._sizes())

    def last(self) -> int:
        """Returns the number of the newest summary, 0 if there has never been one. Raises lmdb.Error."""
        if self._db is None:
            return 0
        with self._env.begin(buffers=True) as txn, txn.cursor(self._db) as cursor:
            return int(_KEY.unpack(cursor.key())[0]) if cursor.last() else 0

    def add(self, txn: lmdb.Transaction, payload: bytes) -> int:
        """Adds a summary, deletes what need not be kept, and returns the new number. Raises lmdb.Error and
        `LogFullError`."""
        waiting = sum(size for number, size in self._bytes.items() if number > self.released)
        if waiting + len(payload) > MAX_WAITING_BYTES:
            raise LogFullError(f"the log holds {waiting} bytes of summaries that the database does not have yet")
        with txn.cursor(self._db) as cursor:
            number = int(_KEY.unpack(cursor.key())[0]) + 1 if cursor.last() else 1
            for old in self._superfluous(number):
                cursor.set_key(_KEY.pack(old)) and cursor.delete()
        txn.put(_KEY.pack(number), _HEAD.pack(zlib.crc32(payload)) + payload, append=True, db=self._db)
        return number

    def added(self, number: int, payload: bytes) -> None:
        """To be called when the transaction of `add` is on disk."""
        for old in self._superfluous(number):
            del self._bytes[old]
        self._bytes[number] = len(payload)

    def clear(self, txn: lmdb.Transaction) -> None:
        """Deletes all summaries, for a log that is given a new identity."""
        txn.drop(self._db, delete=False)
        self._bytes.clear()

    def after(self, number: int, max_bytes: int) -> list[Entry]:
        """Returns the summaries after a number, of up to about `max_bytes` and at least one. Raises lmdb.Error."""
        found: list[Entry] = []
        size = 0
        if self._db is None:
            return found
        with self._env.begin(buffers=True) as txn, txn.cursor(self._db) as cursor:
            more = cursor.set_range(_KEY.pack(number + 1))
            while more and (size < max_bytes or not found):
                size += len(cursor.value())
                found.append(_entry(cursor.key(), cursor.value()))
                more = cursor.next()
        return found

    def _superfluous(self, number: int) -> list[int]:
        """Returns the numbers of the summaries that need not be kept when number `number` is added."""
        size = sum(self._bytes.values())
        found = []
        for old, bytes_ in self._bytes.items():  # in their order
            if old > self.released or (number - old <= KEPT and size <= KEPT_BYTES):
                break
            size -= bytes_
            found.append(old)
        return found

    def _sizes(self) -> Iterator[tuple[int, int]]:
        with self._env.begin(buffers=True) as txn, txn.cursor(self._db) as cursor:
            for key, value in cursor:
                yield int(_KEY.unpack(key)[0]), len(value) - _HEAD.size


def _entry(key: bytes | memoryview, value: bytes | memoryview) -> Entry:
    number = int(_KEY.unpack(key)[0])
    payload = bytes(value[_HEAD.size :])
    whole = len(value) >= _HEAD.size and zlib.crc32(payload) == _HEAD.unpack_from(value)[0]
    return Entry(number, payload if whole else None)
