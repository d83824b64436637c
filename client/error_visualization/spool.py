"""The folder of reports that are not delivered yet: the files of this process, and those of processes that died.

    SPOOL/USER/HASH OF THE URL/
        TIME-PID-RANDOM.spool     records (frames.py); locked by the process that writes or delivers it
        refused                   reports that the service refused, one JSON object a line, the newest 1 MiB
        dropped                   one number a line: how many reports were dropped because the spool was full

A process writes to its newest file only, and begins a new one at a sixteenth of the limit. When a process dies, its
locks end, and the sender of any other process of that user and service adopts its files. There may be several places
for SPOOL/USER: where one cannot be written to, because its disk is full, read-only or knows no locks, the next one is.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from error_visualization.frames import Record
from error_visualization.place import folder_of, is_private, make_private, places
from error_visualization.segment import SUFFIX, Segment

MAX_BYTES = 64 * 2**20
MAX_REFUSED = 2**20
_LEAST_SEGMENT = 2**16
_DAMAGED = "a file of the spool is damaged: %d bytes of it are lost"


class SpoolError(Exception):
    """Nothing can be written to disk; the message says why."""


class Spool:
    """Threads: the writer may call `append`, the sender the others. The lock is held during a flush, so a thread of the
    caller must not call any."""

    def __init__(
        self,
        url: str,
        environ: Mapping[str, str],
        spool: str | os.PathLike[str] | None = None,
        most: int = MAX_BYTES,
    ) -> None:
        self._folders = [folder_of(place, url) for place in places(environ, spool)]  # in order of preference
        self._most = most
        self._lock = threading.Lock()
        self._own: list[Segment] = []  # the oldest first; the last is written to
        self._adopted: list[Segment] = []
        self._unchecked = most  # bytes written since the size of the folder was looked at
        self._reading: Segment | None = None  # of which `next` returned records
        self._is_closed = False  # after `close`, until the next use
        self.folder = ""  # "" until the first use

    def open(self) -> str:
        """Makes the folder and returns it. Raises `SpoolError`."""
        self._is_closed = False
        if self.folder and os.path.isdir(self.folder):
            return self.folder
        problems = []
        for folder in self._folders:
            try:
                make_private(folder)
            except OSError as error:
                problems.append(str(error))
                continue
            self.folder = folder
            return folder
        raise _no_place(problems)

    def append(self, records: list[Record]) -> None:
        """Returns when `records` are on disk. Raises `SpoolError`; then none of them is."""
        with self._lock:
            self._is_closed = False
            problems: list[str] = []
            newest = self._newest()
            if newest is not None:
                try:
                    newest.append(records)
                except OSError as error:
                    problems.append(str(error))
            if newest is None or problems:
                failed = os.path.dirname(newest.path) if newest else None
                segment = self._begin(records, problems, failed)
                self.folder = os.path.dirname(segment.path)
                self._own.append(segment)
        self._unchecked += sum(len(record.body) for record in records)
        if self._unchecked > self._most // 64:
            self._unchecked = 0
            self._bound()

    def _newest(self) -> Segment | None:
        """Returns the file to write to; None if a new one is needed."""
        newest = self._own[-1] if self._own else None
        gone = newest is not None and not os.path.exists(newest.path)  # someone cleaned up; it can still be delivered
        return None if newest is None or gone or newest.size >= max(self._most // 16, _LEAST_SEGMENT) else newest

    def _begin(self, records: list[Record], problems: list[str], failed: str | None = None) -> Segment:
        """Returns a new file with `records`, in the first folder but `failed` that takes them. Takes no lock. Raises
        `SpoolError` with the `problems`."""
        for folder in self._folders:
            if folder == failed:
                continue
            try:
                make_private(folder)
                segment = Segment.make(folder)
                try:
                    segment.append(records)
                except OSError:
                    segment.remove()
                    raise
            except OSError as error:
                problems.append(str(error))
                continue
            return segment
        raise _no_place(problems)

    def adopt(self, seconds: float = -1.0) -> None:
        """Takes over the files of dead processes. Waits for a flush at most `seconds`, by default until it is done.
        Does nothing after `close`: a sender that starts late would hold files until its process ends."""
        with _held(self._lock, seconds) as held:
            if not held or self._is_closed:
                return
            mine = {segment.path for segment in (*self._own, *self._adopted)}
            for path in self._files():
                segment = None if path in mine else Segment.adopt(path)
                if segment is None:
                    continue
                if segment.waiting:
                    self._adopted.append(segment)
                else:
                    segment.remove()

    def has_leftovers(self) -> bool:
        """Returns whether there are files of other processes, dead or alive. Any thread may call it."""
        for folder in self._folders:
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                if any(entry.name.endswith(SUFFIX) for entry in entries):
                    return True
        return False

    def next(self, most: int) -> list[Record]:
        """Returns the oldest undelivered records, about `most` bytes of them. Raises OSError."""
        with self._lock:
            for group in (self._adopted, self._own):
                for segment in list(group):
                    found = segment.read(most)
                    if found:
                        self._reading = segment
                        return found
                    if segment.waiting:
                        self.count_dropped_bytes(segment.waiting)
                    if group is self._own and segment is self._own[-1]:
                        if segment.waiting:
                            segment.delivered(segment.size)
                        continue
                    group.remove(segment)
                    segment.remove()
        return []

    def delivered(self, record: Record) -> None:
        """Notes that `record` of the last `next`, and all before it, needs no further attempt."""
        with self._lock, contextlib.suppress(OSError):
            if self._reading in self._own or self._reading in self._adopted:  # else it was dropped meanwhile
                self._reading.delivered(record.end)

    def is_empty(self) -> bool:
        """Returns whether everything is delivered. Any thread may call it."""
        return not any(segment.waiting for segment in (*self._own, *self._adopted))

    def _files(self) -> list[str]:
        found: list[str] = []
        for folder in filter(is_private, self._folders):
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                found += [entry.path for entry in entries if entry.name.endswith(SUFFIX)]
        return sorted(found, key=os.path.basename)

    def _bound(self) -> None:
        """Drops the oldest files of this process and of dead ones while the folder has more bytes than its limit."""
        with self._lock:
            sizes = {}
            for path in self._files():
                with contextlib.suppress(OSError):
                    sizes[path] = os.stat(path).st_size
            total = sum(sizes.values())
            for path in sizes:
                if total <= self._most:
                    return
                segment = self._of(path)
                if segment is None:
                    continue
                self._count_dropped(segment)
                for group in (self._own, self._adopted):
                    if segment in group:
                        group.remove(segment)
                segment.remove()
                total -= sizes[path]

    def _of(self, path: str) -> Segment | None:
        if self._own and self._own[-1].path == path:
            return None  # the newest reports
        known = [segment for segment in (*self._own, *self._adopted) if segment.path == path]
        return known[0] if known else Segment.adopt(path)

    def _count_dropped(self, segment: Segment) -> None:
        count = 0
        with contextlib.suppress(OSError):
            while True:
                found = segment.read(2**20)
                if not found:
                    break
                count += len(found)
                segment.position = found[-1].end
            with open(os.path.join(self.folder, "dropped"), "a") as file:
                file.write(f"{count}\n")
        _log().warning("the spool is full: its %d oldest reports are dropped", count)

    def count_dropped_bytes(self, count: int) -> None:
        _log().warning(_DAMAGED, count)

    def take_dropped(self) -> int:
        """Returns how many reports were dropped since the last call, by any process, and forgets it."""
        if not self.folder:
            return 0
        path = os.path.join(self.folder, "dropped")
        taken = f"{path}.{os.getpid()}"
        try:
            os.rename(path, taken)
            with open(taken) as file:
                numbers = file.read().split()
            os.unlink(taken)
        except OSError:
            return 0
        return sum(int(number) for number in numbers if number.isdigit())

    def put_aside(self, record: Record, why: str) -> None:
        """Keeps a report that the service refused, for a person to see. Of older ones, the newest are kept."""
        import json

        if not self.folder:
            return
        path = os.path.join(self.folder, "refused")
        line = json.dumps({"why": why[:1000], "path": record.path, "body": record.body.decode(errors="replace")})
        with contextlib.suppress(OSError):
            if os.path.exists(path) and os.path.getsize(path) + len(line) > MAX_REFUSED:
                os.replace(path, path + ".older")
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(line[: MAX_REFUSED // 2] + "\n")

    def close(self, seconds: float = -1.0) -> None:
        """Releases all files, and deletes those that have nothing left. What is left is for the next process. If a
        flush lasts longer than `seconds`, it releases nothing: the files are released when the process ends."""
        with _held(self._lock, seconds) as held:
            self._is_closed = True
            if not held:
                return
            for segment in (*self._own, *self._adopted):
                if segment.waiting:
                    segment.drop()
                else:
                    segment.remove()
            self._own, self._adopted = [], []

    def forget(self) -> None:
        """In a forked child: leaves all files to the parent."""
        self._lock = threading.Lock()
        for segment in (*self._own, *self._adopted):
            segment.drop()
        self._own, self._adopted = [], []

    def write_alone(self, record: Record) -> None:
        """Puts a record into a file of its own. Any thread may call it, also while the interpreter ends, because it
        takes no lock. Raises `SpoolError`."""
        self._begin([record], []).drop()


def _no_place(problems: list[str]) -> SpoolError:
    return SpoolError("; ".join(problems) or "there is no folder that can be written to")


@contextlib.contextmanager
def _held(lock: threading.Lock, seconds: float) -> Iterator[bool]:
    """Holds the lock, unless it is not free within `seconds` (-1: any time); the value says whether."""
    held = lock.acquire(timeout=seconds)
    try:
        yield held
    finally:
        if held:
            lock.release()


def _log() -> Any:
    import logging

    return logging.getLogger("error_visualization")
