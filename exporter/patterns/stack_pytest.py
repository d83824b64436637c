"""Reads the tracebacks that pytest writes, in its forms `long`, `short` and `line`. Pure functions.

____________________ test_login ____________________      tests/test_login.py:44: in test_login
                                                              assert client.ready()
    def test_login():                                     E   assert False
>       assert client.ready()
E       assert False
                                                          /srv/suite/tests/test_login.py:44: assert False
tests/test_login.py:44: AssertionError
"""

import re
from typing import Final

from exporter.patterns.stack import Raised, frame, type_name

# A place in the code: the last line of a frame in the form `long`, the first in `short`, the only one in `line`.
_PLACE: Final = re.compile(
    r"^((?:[A-Za-z]:)?+[^\s:\"'>|][^:\n]*+)(?<=\.py|pyx):\d++(?::(?: in ([^\n]++)|[^\S\n]?+([^\n]*+))|[^\S\n]*+$)",
    re.MULTILINE,
)
_DEF: Final = re.compile(r"^[> ][^\S\n]*+(?:async )?+def (\w++)", re.MULTILINE)
_ERROR: Final = re.compile(r"^E {3,}+([^\n]++)", re.MULTILINE)
_CAPTURED: Final = re.compile(r"^-++ Captured ", re.MULTILINE)


def looks_like_pytest(text: str) -> bool:
    """Returns whether the text has a place in the code as pytest writes it."""
    return (".py:" in text or ".pyx:" in text) and _PLACE.search(text) is not None


def read_pytest(text: str, *, is_cause: bool) -> Raised:
    """Returns the exception with its frames. Frames of the form `line` have no function."""
    captured = _CAPTURED.search(text) if "- Captured " in text else None
    end = captured.start() if captured else len(text)
    frames, start, kind = [], 0, ""
    for found in _PLACE.finditer(text, 0, end):
        definition = None if found[2] else _DEF.search(text, start, found.start())
        frames.append(frame(found[1], found[2] or (definition[1] if definition else "")))
        start, kind = found.end(), found[3] or kind
    error = first_error(text[:end])
    type_ = type_name(kind) or type_name(error)
    if not type_ and (error or kind).startswith("assert "):
        type_ = "AssertionError"
    return Raised(type_, tuple(reversed(frames)), is_cause)


def first_error(text: str) -> str:
    """Returns the error message: the first line of the last block of lines that begin with `E`; "" if there is none."""
    first, end = "", -1
    for found in _ERROR.finditer(text):
        if found.start() != end + 1:
            first = found[1]
        end = found.end()
    return first
