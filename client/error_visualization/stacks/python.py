"""Python: tracebacks, also chained and of groups; fatal errors of the interpreter and faulthandler; syntax errors.

Traceback (most recent call last):
  File "a.py", line 1, in <module>
ValueError: inner

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  …
RuntimeError: outer                    <- type and message
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from error_visualization.stacks.dialect import Dialect

_HEAD: Final = re.compile(r"\s*(?:\+ )?(?:Exception Group )?Traceback \(most recent call last\):")
_CHAIN: Final = re.compile(
    r"\s*(?:\| )?(?:During handling of the above exception, another exception occurred"
    r"|The above exception was the direct cause of the following exception):"
)
_LAST: Final = re.compile(r"(?:  ?\| )?([A-Za-z_][\w.<>]*)(?:: ?(.*))?$")
_FATAL: Final = re.compile(r"Fatal Python error: ")
_FATAL_GOES_ON: Final = re.compile(
    r"\s*$|  |Current thread |Thread 0x|Python runtime state|Extension modules:|Traceback|<no Python frame>"
    r"|[A-Z]\w+Error\b"
)
_SYNTAX: Final = re.compile(r'  File "[^"]+", line \d+$')
_SYNTAX_ERROR: Final = re.compile(r"(SyntaxError|IndentationError|TabError): (.*)")


def _ended(lines: Sequence[str]) -> bool:
    """Whether the last traceback of `lines` has its last line: the type and the message."""
    for line in reversed(lines):
        if _HEAD.match(line):
            return False
        if line.strip() and not line[0].isspace() and not _CHAIN.match(line):
            return True
    return False


def _goes_on(lines: Sequence[str], line: str) -> bool:
    if not line.strip():
        return _ended(lines) and bool(lines[-1].strip())
    if _CHAIN.match(line):
        return True
    if _HEAD.match(line):
        return any(_CHAIN.match(earlier) for earlier in lines[-2:])
    if not lines[-1].strip():
        return not line[0].isalnum() and line[0] in " |+" and bool(re.match(r"\s*[|+]", line))
    if line[0].isspace():
        return True
    return not _ended(lines) and bool(_LAST.match(line))


def _read(lines: Sequence[str]) -> tuple[str, str] | None:
    head = max(number for number, line in enumerate(lines) if _HEAD.match(line) and _outermost(line, lines[0]))
    for number, line in enumerate(lines[head + 1 :], head + 1):
        found = _LAST.match(line)
        if found and not line.startswith("    "):
            rest = [] if line.startswith(" ") else [note for note in lines[number + 1 :] if note[:1].isspace()]
            return found[1], "\n".join([found[2] or "", *rest[:20]])
    return None


def _outermost(line: str, first: str) -> bool:
    """Whether a traceback's head is as far left as that of the first: those of a group's members are not."""
    return len(line) - len(line.lstrip()) <= len(first) - len(first.lstrip())


def _read_fatal(lines: Sequence[str]) -> tuple[str, str]:
    return "Fatal Python error", lines[0].partition(": ")[2]


def _read_syntax(lines: Sequence[str]) -> tuple[str, str] | None:
    found = _SYNTAX_ERROR.match(lines[-1])
    return (found[1], found[2]) if found else None


def _syntax_goes_on(lines: Sequence[str], line: str) -> bool:
    return (
        len(lines) < 4 and not _SYNTAX_ERROR.match(lines[-1]) and bool(line[:4].isspace() or _SYNTAX_ERROR.match(line))
    )


TRACEBACK: Final = Dialect("python", _HEAD.match, _goes_on, _read)
FATAL: Final = Dialect("python", _FATAL.match, lambda _, line: _FATAL_GOES_ON.match(line), _read_fatal)
SYNTAX: Final = Dialect("python", _SYNTAX.match, _syntax_goes_on, _read_syntax)
