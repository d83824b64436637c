"""Limits how deeply the JSON of a report is nested, so that no reader of the stored text fails on it.

Only structure counts: a traceback that contains a dump of JSON is a text, however many brackets it has.
"""

from typing import Final

MAX_DEPTH: Final = 64
MAX_NESTED: Final = 20_000  # objects and arrays in one report; counting the depth of more blocks the event loop
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b'"{}[]'))


class NestingError(ValueError):
    """JSON that is nested too deeply, or has too many objects and arrays."""


def check_nesting(body: bytes) -> None:
    """Raises `NestingError` if `body`, which is valid JSON, is beyond the limits. Takes a time linear in its length. A
    body with at most `MAX_DEPTH` brackets need not be checked."""
    _check_brackets(brackets(body))


def brackets(body: bytes) -> bytes:
    """Returns the brackets of the valid JSON `body` that are outside of strings, in their order."""
    unescaped = body.replace(rb"\\", b"").replace(rb"\"", b"")  # each quote that is left begins or ends a string
    # Two quotes side by side have nothing between them that matters; without them, few parts are left to split.
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
