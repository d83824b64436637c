"""The writer's thread ends when it is stopped, but not before what was submitted meanwhile."""

import queue
import time
from typing import Any

import pytest
from error_visualization.frames import Record
from error_visualization.memory import Memory
from error_visualization.writer import Pending, Writer

pytestmark = pytest.mark.dashboard


class LateQueue:
    """A queue into which a record gets only when the thread has just ended: the worst moment."""

    def __init__(self, writer: Writer) -> None:
        self._writer, self._queue = writer, queue.SimpleQueue[Any]()
        self.get, self.empty = self._queue.get, self._queue.empty

    def put(self, item: Any) -> None:
        if item is not None:
            self._queue.put(None)
            while self._writer._running.locked():
                time.sleep(0.001)
        self._queue.put(item)


class Disk:
    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, records: list[Record]) -> None:
        self.records += records


def test_a_record_that_comes_while_the_thread_ends_is_written() -> None:
    disk: Any = Disk()
    writer = Writer(disk, Memory(), lambda: None)
    writer._queue = LateQueue(writer)  # type: ignore[assignment]
    pending = Pending(Record("/api/report-error", b"{}"))
    assert writer.submit(pending)
    assert pending.wait(5)
    assert disk.records == [pending.record]
    writer.stop()
