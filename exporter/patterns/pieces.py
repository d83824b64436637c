"""Splits a template into pieces: words, placeholders, texts in quotes, blanks and punctuation. Pure functions."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

VARIABLE: Final = "\0"  # stands for a variable place while families are looked for

_PIECE: Final = re.compile(
    r"""
      <(?:\w+|\*)>…?                                        # a placeholder
    | \x00
    | "[^"\n]{1,80}" | (?<!\w)'[^'\n]{1,80}'(?!\w)          # a text in quotes
    | (?:[^\s=,;:()\[\]{}<>"'|\x00]|(?<=\w)'(?=\w))+        # a word
    | \s+ | [\s\S]
    """,
    re.VERBOSE,
)
_PLACEHOLDER: Final = re.compile(r"<(?:\w+|\*)>…?|\x00")
_ALNUM: Final = re.compile(r"\w")
_AFTER_PHRASE: Final = frozenset(
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
    """Yields beginning and end of each word, and of each run of pieces between blanks that holds a placeholder, such as
    `LOCAL(<num>)`, without the punctuation at its end."""
    start = 0
    for at, piece in enumerate((*pieces, " ")):
        if not piece.isspace():
            if at < len(pieces) and is_word(piece):
                yield at, at + 1
            continue
        end = at
        while end > start and pieces[end - 1] in ",;:.":
            end -= 1
        run = pieces[start:end]
        if len(run) > 1 and any(map(is_placeholder, run)) and is_word(run[0]):
            yield start, end
        start = at + 1


def has_context(pieces: Sequence[str], start: int) -> bool:
    """Returns whether what stands before a place says that a value follows: a key, quotes or brackets."""
    if pieces[start][0] in "\"'":
        return True
    before = pieces[start - 1] if start else ""
    if before.isspace() and start > 1 and pieces[start - 2] in "=:":
        return True
    return before in ("=", ":", "(", "[", "{", '"', "'")


def is_closed(pieces: Sequence[str], end: int) -> bool:
    """Returns whether a place ends a phrase: the end, punctuation or a preposition comes next, not another noun."""
    rest = [piece for piece in pieces[end : end + 2] if not piece.isspace()]
    return not rest or not _ALNUM.match(rest[0]) or rest[0] in _AFTER_PHRASE
