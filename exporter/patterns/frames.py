"""Finds where an error began: the stack in the traceback or the message, and the frame in it that identifies the error.

Pure functions. The frame is the innermost one in the project's own code. Of a chain of exceptions, the root cause
decides, because exceptions that wrap it do not change where the fault is. An exception that occurred *while another was
handled* is a second fault, so the frames of both count. Of an exception group, all exceptions count; their order and
repetitions do not matter.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from exporter.patterns.failed_test import failed_test, without_tests
from exporter.patterns.stack import Chain, Frame
from exporter.patterns.stack_at import read_at
from exporter.patterns.stack_native import read_go, read_native, read_rust, without_panic
from exporter.patterns.stack_pytest import first_error
from exporter.patterns.stack_python import error_line, innermost, read_python

MAX_SEARCHED: Final = 8_192  # characters at each end of a traceback or message that are searched for frames
MAX_LINES: Final = 300  # lines at each end of them
MAX_KEYS: Final = 8  # exceptions of a group that `Place.frames` has
MAX_REMEMBERED: Final = 4_096  # characters; the places of longer stacks are not cached
REMEMBERED: Final = 1_024  # stacks in the cache

# The beginning of a stack inside a message, at the beginning of a line. A match of the group `weak` may be ordinary
# text, so it counts only if frames follow.
_BEGINS: Final = re.compile(
    r"""
      ^[^\S\n]*+(?:[|+]\ )?+(?:
          (?:Exception\ Group\ )?+Traceback\ \(most | (?:Current\ )?+[Tt]hread\ 0x | Stack\ \(most
        | (?i:stack[ -]?(?:back)?trace:|backtrace:) | C\+\+\ CapturedTraceback
        | Exception\ raised\ from\ [^\n]{1,500}\(most
        | goroutine\ \d | frame\ \#\d | \#\d++\s++(?:0x[0-9a-f]|[^\s(]++\ \() | @\ ++0x
        | at\ \S[^\n]{0,400}[):]\d*+[ {]*+$ | File\ "[^"\n]++",\ line
        | note:\ run\ with\ `RUST )
    | (?P<weak>^_{3,}\ \S | ^={5,}(?:\ [A-Z]|$) | ^(?:>|E)\ {3,}+\S | ^[^\s:]++(?<=\.py):\d++:(?:\ |$)
    | ^-{3,}\ Captured | ^[ ]{4}(?:async\ )?+def\ \w++\( | ^[^\s@]{0,200}+@[a-z][a-z-]{2,20}+://\S++(?<=\d)$)
    """,
    re.VERBOSE | re.MULTILINE,
)
_TRACEBACK: Final = "Traceback (most recent call last)"
_LINE: Final = re.compile(r"([^\s:]{1,300}+(?<=\.py)):\d++: (?=\S)")  # pytest's form `line`
_LINE_ANYWHERE: Final = re.compile(r"^[^\s:]{1,300}+(?<=\.py):\d++: (?!in )([^\n]++)", re.MULTILINE)


class Reading(NamedTuple):
    """The parts of a message: its `text` without the stack and without ids of tests, its `stack` ("" if it has none),
    and the id of the `test` that failed ("" if it names none)."""

    text: str
    stack: str
    test: str


class Place(NamedTuple):
    """Where an error began: `frames`, such as `api/test_crud.py:test_create`, and the id of the `test` that failed.
    Each is "" if it is unknown."""

    frames: str
    test: str


NOWHERE: Final = Place("", "")


def is_plain(message: str) -> bool:
    """Returns whether a message can contain neither a stack nor the id of a test. Messages that differ only in digits
    have the same result."""
    return not (
        "\n" in message
        or ".py:" in message
        or _TRACEBACK in message
        or "panicked at" in message
        or (" (" in message and "test" in message)
    )


def split(message: str, limit: int) -> Reading:
    """Splits a message into text and stack. Only the first `limit` characters can become text. If the message is
    nothing but a stack, the text is the line of the stack that has the error message, "" if there is none."""
    if "\r\n" in message:
        message = message.replace("\r\n", "\n")
    text = message[:limit]
    stack = ""
    line = _LINE.match(text) if ".py:" in text else None
    if line and "\n" not in text.rstrip():
        text, stack = text[line.end() :].rstrip(), text
    elif "\n" in text or _TRACEBACK in text or "panicked at" in text:
        text, stack = _split(text, message)
    test = failed_test(text) or (failed_test(stack) if stack else "")
    return Reading(without_tests(text) if test else text, stack, test)


def find_place(stack: str) -> Place:
    """Returns where the error of a traceback or other stack began. Never raises."""
    return _cached(stack) if len(stack) <= MAX_REMEMBERED else _find_place(stack)


def is_repeated(place: Place) -> bool:
    """Returns whether the id of the test adds nothing to the frame, because the error began in the test function
    itself."""
    name, _, test = place.test.rpartition("::")
    return place.frames == f"{name}:{test}" if name else bool(test) and place.frames.endswith(f":{test}")


def chains(stack: str) -> list[Chain]:
    """Returns the chains of exceptions of a stack: one, or one for each exception of a group; empty if there is no
    frame."""
    text = bounded(stack)
    for read in _readers(text):
        found = read(text)
        if any(one.frames for chain in found for one in chain):
            return found
    return []


def deciding(chain: Chain) -> list[tuple[str, Frame | None]]:
    """Returns type and frame of the exceptions that identify a chain. They are the root cause and, if a later exception
    occurred while an earlier one was handled, the last such exception. The type of the reported exception is "",
    because the fingerprint has it already."""
    reported = len(chain) - 1
    while reported > 0 and chain[reported - 1].is_cause:
        reported -= 1
    found = [
        ("" if number == len(chain) - 1 else chain[number].type, _frame_of(chain, number))
        for number in sorted({0, reported})
    ]
    return found[:1] if len(found) > 1 and found[0][1] == found[1][1] else found


def bounded(stack: str) -> str:
    """Returns the beginning and the end of a long stack, because the root cause may be in either. Line ends of Windows
    become those of Unix."""
    if len(stack) > 2 * MAX_SEARCHED:
        stack = stack[:MAX_SEARCHED].rpartition("\n")[0] + "\n" + stack[-MAX_SEARCHED:].partition("\n")[2]
    if stack.count("\n") > 2 * MAX_LINES:
        lines = stack.split("\n")
        stack = "\n".join(lines[:MAX_LINES] + lines[-MAX_LINES:])
    return stack.replace("\r\n", "\n") if "\r" in stack else stack


def _find_place(stack: str) -> Place:
    text = bounded(stack)
    test = failed_test(text) if "test" in text else ""
    one = innermost(text) if 'File "' in text else None
    if one is not None:
        return Place(str(one), test)
    keys = {
        " > ".join([f"{type_}@{one or ''}" if type_ else str(one or "") for type_, one in deciding(chain)])
        for chain in chains(text)
    }
    return Place("; ".join(sorted(keys)[:MAX_KEYS]), test)


_cached = lru_cache(REMEMBERED)(_find_place)


def _frame_of(chain: Chain, number: int) -> Frame | None:
    """Returns the innermost own frame of an exception. If all its frames are in libraries, a library caught the
    exception, and the frames of the library's callers are only in the exceptions that wrap it: then it returns the
    innermost own frame of these."""
    for raised in chain[number:]:
        for one in raised.frames:
            if one.own:
                return one
    return next((one for raised in chain[number:] for one in raised.frames), None)


def _readers(text: str) -> list[Callable[[str], list[Chain]]]:
    """Returns the readers of the forms that `text` may have, the likeliest first."""
    readers: list[Callable[[str], list[Chain]]] = []
    if 'File "' in text or ".py:" in text or ".pyx:" in text:
        readers.append(read_python)
    if "goroutine " in text:
        readers.append(read_go)
    if "panicked at" in text or "stack backtrace:" in text.lower():
        readers.append(read_rust)
    if "at " in text or "@" in text:
        readers.append(read_at)
    if "#" in text or "@ " in text or ": 0x" in text:
        readers.append(read_native)
    return readers


def _split(text: str, message: str) -> tuple[str, str]:
    begins = _BEGINS.search(text)
    start = begins.start() if begins else len(text)
    traceback = text.find(_TRACEBACK, 0, start)  # unlike other beginnings, it may be inside a line
    if traceback >= 0:
        start = traceback
    if start == len(text):
        panicked = without_panic(text)
        return (panicked.strip() or text, text) if panicked != text else (text, "")
    stack = bounded(message[start:])
    if begins and begins["weak"] and start == begins.start() and not chains(stack):
        return text, ""
    head = text[:start]
    if "panicked at" in head:
        head, stack = without_panic(head), bounded(message)
    head = head.strip()
    if not head:
        head = first_error(stack) or error_line(stack) or _line_error(stack)
        if not head and not chains(stack):
            return text, ""
    return head, stack


def _line_error(stack: str) -> str:
    found = _LINE_ANYWHERE.search(stack)
    return found[1] if found else ""
