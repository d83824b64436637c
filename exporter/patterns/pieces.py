"""Splits a template into pieces: words, placeholders, blanks and punctuation. Pure functions."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

VARIABLE: Final = "\0"  # stands for a variable place while families are looked for
MAX_ENCLOSED: Final = 40  # pieces of a text in quotes or brackets

_PIECE: Final = re.compile(
    r"""
      <(?:\w+|\*)>…?                                        # a placeholder
    | \x00
    | (?:[^\s=,;:()\[\]{}<>"'|\x00]|(?<=\w)'(?=\w))+        # a word
    | \s+ | [\s\S]
    """,
    re.VERBOSE,
)
_PLACEHOLDER: Final = re.compile(r"<(?:\w+|\*)>…?|\x00")
_NO_VALUE: Final = frozenset(["", ",", ";", ")", "]", "}"])
_KEY: Final = frozenset("=:")
_CLOSING: Final = {'"': '"', "'": "'", "(": ")", "[": "]", "{": "}"}
_ALNUM: Final = re.compile(r"\w")
_PREPOSITIONS: Final = frozenset(
    "at by to from of for with in into on onto over under before after during via as and or".split()  # noqa: SIM905
)


def split(text: str) -> tuple[str, ...]:
    """Returns the pieces of a template, which joined give the template."""
    return tuple(_PIECE.findall(text))


def is_word(piece: str) -> bool:
    """Returns whether a piece may be a value, so is more than blanks or punctuation."""
    return piece == VARIABLE or _ALNUM.search(piece) is not None or "<*>" in piece


def is_placeholder(text: str) -> bool:
    """Returns whether the whole text is what masking or a variable place left."""
    return _PLACEHOLDER.fullmatch(text) is not None


def without_placeholders(text: str) -> str:
    """Returns a text without its placeholders."""
    return _PLACEHOLDER.sub("", text)


def spans(pieces: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yields beginning and end of each place that may be variable.

    It is a word; a run of pieces between blanks that holds a placeholder, such as `LOCAL(<*>)`, without the punctuation
    at its end; the whole of what is in quotes or brackets; or where a value is missing, as in `()` and `key= `.
    """
    start = 0
    for at, piece in enumerate((*pieces, " ")):
        if piece.isspace():
            if end := _run(pieces, start, at):
                yield start, end
            start = at + 1
        elif is_word(piece):
            yield at, at + 1
        elif piece in _CLOSING:
            if end := _enclosed(pieces, at):
                yield at + 1, end
        elif piece == "=" and "".join(pieces[at + 1 : at + 2]).strip() in _NO_VALUE:
            yield at + 1, at + 1


def _run(pieces: Sequence[str], start: int, end: int) -> int:
    """Returns the end of a run of pieces that is one place, else 0."""
    while end > start and pieces[end - 1] in ",;:.":
        end -= 1
    run = pieces[start:end]
    return end if len(run) > 1 and any(map(is_placeholder, run)) and is_word(run[0]) else 0


def _enclosed(pieces: Sequence[str], opening: int) -> int:
    """Returns the end of what is in quotes or brackets if it is one place, but not one word, else 0."""
    closing = _CLOSING[pieces[opening]]
    for at in range(opening + 1, min(opening + MAX_ENCLOSED, len(pieces))):
        if pieces[at] == closing:
            return at if at != opening + 2 else 0
        if pieces[at] in _CLOSING:
            break
    return 0


def has_context(pieces: Sequence[str], start: int) -> bool:
    """Returns whether what stands before a place says that a value follows: a key, quotes or an open bracket."""
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
    return start > 0 and pieces[start - 1] in "\"'"


def is_closed(pieces: Sequence[str], start: int, end: int) -> bool:
    """Returns whether a place is a noun of its own and no part of a compound: it comes after a preposition, or before
    one, before punctuation or the end. In `worker <*> crashed` it may be a part of one, such as `worker process`."""
    before = "".join(pieces[max(start - 2, 0) : start]).strip()
    after = "".join(pieces[end : end + 2]).strip()
    return before in _PREPOSITIONS or after in _PREPOSITIONS or not _ALNUM.match(after)
