"""Go: panics and fatal errors of the runtime, with the stacks of all goroutines.

panic: runtime error: index out of range [5] with length 3            <- type "panic" and message

goroutine 1 [running]:
main.main()
    /tmp/main.go:5 +0x1d
exit status 2
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from error_visualization.stacks.dialect import Dialect

MAX_MESSAGE_LINES: Final = 30
_BEGINS: Final = re.compile(r"(panic|fatal error|runtime): (.*)")
_GOROUTINE: Final = re.compile(r"goroutine \d+ (?:gp=\S+ .*)?\[")
_GOES_ON: Final = re.compile(
    r"\s|$|goroutine \d+ |created by |\[signal |panic: |runtime stack:|exit status \d+$|\.\.\.|FAIL\b"
    r"|\S[^ ]*\(.*\)$|(?:r[a-z0-9]{1,2}|[cfg]s|rflags|rip)\s+0x"
)


def _goes_on(lines: Sequence[str], line: str) -> bool:
    if len(lines) < MAX_MESSAGE_LINES and not any(map(_GOROUTINE.match, lines)):
        return True
    return bool(_GOES_ON.match(line))


def _read(lines: Sequence[str]) -> tuple[str, str] | None:
    found = _BEGINS.match(lines[0])
    first = next((number for number, line in enumerate(lines) if _GOROUTINE.match(line)), None)
    if not found or first is None:
        return None
    rest = [
        line
        for line in lines[1:first]
        if line.strip() and not line.startswith(("goroutine ", "runtime stack", "[signal "))
    ]
    message = "\n".join([found[2], *(line for line in rest if not line.startswith(("\t", "runtime.")))])
    return found[1], re.sub(r" \[recovered(?:, repanicked)?\]", "", message)


PANIC: Final = Dialect("go", _BEGINS.match, _goes_on, _read)
