"""Node.js: uncaught errors with their properties and causes, and a full heap.

TypeError [ERR_X]: boom                                               <- type and message
    at Object.<anonymous> (/srv/a.js:1:7) {
  code: 'ERR_X'
}
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from error_visualization.stacks.dialect import Dialect

MAX_MESSAGE_LINES: Final = 12
_BEGINS: Final = re.compile(r"(?:Uncaught )?([A-Z]\w*(?:Error|Exception)|Error)(?: \[\w+\])?(?:: (.*))?$")
_FRAME: Final = re.compile(r"    at .+")
_PROPERTY: Final = re.compile(r"  .*|[}\]],?$")
_HEAP: Final = re.compile(r"FATAL ERROR: (.*)|<--- Last few GCs --->")
_HEAP_GOES_ON: Final = re.compile(r"\s*\d+: 0x|\s*$|-----|<---|\[\d+:0x|FATAL ERROR: ")


def _goes_on(lines: Sequence[str], line: str) -> bool:
    if _FRAME.match(line):
        return True
    if any(map(_FRAME.match, lines[: MAX_MESSAGE_LINES + 1])):
        return bool(_PROPERTY.match(line)) and any(earlier.endswith("{") for earlier in lines)
    return len(lines) < MAX_MESSAGE_LINES and not _BEGINS.match(line)


def _read(lines: Sequence[str]) -> tuple[str, str] | None:
    found = _BEGINS.match(lines[0])
    frame = next((number for number, line in enumerate(lines) if _FRAME.match(line)), None)
    if not found or frame is None:
        return None
    return found[1], "\n".join([found[2] or "", *lines[1:frame]])


def _read_heap(lines: Sequence[str]) -> tuple[str, str] | None:
    said = next((line for line in lines if line.startswith("FATAL ERROR: ")), None)
    return ("FATAL ERROR", said.partition(": ")[2]) if said else None


ERROR: Final = Dialect("node", _BEGINS.match, _goes_on, _read)
HEAP: Final = Dialect("node", _HEAP.match, lambda _, line: _HEAP_GOES_ON.match(line), _read_heap)
