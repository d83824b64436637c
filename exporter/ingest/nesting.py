"""Limits how deeply the JSON of a report is nested, because some JSON readers fail on deeply nested text.

Brackets inside strings do not count: a traceback may contain a dump of JSON.
"""

from typing import Final

MAX_DEPTH: Final = 64
MAX_NESTED: Final = 20_000  # objects and arrays in one report; checking more would block the event loop for too long
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b'"{}[]'))


class NestingError(ValueError):
    """JSON that is nested too deeply, or has too many objects and arrays."""


def check_nesting(body: bytes) -> None:
    """Raises `NestingError` if `body`, which must be valid JSON, exceeds the limits. Its time is linear in the length
    of `body`. A body with at most `MAX_DEPTH` opening brackets need not be checked."""
    _check_brackets(brackets(body))


def brackets(body: bytes) -> bytes:
    """Returns the brackets outside of strings in `body`, which must be valid JSON, in their order."""
    unescaped = body.replace(rb"\\", b"").replace(rb"\"", b"")  # each remaining quote begins or ends a string
    # Two adjacent quotes have no bracket between them. Without them, few parts remain to be split.
    quoted = unescaped.translate(None, _NO_BRACKETS).replace(b'""', b"")
    return b"".join(quoted.split(b'"')[::2])


def _check_brackets(structure: bytes) -> None:
    nested = structure.count(b"{") + structure.count(b"[")
    if nested > MAX_NESTED:
        raise NestingError(f"more than {MAX_NESTED} objects and arrays")
    if nested <= MAX_DEPTH:
        return
    depth = 0
    for bracket in structure:
        if bracket in b"{[":
            depth += 1
            if depth > MAX_DEPTH:
                raise NestingError(f"nested more than {MAX_DEPTH} levels deep")
        else:
            depth -= 1
