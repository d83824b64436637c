"""Lines of syslog: RFC 5424, RFC 3164, and what syslog daemons write into files (no priority).

<34>1 2026-03-15T12:00:00Z node7 kernel - - - message       RFC 5424
<34>Mar 15 12:00:00 node7 app[12]: message                  RFC 3164
Mar 15 12:00:00 node7 kernel: [  12.5] message              /var/log/syslog, `journalctl`
2026-03-15T12:00:00.5+00:00 node7 kernel: message           the same with RFC 3339 times
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from error_visualization.pipe.entry import Entry

KERNEL: Final = 0  # facility
_PRIORITY: Final = re.compile(r"<(\d{1,3})>")
_NEW: Final = re.compile(r"1 (\S+) (\S+) (\S+) (\S+) (\S+) (-|(?:\[(?:[^\]\\]|\\.)*\])+) ?(?:\ufeff)?(.*)", re.DOTALL)
_OLD: Final = re.compile(
    r"((?:[A-Z][a-z]{2}) [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?|\d{4}-\d\d-\d\dT\S+)"
    r" (?:(\S+) )?([^\s:\[\]]{1,64})(?:\[(\w+)\])?: ?(.*)",
    re.DOTALL,
)
_UPTIME: Final = re.compile(r"\[ *\d+\.\d+\] ")
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def entry(line: str, now: dt.datetime) -> Entry | None:
    """Returns the entry of a line, None if it is not syslog. `now` gives the year, which RFC 3164 leaves out."""
    severity, kernel = None, False
    found = _PRIORITY.match(line)
    rest = line
    if found:
        priority = int(found[1])
        severity, kernel = priority % 8, priority // 8 == KERNEL
        rest = line[found.end() :]
        new = _NEW.match(rest)
        if new:
            time, host, name, process, id_, data, message = new.groups()
            said = {"host": host, "program": name, "pid": process, "message_id": id_, "structured_data": data}
            return _entry(message, severity, None if time == "-" else time, kernel or name == "kernel", said)
    old = _OLD.match(rest)
    if old:
        time, host, name, process, message = old.groups()
        kernel = kernel or name == "kernel"
        message = _UPTIME.sub("", message, count=1) if kernel else message
        return _entry(message, severity, _time(time, now), kernel, {"host": host, "program": name, "pid": process})
    return _entry(_UPTIME.sub("", rest, count=1), severity, None, kernel, {}) if found else None


def _entry(
    message: str, severity: int | None, time: float | str | None, kernel: bool, said: dict[str, str | None]
) -> Entry:
    known = {name: value for name, value in said.items() if value not in (None, "-")}
    return Entry(message, severity, time, kernel, {"syslog": known} if known else {})


def _time(text: str, now: dt.datetime) -> float | str:
    """Returns a time without a year as epoch seconds, in this machine's zone; within the year that ends tomorrow."""
    if text[0].isdigit():
        return text
    hour, minute, second = text[7:].split(":")
    try:
        moment = dt.datetime(
            now.year, MONTHS.index(text[:3]) + 1, int(text[4:6]), int(hour), int(minute), int(float(second))
        )
    except ValueError:
        return text
    if moment.timestamp() > now.timestamp() + 86_400:
        moment = moment.replace(year=now.year - 1)
    return moment.timestamp()
