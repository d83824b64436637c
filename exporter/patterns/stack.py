"""Types and functions that the readers of stacks of all languages share. Pure functions."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from exporter.patterns.paths import REMEMBERED, place

MAX_NAME: Final = 200  # characters of a function's name


class Frame(NamedTuple):
    """One call. `place` is the file as `paths.place` returns it, or the class. `own` is False for libraries and
    generated code."""

    place: str
    function: str
    own: bool

    def __str__(self) -> str:
        return f"{self.place}:{self.function}" if self.function and self.place else self.place or self.function


class Raised(NamedTuple):
    """One exception of a chain: its `type` without the module ("" if unknown), and its `frames`, innermost first.

    `is_cause` is True if the next exception of the chain names this one as its cause, and False if the next one
    occurred while this one was handled, or if there is no next one.
    """

    type: str
    frames: tuple[Frame, ...]
    is_cause: bool = False


Chain = tuple[Raised, ...]  # the root cause first, the reported exception last

# Additions of compilers and runtimes to the name of a function: hashes, numbers of closures, line numbers.
_ADDED: Final = re.compile(
    r"""
      (?<=_)(?=[a-f]*+\d)[0-9a-f]{7,}+(?![0-9A-Za-z]) | ::h[0-9a-f]{16}$ | (?<=_at_)\d++(?:_\d++)?+$
    | (?<=\$)\d++ | \$\$(?:Lambda|EnhancerBy|FastClassBy|SpringCGLIB|Proxy)[^\s.]*+ | (?<=\$Proxy)\d++
    | (?<=Accessor)\d++ | (?<=\.func)\d++(?:\.\d++)*+ | (?<=closure)\#\d++ | (?<=\#)\d++ | \ at\ 0x[0-9a-f]++
    | <locals>\. | \[\.\.\.\] | \ \[clone[^\]]*+\] | \ \[as\ [^\]]*+\]
    """,
    re.VERBOSE,
)


@lru_cache(REMEMBERED)
def frame(path: str, function: str) -> Frame:
    """Returns the frame of a call in the file at `path`."""
    where, own = place(path)
    return Frame(where, function_name(function), own)


def function_name(function: str) -> str:
    """Returns the name without the hashes and numbers that compilers and runtimes add."""
    return _ADDED.sub("", function[:MAX_NAME]).strip()


def type_name(text: str) -> str:
    """Returns the type at the start of an exception's text, without its module: `IOException` for
    `java.io.IOException: disk full`; "" if there is none."""
    found = _TYPE.match(text)
    return found[1].rpartition(".")[2] if found else ""


_TYPE: Final = re.compile(r"([A-Za-z_$][\w.$]{0,200}+)(?=:|\s*+$|\s\[|\s\(|\s\{)", re.MULTILINE)
