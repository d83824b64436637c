"""C and C++: uncaught exceptions, failed assertions, what the C library says before it aborts, and sanitizers.

terminate called after throwing an instance of 'std::runtime_error'   <- type
  what():  boom                                                       <- message
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from error_visualization.stacks.dialect import Dialect

MAX_SANITIZER_LINES: Final = 500
_TERMINATE: Final = re.compile(
    r"terminate called (?:after throwing an instance of '(.+)'|without an active exception|recursively)"
    r"|libc\+\+abi(?:\.dylib)?: terminating (?:due to|with) uncaught exception of type (.+?)(?:: (.*))?$"
)
_ASSERTION: Final = re.compile(r"(?:.{1,200}: )?(?:.{1,300}:\d+: .*: )?Assertion [`'](.*)' failed\.")
_LIBC: Final = re.compile(
    r"\*\*\* (?:stack smashing|buffer overflow) detected \*\*\*|(?:free|malloc|realloc|munmap_chunk|calloc)\(\): \w"
    r"|double free or corruption|corrupted (?:size vs|double-linked)|malloc_consolidate\(\)|pure virtual method called"
)
_FAULT: Final = re.compile(
    r"(?:.{0,200}: )?(?:line \d+: +\d+ )?(Segmentation fault|Aborted|Bus error|Illegal instruction"
    r"|Floating point exception)(?: +\(core dumped\).*)?$"
)
_SANITIZER: Final = re.compile(
    r"==\d+==\s?ERROR: (\w+Sanitizer): (.*)|WARNING: (ThreadSanitizer|MemorySanitizer): (.*)"
    r"|\S+:\d+:\d+: (runtime error): (.*)"
)


def _read_terminate(lines: Sequence[str]) -> tuple[str, str]:
    found = _TERMINATE.match(lines[0])
    what = next((line.partition("what():")[2].strip() for line in lines if "what():" in line), None)
    if not found:
        return "terminate", lines[0]
    return found[1] or found[2] or "terminate", "\n".join([what or found[3] or lines[0], *_after_what(lines)])


def _after_what(lines: Sequence[str]) -> list[str]:
    start = next((number for number, line in enumerate(lines) if "what():" in line), len(lines))
    return list(lines[start + 1 :])


def _abort_begins(line: str) -> object:
    return _ASSERTION.match(line) or _LIBC.match(line) or _FAULT.match(line)


def _read_abort(lines: Sequence[str]) -> tuple[str, str]:
    assertion, fault = _ASSERTION.match(lines[0]), _FAULT.match(lines[0])
    if assertion:
        return "Assertion failed", assertion[1]
    return ("abort", lines[0]) if not fault else (fault[1], fault[1])


def _sanitizer_goes_on(lines: Sequence[str], line: str) -> bool:
    if lines[0].lstrip().startswith("=="):
        return len(lines) < MAX_SANITIZER_LINES and not re.match(r"==\d+==ABORTING", lines[-1])
    if "runtime error" in lines[0] and not lines[0].startswith("WARNING"):
        return bool(re.match(r"\s+#\d+ |SUMMARY: ", line))
    return len(lines) < MAX_SANITIZER_LINES and not lines[-1].startswith(("SUMMARY: ", "====="))


def _read_sanitizer(lines: Sequence[str]) -> tuple[str, str] | None:
    found = _SANITIZER.match(lines[0])
    if not found:
        return None
    type_, message = [group for group in found.groups() if group is not None]
    if type_ == "runtime error":
        return "UndefinedBehaviorSanitizer", message
    return f"{type_}: {message.split()[0]}" if message else type_, message


TERMINATE: Final = Dialect(
    "c++", _TERMINATE.match, lambda lines, line: len(lines) < 5 and line.startswith("  "), _read_terminate
)
ABORT: Final = Dialect("c", _abort_begins, lambda *_: False, _read_abort)
SANITIZER: Final = Dialect("c++", _SANITIZER.match, _sanitizer_goes_on, _read_sanitizer)
