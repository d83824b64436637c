"""Reads lines so that the program that writes them never waits for long.

A thread reads; `lines` waits for them. Between both is a queue with room for `MAX_WAITING` lines and
`MAX_WAITING_BYTES`. If it stays full for `MAX_WAIT` seconds, lines are dropped and counted.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Final

CHUNK: Final = 65_536
MAX_LINE: Final = 65_536  # bytes; what follows in a longer line is left out, and the line says so
MAX_WAITING: Final = 50_000
MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
MAX_WAIT: Final = 1.0
CUT: Final = " … cut: the line is longer than 64 KiB"


class Reader:
    """Reads lines from a descriptor until its end, or until `stop`."""

    def __init__(self, descriptor: int) -> None:
        self.dropped = 0
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._changed = threading.Condition()
        self._wake_read, self._wake = os.pipe()
        self._full_since: float | None = None
        self._rest, self._cutting = b"", False
        threading.Thread(target=self._read, name="reader", daemon=True).start()

    def stop(self) -> None:
        """Takes what was already written, and ends. May be called by a signal handler."""
        os.write(self._wake, b"x")

    def lines(self, idle: float) -> Iterator[str | None]:
        """Yields lines until the end; None when no line came for `idle` seconds."""
        while True:
            with self._changed:
                if not self._lines and not self._ended:
                    self._changed.wait(idle)
                if not self._lines and self._ended:
                    return
                line = self._lines.popleft() if self._lines else None
                if line is not None:
                    self._size -= len(line)
                self._changed.notify()
            yield None if line is None else line.decode("utf-8", "replace")

    def _read(self) -> None:
        stopping = False
        try:
            while True:
                ready, _, _ = select.select([self._descriptor, self._wake_read], [], [], 0 if stopping else None)
                stopping = stopping or self._wake_read in ready
                if self._descriptor not in ready:
                    if stopping:
                        return
                    continue
                chunk = os.read(self._descriptor, CHUNK)
                if not chunk:
                    return
                self._split(chunk)
        except OSError:
            return
        finally:
            if self._rest:
                self._put(self._rest)
            with self._changed:
                self._ended = True
                self._changed.notify()

    def _split(self, chunk: bytes) -> None:
        *whole, rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            if not self._cutting:
                self._put(line if len(line) <= MAX_LINE else line[:MAX_LINE] + CUT.encode())
            self._cutting = False
        if len(rest) > MAX_LINE:
            if not self._cutting:
                self._put(rest[:MAX_LINE] + CUT.encode())
            self._cutting, rest = True, b""
        self._rest = b"" if self._cutting else rest

    def _put(self, line: bytes) -> None:
        with self._changed:
            if self._full():
                since = self._full_since = self._full_since or time.monotonic()
                left = since + MAX_WAIT - time.monotonic()
                while self._full() and left > 0:
                    self._changed.wait(left)
                    left = since + MAX_WAIT - time.monotonic()
                if self._full():
                    self.dropped += 1
                    return
            self._full_since = None
            self._lines.append(line)
            self._size += len(line)
            self._changed.notify()

    def _full(self) -> bool:
        return len(self._lines) >= MAX_WAITING or self._size >= MAX_WAITING_BYTES
