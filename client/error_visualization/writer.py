"""Puts records on disk in a thread of its own, so that a caller waits for a slow disk no longer than it wants to.

    caller ── queue ──► writer ── write, fdatasync ──► spool ──► sender ── HTTP ──► service
       ▲                   │
       └── acknowledged ◄──┘

Callers may be signal handlers, which interrupt any line of this process, also one of this module. So a caller takes no
lock that another frame could hold: `SimpleQueue.put` can be interrupted and called again, and each record has a lock of
its own to wait for.
"""

from __future__ import annotations

import _thread
import queue
from typing import Callable

from error_visualization.frames import Record
from error_visualization.memory import Memory
from error_visualization.spool import Spool, SpoolError

MAX_TOGETHER = 1_000  # records in one flush
MAX_RECORDS = 10_000  # that wait for the disk
MAX_WAITING = 64 * 2**20  # bytes of records that wait for the disk


class Pending:
    """A record on its way to the disk. `safe` says whether it is there, or stored, once `done` is released."""

    def __init__(self, record: Record, on_safe: Callable[[], None] | None = None) -> None:
        self.record = record
        self.safe = False
        self._on_safe = on_safe
        self._done = _thread.allocate_lock()
        self._done.acquire()

    def settle(self) -> None:
        """Says that the record is safe. Another thread calls it."""
        self.safe = True
        self._done.release()
        if self._on_safe is not None:
            self._on_safe()

    def wait(self, seconds: float) -> bool:
        """Returns whether the record is safe, after at most `seconds`."""
        if self._done.acquire(timeout=max(seconds, 0.0)):
            self._done.release()
        return self.safe


class Writer:
    """`wake` is called, in the writer's thread, after records were written."""

    def __init__(self, spool: Spool, memory: Memory, wake: Callable[[], None]) -> None:
        self._spool, self._memory, self._wake = spool, memory, wake
        self._queue: queue.SimpleQueue[Pending | None] = queue.SimpleQueue()
        self._unwritten: dict[int, Pending] = {}
        self._running = _thread.allocate_lock()  # held while there is a thread
        self._failed = ""
        self.dropped = 0

    def submit(self, pending: Pending) -> bool:
        """Passes a record to the thread. Returns False if there can be no thread: the interpreter ends. If too many
        records wait for a disk that does not answer, it is dropped and counted."""
        if not self._ensure_thread():
            return False
        waiting = list(self._unwritten.values())
        if len(waiting) >= MAX_RECORDS or sum(len(one.record.body) for one in waiting) > MAX_WAITING:
            self.dropped += 1
            return True
        self._unwritten[id(pending)] = pending
        self._queue.put(pending)
        self._ensure_thread()  # it may have ended before it saw the record
        return True

    @property
    def is_idle(self) -> bool:
        return not self._unwritten

    def stop(self) -> None:
        """Ends the thread after what is in the queue; the next `submit` starts another."""
        if self._running.locked():
            self._queue.put(None)

    def _ensure_thread(self) -> bool:
        if not self._running.acquire(blocking=False):
            return True
        try:
            _thread.start_new_thread(self._run, ())
        except RuntimeError:
            self._running.release()
            return False
        return True

    def _run(self) -> None:
        try:
            while True:
                batch = [self._queue.get()]
                while len(batch) < MAX_TOGETHER and not self._queue.empty():
                    batch.append(self._queue.get())
                self._write([pending for pending in batch if pending is not None])
                if None in batch:
                    return
        finally:
            self._running.release()
            if not self._queue.empty():  # came after the end was read
                self._ensure_thread()

    def _write(self, batch: list[Pending]) -> None:
        if not batch:
            return
        try:
            self._spool.append([pending.record for pending in batch])
            self._failed = ""
        except SpoolError as error:
            self._say(str(error))
            for pending in batch:
                self._memory.append(pending.record, pending.settle)
        except Exception as error:
            self._say(repr(error))
            for pending in batch:
                self._memory.append(pending.record, pending.settle)
        else:
            for pending in batch:
                pending.settle()
        finally:
            for pending in batch:
                self._unwritten.pop(id(pending), None)
            self._wake()

    def _say(self, failure: str) -> None:
        """Logs a failure when it is another than before."""
        import logging

        if failure != self._failed:
            self._failed = failure
            words = "reports cannot be written to disk and are kept in memory until they are delivered: %s"
            logging.getLogger("error_visualization").warning(words, failure)
