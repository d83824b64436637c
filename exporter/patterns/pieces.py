"""Splits a template into pieces: words, placeholders, blanks and punctuation. Pure functions."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

VARIABLE: Final = "\0"  # a piece that stands for a variable place while families are looked for
MAX_ENCLOSED: Final = 40  # pieces of a text in quotes or brackets, or of the value of a key

_PIECE: Final = re.compile(
    r"""
      <(?:\*|test)>…?                                        # a placeholder
    | \x00
    | (?:[^\s=,;:()\[\]{}<>"'|\x00]|(?<=\w)'(?=\w))+        # a word
    | \s+ | [\s\S]
    """,
    re.VERBOSE,
)
_PLACEHOLDER: Final = re.compile(r"<(?:\*|test)>…?|\x00")
_QUOTES: Final = frozenset("\"'")
_KEY: Final = frozenset("=:")
_CLOSING: Final = {'"': '"', "'": "'", "(": ")", "[": "]", "{": "}"}
_ALNUM: Final = re.compile(r"\w")
_PREPOSITIONS: Final = frozenset(
    "at by to from of for with in into on onto over under before after during via as and or".split()  # noqa: SIM905
)


def split(text: str) -> tuple[str, ...]:
    """Returns the pieces of a template. Joined, they are the template."""
    return tuple(_PIECE.findall(text))


def is_word(piece: str) -> bool:
    """Returns whether a piece may be a value: it has a letter, a digit or a placeholder, or is a slash, the shortest
    path."""
    return piece == VARIABLE or _ALNUM.search(piece) is not None or "<*>" in piece or piece == "/"


def is_placeholder(text: str) -> bool:
    """Returns whether the whole text is one placeholder: of masking, or of a variable place."""
    return _PLACEHOLDER.fullmatch(text) is not None


def without_placeholders(text: str) -> str:
    """Returns a text without its placeholders."""
    return _PLACEHOLDER.sub("", text)


def spans(pieces: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Yields the beginning and the end of each place that may be variable.

    A place is a word; a run of pieces between blanks that contains a placeholder, such as `LOCAL(<*>)`, without the
    punctuation at its end; all pieces in quotes or brackets; or the value of a key, which may be missing as in `key= `.
    """
    start = 0
    for at, piece in enumerate((*pieces, " ")):
        if piece.isspace():
            if end := _run(pieces, start, at):
                yield start, end
            start = at + 1
        elif is_word(piece):
            if pieces[at + 1 : at + 2] != ("=",):  # a key is no place
                yield at, at + 1
        elif piece in _CLOSING:
            if end := _enclosed(pieces, at):
                yield at + 1, end
        elif piece == "=" and (end := _value(pieces, at + 1)) not in (at, at + 2):
            yield at + 1, end  # a value of one piece is not yielded here, because it is a word


def values(pieces: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yields the beginning and the end of the value of each key, in `key=value` and `key: value`."""
    for at, piece in enumerate(pieces):
        if piece == "=" and (end := _value(pieces, at + 1)) > at:
            yield at + 1, end
        elif piece == ":":
            start = at + 1 + "".join(pieces[at + 1 : at + 2]).isspace()
            after = "".join(pieces[start + 1 : start + 3]).strip()
            if start < len(pieces) and is_word(pieces[start]) and not _ALNUM.match(after) and after[:1] != "=":
                yield start, start + 1


def _run(pieces: Sequence[str], start: int, end: int) -> int:
    """Returns the end of the run of pieces from `start` to `end`, without punctuation at its end; 0 if it is no
    place."""
    while end > start and pieces[end - 1] in ",;:.":
        end -= 1
    run = pieces[start:end]
    one = len(run) > 1 and "=" not in run and is_word(run[0]) and any(map(is_placeholder, run))
    return end if one else 0


def _value(pieces: Sequence[str], start: int) -> int:
    """Returns the end of the value of a key, such as `Source{<*>}`. The value begins at `start` and may be empty.
    Returns `start - 1` if the value is in quotes or has another `=`."""
    depth = 0
    for at in range(start, min(start + MAX_ENCLOSED, len(pieces))):
        piece = pieces[at]
        if piece in "\"'=":
            return start - 1
        if piece.isspace() or (piece in ",;|" and not depth):
            return at
        if piece in "([{":
            depth += 1
        elif piece in ")]}":
            depth -= 1
            if depth < 0:
                return at
    return min(start + MAX_ENCLOSED, len(pieces))


def _enclosed(pieces: Sequence[str], opening: int) -> int:
    """Returns the end of the pieces between quotes or brackets if they are one place; 0 if not, or if it is one
    piece."""
    closing = _CLOSING[pieces[opening]]
    for at in range(opening + 1, min(opening + MAX_ENCLOSED, len(pieces))):
        if pieces[at] == closing:
            return at if at != opening + 2 else 0
        if pieces[at] in _CLOSING:
            break
    return 0


def has_context(pieces: Sequence[str], start: int) -> bool:
    """Returns whether a key, a quote or an open bracket comes before a place, so that its words are likely to be
    values."""
    closed = 0
    for at in range(start - 1, max(start - MAX_ENCLOSED, -1), -1):
        piece = pieces[at]
        if piece in _KEY and all(map(str.isspace, pieces[at + 1 : start])):
            return True
        if piece in ")]}":
            closed += 1
        elif piece in "([{":
            closed -= 1
            if closed < 0:
                return True
    return start > 0 and pieces[start - 1] in _QUOTES


def in_quotes(pieces: Sequence[str], place: tuple[int, int]) -> bool:
    """Returns whether a place is all of the text between two quotes."""
    start, end = place
    return start > 0 and end < len(pieces) and pieces[start - 1] == pieces[end] and pieces[end] in _QUOTES


def is_closed(pieces: Sequence[str], start: int, end: int) -> bool:
    """Returns whether a place ends a phrase: it comes after `=` or a preposition, or before a preposition, punctuation
    or the end. Elsewhere, as in `worker <*> crashed`, its word may be part of a compound such as `worker process`."""
    before = "".join(pieces[max(start - 2, 0) : start]).strip().lower()
    after = "".join(pieces[end : end + 2]).strip().lower()
    return before.endswith("=") or before in _PREPOSITIONS or after in _PREPOSITIONS or not _ALNUM.match(after)
