"""The kernel's log as a sequence of lines with places, from /dev/kmsg, journalctl or dmesg.

A source is asked again and again. It returns what is new and never waits longer than it is told. `place` grows with the
log; `event_id` is made of it and of the start of the kernel, so that a line reported twice is stored once.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import select
import subprocess
import time
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from error_visualization.pipe import kernel_lines
from error_visualization.pipe.entry import Entry

MAX_RECORD: Final = 8_192  # bytes; the kernel writes at most one record of this size
MAX_AT_ONCE: Final = 1_000
KMSG: Final = "/dev/kmsg"


class Line(NamedTuple):
    """A line: `entry.time` is in epoch seconds. `lost`: how many lines the kernel overwrote right before it."""

    place: str
    event_id: str
    entry: Entry
    lost: int = 0


class Source(Protocol):
    """`name` of the kind of log."""

    name: str

    def read(self, seconds: float) -> list[Line]:
        """Returns new lines, as soon as there are some, but after at most `seconds`. Raises OSError if the log cannot
        be read any more."""

    def close(self) -> None:
        """Ends it."""


class Kmsg:
    """Reads /dev/kmsg, or a file with its lines. Begins after the line with the sequence number `after`."""

    name = "kmsg"

    def __init__(self, path: str, boot: str, after: int | None) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._boot, self._last = boot, after
        self._rest = b""
        self._start = kernel_lines.started_at()

    def read(self, seconds: float) -> list[Line]:
        deadline = time.monotonic() + seconds
        while True:
            self._start = kernel_lines.started_at()  # again and again: the clock may be set after the machine started
            lines = self._available()
            if lines or time.monotonic() >= deadline:
                return lines
            left = max(0.0, deadline - time.monotonic())
            select.select([self._file], [], [], left)
            time.sleep(min(0.05, left))  # a file is always readable

    def close(self) -> None:
        os.close(self._file)

    def _available(self) -> list[Line]:
        lines: list[Line] = []
        while len(lines) < MAX_AT_ONCE:
            try:
                chunk = os.read(self._file, MAX_RECORD)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.EPIPE:  # lines were overwritten before they were read; the next numbers tell
                    continue
                if error.errno == errno.EINVAL:  # a record larger than ours, skipped
                    continue
                raise
            if not chunk:
                break
            *whole, self._rest = (self._rest + chunk).split(b"\n")
            lines += [line for record in whole for line in self._line(record)]
        return lines

    def _line(self, record: bytes) -> list[Line]:
        text = record.decode("utf-8", "replace")
        entry = kernel_lines.entry(text, lambda: self._start)
        sequence = _sequence(text)
        if entry is None or sequence is None or text.startswith(" "):  # " SUBSYSTEM=pci": more of the line before
            return []
        last, self._last = self._last, sequence
        if last is not None and sequence <= last:
            self._last = last
            return []
        lost = sequence - last - 1 if last is not None else 0
        return [Line(str(sequence), f"{self._boot}-{sequence}", entry, lost)]


def _sequence(text: str) -> int | None:
    words = text.split(",", 2)
    return int(words[1]) if len(words) == 3 and words[1].isdigit() else None


class Command:
    """Reads what a command such as journalctl or dmesg writes. Subclasses say which, and what a line is."""

    name = ""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self._process.stdout
        self._file = self._process.stdout.fileno()
        self._rest = b""

    def read(self, seconds: float) -> list[Line]:
        if not select.select([self._file], [], [], seconds)[0]:
            return []
        chunk = os.read(self._file, 65_536)
        if not chunk:
            raise OSError(f"{self.name} ended with {self._process.wait()}")
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        found = [self._line(text.decode("utf-8", "replace")) for text in whole]
        return [line for line in found if line]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _line(self, text: str) -> Line | None:
        raise NotImplementedError


class Journal(Command):
    """Reads the kernel's log from systemd's journal, after a cursor of the journal."""

    name = "journal"

    def __init__(self, after: str | None, program: str = "journalctl") -> None:
        since = ["--after-cursor", after] if after else ["--boot"]
        super().__init__([program, "--dmesg", "--follow", "--no-tail", "--output=json", *since])

    def _line(self, text: str) -> Line | None:
        try:
            found = json.loads(text)
            cursor, message = str(found["__CURSOR"]), found["MESSAGE"]
            time_ = float(found["__REALTIME_TIMESTAMP"]) / 1e6
        except (ValueError, KeyError, TypeError):
            return None
        severity = str(found.get("PRIORITY", ""))
        entry = Entry(str(message), int(severity) if severity.isdigit() else None, time_, True)
        return Line(cursor, f"{found.get('_BOOT_ID', '')}-{_digest(cursor)}", entry)


class Dmesg(Command):
    """Reads `dmesg --follow`: no numbers, so the place is the time, and lines of that same time are read again."""

    name = "dmesg"

    def __init__(self, boot: str, after: str | None, program: str = "dmesg") -> None:
        super().__init__([program, "--follow", "--decode"])
        self._boot, self._after = boot, float(after or 0)

    def _line(self, text: str) -> Line | None:
        entry = kernel_lines.entry(text, lambda: 0.0)
        if entry is None or not isinstance(entry.time, float) or entry.time < self._after:
            return None
        entry_now = entry._replace(time=kernel_lines.started_at() + entry.time)
        return Line(f"{entry.time:.6f}", f"{self._boot}-{entry.time:.6f}-{_digest(entry.message)}", entry_now)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
