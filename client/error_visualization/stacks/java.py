"""Java and other languages of the JVM: exceptions with their causes, and the fatal errors of the JVM itself.

Exception in thread "main" java.lang.IllegalStateException: boom      <- type and message
    at com.example.Main.main(Main.java:5)
Caused by: java.io.IOException: disk
    ... 1 more
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from error_visualization.stacks.dialect import Dialect

MAX_MESSAGE_LINES: Final = 20
_BEGINS: Final = re.compile(
    r'(?:Exception in thread "[^"]*" )?((?:[a-z_][\w$]*\.)+[A-Z][\w$]*(?:\.?[\w$]+)*)(?:: ?(.*))?$'
)
_SURE: Final = re.compile(r'Exception in thread "')
_FRAME: Final = re.compile(r"\s+at (?:[\w.$<>@/ -]+)\(")
_GOES_ON: Final = re.compile(r"\s+at |\s*\.\.\. \d+ (?:more|common frames omitted)|\s*Caused by: |\s+Suppressed: ")
_FATAL: Final = re.compile(
    r"# A fatal error has been detected by the Java Runtime Environment|# There is insufficient memory"
)
_SIGNAL: Final = re.compile(r"#\s+(SIG[A-Z]+|EXCEPTION_\w+|Internal Error|Out of Memory Error)\b(.*)")


def _goes_on(lines: Sequence[str], line: str) -> bool:
    if _GOES_ON.match(line):
        return True
    before_frames = not any(_FRAME.match(earlier) for earlier in lines[:MAX_MESSAGE_LINES])
    return before_frames and bool(_SURE.match(lines[0])) and len(lines) < MAX_MESSAGE_LINES and bool(line.strip())


def _read(lines: Sequence[str]) -> tuple[str, str] | None:
    found = _BEGINS.match(lines[0])
    frame = next((number for number, line in enumerate(lines) if _FRAME.match(line)), None)
    if not found or frame is None:
        return None
    return found[1], "\n".join([found[2] or "", *lines[1:frame]])


def _read_fatal(lines: Sequence[str]) -> tuple[str, str]:
    for line in lines:
        found = _SIGNAL.match(line)
        if found:
            return "JVM " + found[1], found[1] + found[2]
    return "JVM fatal error", lines[0].lstrip("# ")


EXCEPTION: Final = Dialect("java", _BEGINS.match, _goes_on, _read)
FATAL: Final = Dialect("java", _FATAL.match, lambda _, line: line.startswith("#"), _read_fatal)
