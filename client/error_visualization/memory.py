"""Reports that cannot be written to disk: kept in memory, bounded."""

from __future__ import annotations

import collections
import threading
from typing import Callable

from error_visualization.frames import Record

MAX_BYTES = 16 * 2**20
Stored = Callable[[], None]


class Memory:
    """A queue of records and what to call when they are stored. The oldest are dropped and counted. The threads of the
    writer and the sender use it."""

    def __init__(self, most: int = MAX_BYTES) -> None:
        self._most, self._bytes = most, 0
        self._waiting: collections.deque[tuple[Record, Stored]] = collections.deque()
        self._lock = threading.Lock()
        self.dropped = 0

    def append(self, record: Record, stored: Stored) -> None:
        with self._lock:
            self._waiting.append((record, stored))
            self._bytes += len(record.body)
            while self._bytes > self._most and len(self._waiting) > 1:
                self._bytes -= len(self._waiting.popleft()[0].body)
                self.dropped += 1

    def next(self) -> list[Record]:
        """Returns the oldest record; [] for none. One at a time, because it may be dropped while it is sent."""
        with self._lock:
            return [self._waiting[0][0]] if self._waiting else []

    def delivered(self, record: Record, *, stored: bool) -> None:
        with self._lock:
            if not self._waiting or self._waiting[0][0] is not record:
                return
            _, call = self._waiting.popleft()
            self._bytes -= len(record.body)
        if stored:
            call()

    def __len__(self) -> int:
        return len(self._waiting)
