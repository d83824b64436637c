"""Reads stacks that Python writes: tracebacks, chains, exception groups, faulthandler. Pure functions.

Traceback (most recent call last):                        Current thread 0x00007fb8 (most recent call first):
  File "/srv/a.py", line 3, in read                         File "/srv/a.py", line 3 in read
    raise ValueError("no")                                  File "/srv/b.py", line 9 in main
ValueError: no

During handling of the above exception, another exception occurred: / The above exception was the direct cause of …

  + Exception Group Traceback (most recent call last):
  |   File "/srv/a.py", line 9, in main
  | ExceptionGroup: two failed (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
"""

import re
from typing import Final

from exporter.patterns.stack import Chain, Frame, Raised, frame, type_name
from exporter.patterns.stack_pytest import looks_like_pytest, read_pytest

_FRAME: Final = re.compile(r'File "([^"\n]++)", line \d++(?:,?+ in ([^\n]++))?+')
_FRAME_LINE: Final = re.compile(r'^[^\S\n]*+File "([^"\n]++)", line \d++(?:,?+ in ([^\n]++))?+', re.MULTILINE)
_LINK: Final = re.compile(
    r"^[ |]*+(?:The above exception was the (direct) cause|During handling of the above)[^\n]*+", re.M
)
_LEVEL: Final = re.compile(r"^[ |]*+\+(-\+)?+-{4,}+(?: (\d++|\.\.\.) -++)?+[^\S\n]*+$", re.MULTILINE)
_MARGIN: Final = re.compile(r"^ *+[|+](?: |$)", re.MULTILINE)
_ERROR: Final = re.compile(r"^[A-Za-z_][^\n]*+", re.MULTILINE)
_THREAD: Final = re.compile(
    r"^(?:(Current thread)|Thread|Stack)\b[^\n]{0,80}?\(most recent call first\):[^\n]*+\n", re.MULTILINE
)
_SEPARATE: Final = ("above exception", "recent call first", " | ", "+-", ".py:")
INDENTATION: Final = 40  # characters before `File` in which a plain traceback must have the beginning of the line
MAX_LEAVES: Final = 20  # exceptions of a group that are read


def innermost(text: str) -> Frame | None:
    """Returns the innermost own frame of one plain traceback; the innermost frame if none is own. None if the text has
    no frame, or has another form that only `read_python` reads. Reads from the end, which is fast for long
    tracebacks."""
    for sign in _SEPARATE:
        if sign in text:
            return None
    last, end = None, len(text)
    while (start := text.rfind('File "', 0, end)) >= 0:
        end = start
        line = text.rfind("\n", max(0, start - INDENTATION), start) + 1
        if (line or start < INDENTATION) and (line == start or text[line:start].isspace()):
            found = _FRAME.match(text, start)
            if found:
                one = frame(found[1], found[2] or "")
                if one.own:
                    return one
                last = last or one
    return last


def read_python(text: str) -> list[Chain]:
    """Returns the chain of the exception, or one chain for each leaf of an exception group; empty if there is none."""
    if "recent call first" in text:
        dumped = _read_dump(text)
        if dumped:
            return [(dumped,)]
    if "+-" in text and _LEVEL.search(text):
        return _read_group(text)
    chain = _read_chain(text)
    return [chain] if chain else []


def error_line(text: str) -> str:
    """Returns the error message, which is the line after the last frame; for a group, the message of the group itself.
    "" if there is no frame."""
    level = _LEVEL.search(text) if "+-" in text else None
    if level:
        text = _MARGIN.sub("", text[: level.start()])
    end = max((found.end() for found in _FRAME_LINE.finditer(text)), default=-1)
    found = _ERROR.search(text, end) if end >= 0 else None
    return found.group() if found else ""


def _read_chain(text: str) -> Chain:
    """Returns the chain of the exceptions in `text`, in which Python writes the root cause first."""
    raised, start = [], 0
    for link in _LINK.finditer(text):
        raised.append(_read_one(text[start : link.start()], is_cause=link[1] is not None))
        start = link.end()
    raised.append(_read_one(text[start:], is_cause=False))
    return tuple([one for one in raised if one.frames or one.type])


def _read_one(text: str, *, is_cause: bool) -> Raised:
    if looks_like_pytest(text):
        return read_pytest(text, is_cause=is_cause)
    frames, end = [], 0
    for found in _FRAME_LINE.finditer(text):
        frames.append(frame(found[1], found[2] or ""))
        end = found.end()
    error = _ERROR.search(text, end)
    if not frames and (not error or "Traceback" in text):
        return Raised("", ())
    return Raised(type_name(error.group()) if error else "", tuple(reversed(frames)), is_cause)


def _read_group(text: str) -> list[Chain]:
    """Returns a chain for each exception of a group: it begins with this exception, as the cause, and ends with the
    group."""
    levels = list(_LEVEL.finditer(text))
    ends = [*(level.start() for level in levels[1:]), len(text)]
    after = text[levels[-1].end() :] if levels[-1][2] is None else ""
    outer = _read_chain(_MARGIN.sub("", text[: levels[0].start()]) + after)
    leaves: list[Chain] = []
    for number, (level, end) in enumerate(zip(levels, ends, strict=True)):
        opens = number + 1 < len(levels) and levels[number + 1][1] is not None
        if level[2] is not None and not opens and len(leaves) < MAX_LEAVES:
            leaf = _read_chain(_MARGIN.sub("", text[level.end() : end]))
            if leaf:
                leaves.append((*leaf[:-1], leaf[-1]._replace(is_cause=True), *outer))
    return leaves or ([outer] if outer else [])


def _read_dump(text: str) -> Raised | None:
    """Returns the stack that faulthandler wrote of the current thread, else of the first thread; None if it has no
    frame."""
    threads = list(_THREAD.finditer(text))
    current = next((thread for thread in threads if thread[1]), threads[0] if threads else None)
    if current is None:
        return None
    end = next((thread.start() for thread in threads if thread.start() > current.start()), len(text))
    frames = [frame(found[1], found[2] or "") for found in _FRAME_LINE.finditer(text, current.end(), end)]
    return Raised("", tuple(frames)) if frames else None
