"""Rust: panics, in the form of before and since 1.73.

thread 'main' panicked at src/main.rs:4:5:
index out of bounds: the len is 3 but the index is 5                  <- message
stack backtrace:
   0: rust_begin_unwind
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from error_visualization.stacks.dialect import Dialect

_BEGINS: Final = re.compile(r"\s*thread '[^']*' (?:\(\d+\) )?(?:panicked at |has overflowed its stack)")
_OLD: Final = re.compile(r"\s*thread '[^']*' panicked at '(.*)', \S+:\d+:\d+$")
_GOES_ON: Final = re.compile(r"note: |stack backtrace:|\s+\d+: |\s+at |\s+(?:left|right): |fatal runtime error: ")


def _goes_on(lines: Sequence[str], line: str) -> bool:
    if len(lines) == 1 and not _OLD.match(lines[0]):
        return True
    return bool(_GOES_ON.match(line))


def _read(lines: Sequence[str]) -> tuple[str, str]:
    old = _OLD.match(lines[0])
    if old:
        return "panic", old[1]
    if "has overflowed its stack" in lines[0]:
        return "stack overflow", lines[0].strip()
    message = [] if len(lines) < 2 or _GOES_ON.match(lines[1]) else lines[1:5]
    if not message:
        return "panic", lines[0].strip()
    return "panic", "\n".join([message[0], *(line for line in message[1:] if re.match(r"\s+(?:left|right): ", line))])


PANIC: Final = Dialect("rust", _BEGINS.match, _goes_on, _read)
