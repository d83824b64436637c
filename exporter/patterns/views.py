"""Views of templates: each leaves out some places, and templates that are the same in a view are compared there.

Pure functions. They are linear in the number of templates: equal keys show what is the same, not comparisons of pairs.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final, NamedTuple

from exporter.patterns.meaning import Meaning, meaning
from exporter.patterns.pieces import VARIABLE, is_placeholder, is_word, spans

Pieces = tuple[str, ...]
Span = tuple[int, int]  # beginning and end of a place, as indexes of pieces
View = dict[tuple[object, ...], list[tuple[Pieces, tuple[Span, ...]]]]  # what is the same → texts and what is left out
Column = Sequence[tuple[Pieces, Span]]  # one left-out place of the texts that are the same in a view

MAX_PAIRED: Final = 12  # words of a template up to which two places at once are looked at
FIXED: Final = 3  # words of a template, besides the two


class Numbered(NamedTuple):
    """A text with numbers for what stands before and after its places. Equal beginnings have equal numbers, and so have
    equal ends. Numbered is only what another text has, too: beginnings of 0 to `len(before) - 1` pieces, and ends."""

    pieces: Pieces
    before: list[int]
    after: list[int]

    def key(self, start: int, end: int) -> tuple[int, int] | None:
        """Returns what stands before `start` and from `end` on, or None if no other text has the same."""
        left = len(self.pieces) - end
        return (self.before[start], self.after[left]) if start < len(self.before) and left < len(self.after) else None


def numbered(texts: list[Pieces]) -> list[Numbered]:
    """Returns the texts, which must be sorted, with their numbers."""
    backwards = sorted(pieces[::-1] for pieces in texts)
    after = {pieces[::-1]: numbers for pieces, numbers in zip(backwards, _beginnings(backwards), strict=True)}
    return [Numbered(pieces, before, after[pieces]) for pieces, before in zip(texts, _beginnings(texts), strict=True)]


def _beginnings(texts: list[Pieces]) -> Iterator[list[int]]:
    """Yields for each of the sorted texts numbers of its beginnings that another text has, from the empty one on. That
    text is a neighbour, because the texts are sorted."""
    common = [0, *map(_common, texts, texts[1:]), 0]
    last: list[int] = []
    count = 0
    for number in range(len(texts)):
        last = last[: common[number] + 1]
        for _ in range(len(last), max(common[number], common[number + 1]) + 1):
            last.append(count)
            count += 1
        yield last


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Returns the number of pieces at the beginning that two texts have in common."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def single(texts: list[Numbered]) -> View:
    """Returns the views that leave out one word, or what else is one place (`spans`)."""
    view: View = defaultdict(list)
    for text in texts:
        for span in spans(text.pieces):
            if key := text.key(*span):
                view[key].append((text.pieces, (span,)))
    return view


def pairs(texts: list[Numbered]) -> View:
    """Returns the views that leave out two words, neither of them the first."""
    view: View = defaultdict(list)
    for text in texts:
        pieces = text.pieces
        first, last = len(pieces) - len(text.after) + 1, len(text.before) - 1
        words = [at for at, piece in enumerate(pieces) if at and is_word(piece) and _may_vary(piece)]
        if len(words) > MAX_PAIRED:
            continue
        fixed = sum(piece[0].isalpha() for piece in pieces)
        for i, j in combinations(words, 2):
            if i <= last and j + 1 >= first and fixed - pieces[i][0].isalpha() - pieces[j][0].isalpha() >= FIXED:
                key = (text.key(i, j + 1), pieces[i + 1 : j])
                view[key].append((pieces, ((i, i + 1), (j, j + 1))))
    return view


def keys(texts: list[Numbered]) -> View:
    """Returns the views that leave out the values of all keys (`key=value`)."""
    view: View = defaultdict(list)
    for pieces, _, _ in texts:
        values = [at for at in range(1, len(pieces)) if pieces[at - 1] == "=" and is_word(pieces[at])]
        if len(values) > 1:
            rest = list(pieces)
            for at in values:
                rest[at] = VARIABLE
            view[tuple(rest)].append((pieces, tuple((at, at + 1) for at in values)))
    return view


def _may_vary(piece: str) -> bool:
    return is_placeholder(piece) or meaning(piece) == Meaning.NONE
