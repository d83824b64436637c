"""The lines that the kernel wrote about a process, from /dev/kmsg where it may be read.

A record of /dev/kmsg is "priority,number,microseconds since boot,flags;text", then lines that begin with a blank.
"""

from __future__ import annotations

import os
import re
import time

MOST_LINES = 20
MOST_RECORDS = 50_000  # read at once; the kernel keeps fewer
SECONDS = 3.0  # lines of a fault that name no process count if they are this young
_FAULT = re.compile(r"\bXid\b|\bSXid\b|[Oo]ut of memory|oom-kill|Killed process|Hardware Error|fallen off the bus")


class KernelLog:
    """Remembers where the kernel's log ended when it was made, and reads on from there. Raises nothing."""

    def __init__(self, path: str = "/dev/kmsg") -> None:
        self._file: int | None = None
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._file, 0, os.SEEK_END)
        except (OSError, AttributeError):
            self.close()

    def about(self, pid: int | None) -> list[str]:
        """Returns the new lines that name the process `pid`, and those of a fault of the last seconds."""
        found = relevant(self._records(), pid, time.monotonic())
        return found[-MOST_LINES:]

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _records(self) -> list[str]:
        records: list[str] = []
        while self._file is not None and len(records) < MOST_RECORDS:
            try:
                record = os.read(self._file, 16_384)
            except BrokenPipeError:  # records were overwritten before they were read: the next read continues
                continue
            except OSError:  # no more
                break
            if not record:
                break
            records.append(record.decode("utf-8", "replace"))
        return records


def relevant(records: list[str], pid: int | None, now: float) -> list[str]:
    """Returns the texts of the records that name the process, or a fault at most `SECONDS` before `now` (seconds since
    boot)."""
    named = re.compile(rf"(?<!\d){pid}(?!\d)") if pid else None
    found = []
    for record in records:
        head, semicolon, rest = record.partition(";")
        if not semicolon:
            continue
        text = rest.partition("\n")[0]
        if (named and named.search(text)) or (_FAULT.search(text) and now - _seconds(head) <= SECONDS):
            found.append(text)
    return found


def oom_killed(lines: list[str], pid: int | None) -> bool:
    """Returns whether a line says that the out-of-memory killer ended the process."""
    return any(re.search(rf"Killed process {pid}(?!\d)", line) for line in lines)


def _seconds(head: str) -> float:
    parts = head.split(",")
    return int(parts[2]) / 1e6 if len(parts) > 2 and parts[2].isdigit() else 0.0
