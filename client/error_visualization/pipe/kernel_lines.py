"""Lines of the kernel's log, as /dev/kmsg and dmesg write them.

3,1234,5678901,-;message             /dev/kmsg: priority, sequence, microseconds since the start, flags
[ 5678.901234] message               dmesg
[Thu Mar 15 12:00:00 2026] message   dmesg -T
kern  :err   : [ 5678.9] message     dmesg -x
"""

from __future__ import annotations

import re
import time as clock
from collections.abc import Callable
from typing import Final

from error_visualization.pipe.entry import Entry, severity_of

_KMSG: Final = re.compile(r"(\d{1,4}),(\d+),(\d+),[^;]*;(.*)")
_DECODED: Final = re.compile(r"(\w+) *:(\w+) *: (.*)")
_DMESG: Final = re.compile(r"\[ *(\d+\.\d+)\](?:\[ *[TC]\d+\])? ?(.*)")
_DATED: Final = re.compile(r"\[([A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\] ?(.*)")
FACILITIES: Final = frozenset(("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "cron", "authpriv"))


def started_at() -> float:
    """Returns when the clock of the kernel's log began, in epoch seconds."""
    return clock.time() - clock.monotonic()


def entry(line: str, start: Callable[[], float] = started_at) -> Entry | None:
    """Returns the entry of a line, None if it is not one of these."""
    found = _KMSG.match(line)
    if found:
        priority, sequence, microseconds, message = int(found[1]), found[2], int(found[3]), _plain(found[4])
        time = start() + microseconds / 1e6
        kernel = priority // 8 == 0
        return Entry(message, priority % 8, time, kernel, {"kernel": {"sequence": int(sequence)}} if kernel else {})
    severity, rest = None, line
    found = _DECODED.match(line)
    if found and found[1] in FACILITIES:
        severity, rest = severity_of(found[2]), found[3]
    found = _DMESG.match(rest)
    if found:
        return Entry(found[2], severity, start() + float(found[1]), True)
    found = _DATED.match(rest)
    if found:
        time = clock.mktime(clock.strptime(found[1], "%a %b %d %H:%M:%S %Y"))
        return Entry(found[2], severity, time, True)
    return None


def _plain(text: str) -> str:
    """Returns the text with what the kernel wrote as \\x0a and the like."""
    if "\\x" not in text:
        return text
    return re.sub(r"\\x([0-9a-f]{2})", lambda code: chr(int(code[1], 16)), text)
