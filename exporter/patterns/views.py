"""Views of templates: each leaves out some places, and templates that are the same in a view are compared there.

Pure functions. All are linear in the number of templates, since equal keys find what is the same, not comparisons.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from itertools import combinations
from typing import Final

from exporter.patterns.meaning import Meaning, meaning
from exporter.patterns.pieces import VARIABLE, is_placeholder, is_word, spans

Pieces = tuple[str, ...]
Span = tuple[int, int]  # beginning and end of a place, as indexes of pieces
View = dict[tuple[object, ...], list[tuple[Pieces, tuple[Span, ...]]]]  # what is the same → texts and what is left out
Column = Collection[tuple[Pieces, Span]]

MAX_PAIRED: Final = 12  # words of a template up to which two places at once are looked at
FIXED: Final = 3  # words of a template, besides the two


def single(texts: list[Pieces]) -> View:
    """Returns the views that leave out one word, or one run of pieces between blanks that holds a placeholder."""
    view: View = defaultdict(list)
    for pieces, before, after in _numbered(texts):
        for start, end in spans(pieces):
            view[before[start], after[end]].append((pieces, ((start, end),)))
    return view


def pairs(texts: list[Pieces]) -> View:
    """Returns the views that leave out two words, neither of them the first."""
    view: View = defaultdict(list)
    for pieces, before, after in _numbered(texts):
        words = [at for at, piece in enumerate(pieces) if at and is_word(piece) and _may_vary(piece)]
        if len(words) <= MAX_PAIRED and sum(piece[0].isalpha() for piece in pieces) >= FIXED + 2:
            for i, j in combinations(words, 2):
                view[before[i], pieces[i + 1 : j], after[j + 1]].append((pieces, ((i, i + 1), (j, j + 1))))
    return view


def keys(texts: list[Pieces]) -> View:
    """Returns the views that leave out the values of all keys (`key=value`)."""
    view: View = defaultdict(list)
    for pieces in texts:
        values = [at for at in range(1, len(pieces)) if pieces[at - 1] == "=" and is_word(pieces[at])]
        if len(values) > 1:
            rest = list(pieces)
            for at in values:
                rest[at] = VARIABLE
            view[tuple(rest)].append((pieces, tuple((at, at + 1) for at in values)))
    return view


def _may_vary(piece: str) -> bool:
    return is_placeholder(piece) or meaning(piece) == Meaning.NONE


def _numbered(texts: list[Pieces]) -> Iterator[tuple[Pieces, list[int], list[int]]]:
    """Yields each text with numbers for what stands before each of its pieces and for what stands from it on. Equal
    beginnings have equal numbers, and so have equal ends."""
    numbers: dict[tuple[bool, int, str], int] = {}
    for pieces in texts:
        before, after = [0], [0]
        for piece in pieces:
            before.append(numbers.setdefault((False, before[-1], piece), len(numbers) + 1))
        for piece in reversed(pieces):
            after.append(numbers.setdefault((True, after[-1], piece), len(numbers) + 1))
        after.reverse()
        yield pieces, before, after
