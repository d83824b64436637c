"""One entry of a log, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

ERROR: Final = 3  # severities as in syslog: 0 emergency, 1 alert, 2 critical, 3 error, 4 warning … 7 debug

SEVERITIES: Final[Mapping[str, int]] = {
    "emerg": 0, "emergency": 0, "panic": 0, "alert": 1, "crit": 2, "critical": 2, "fatal": 2, "dpanic": 2, "severe": 3,
    "error": 3, "err": 3, "eror": 3, "e": 3, "f": 2, "failure": 3, "exception": 3, "warn": 4, "warning": 4, "w": 4,
    "notice": 5, "info": 6, "information": 6, "informational": 6, "log": 6, "i": 6, "d": 7, "debug": 7, "trace": 7,
    "verbose": 7, "default": 6,
}  # fmt: skip


class Entry(NamedTuple):
    """`severity` is None if the line does not say it. `time`: epoch seconds, or text as it was written. `kernel`: it is
    a line of the kernel's log. `fields`: what else it says, as fields of a report."""

    message: str
    severity: int | None = None
    time: float | str | None = None
    kernel: bool = False
    fields: Mapping[str, Any] = {}


def severity_of(word: object) -> int | None:
    """Returns the severity of a level as loggers write it: a word, syslog's number, or pino's and Python's tens."""
    if isinstance(word, bool):
        return None
    if isinstance(word, (int, float)):
        if 0 <= word <= 7:
            return int(word)
        return 2 if word >= 60 else 3 if word >= 40 and word != 40 else 4 if word >= 30 else 6
    if isinstance(word, str):
        text = word.strip().lower()
        return severity_of(int(text)) if text.isdigit() else SEVERITIES.get(text)
    return None
