"""A value that is read in the background, because reading may take long or hang, such as a disk that is gone."""

from __future__ import annotations

import _thread
import os
import time
from typing import Callable, Generic, TypeVar

T = TypeVar("T")


class Sampled(Generic[T]):
    """The result of `read()`, which a thread of its own calls again when a caller needs a value that is older than
    `fresh` seconds. While `read` hangs, the last value is returned, until it is older than `usable` seconds. Any thread
    may use it, also a signal handler and a forked child."""

    def __init__(self, read: Callable[[], T], fresh: float, usable: float) -> None:
        self._read, self._fresh, self._usable = read, fresh, usable
        self._value: tuple[float, T] | None = None  # with the monotonic time at which it was read
        self._pid = 0
        self._reading = _thread.allocate_lock()  # held while a thread reads

    def value(self, wait: float) -> T | None:
        """Returns the value, waiting at most `wait` seconds for a fresh one; None if none is known."""
        latest = self._value
        if latest is None or time.monotonic() - latest[0] > self._fresh:
            self.refresh()
            if wait > 0 and self._reading.acquire(timeout=wait):
                self._reading.release()
            latest = self._value
        return latest[1] if latest is not None and time.monotonic() - latest[0] <= self._usable else None

    def refresh(self) -> None:
        """Begins to read, unless a thread reads already."""
        if self._pid != os.getpid():  # also in a forked child, which has no such thread
            self._pid, self._reading = os.getpid(), _thread.allocate_lock()
        if self._reading.acquire(blocking=False):
            try:
                _thread.start_new_thread(self._run, (self._reading,))
            except RuntimeError:  # the interpreter ends
                self._reading.release()

    def _run(self, reading: _thread.LockType) -> None:
        try:
            self._value = (time.monotonic(), self._read())
        except Exception:  # a library's fault; the last value stays
            pass
        finally:
            reading.release()
