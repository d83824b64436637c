"""Views of templates: each leaves out some places, and templates that are the same in a view are compared there.

Pure functions. They are linear in the number of templates: equal keys show what is the same, not comparisons of pairs.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations, islice
from typing import Final, NamedTuple

from exporter.patterns.meaning import Meaning, meaning
from exporter.patterns.pieces import is_placeholder, is_word, spans, values

Pieces = tuple[str, ...]
Span = tuple[int, int]  # beginning and end of a place, as indexes of pieces
View = dict[tuple[object, ...], list[tuple[Pieces, tuple[Span, ...]]]]  # what is the same → texts and what is left out
Column = Sequence[tuple[Pieces, Span]]  # one left-out place of the texts that are the same in a view

MAX_PAIRS: Final = 100  # pairs of words of a template that are looked at
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
    shared = [0, *map(common, texts, texts[1:]), 0]
    last: list[int] = []
    count = 0
    for number in range(len(texts)):
        last = last[: shared[number] + 1]
        for _ in range(len(last), max(shared[number], shared[number + 1]) + 1):
            last.append(count)
            count += 1
        yield last


def common(one: Sequence[str], other: Sequence[str]) -> int:
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
        first, last = len(pieces) - len(text.after), len(text.before) - 1
        words = [
            at
            for at, piece in enumerate(pieces)
            if at and is_word(piece) and _may_vary(piece) and pieces[at + 1 : at + 2] != ("=",)
        ]
        fixed = sum(piece[0].isalpha() for piece in pieces)
        chosen = ((i, j) for i, j in combinations(words, 2) if i <= last and j >= first)
        for i, j in islice(chosen, MAX_PAIRS):
            if fixed - pieces[i][0].isalpha() - pieces[j][0].isalpha() >= FIXED:
                view[text.key(i, j + 1), pieces[i + 1 : j]].append((pieces, ((i, i + 1), (j, j + 1))))
    return view


def keys(texts: list[Numbered]) -> View:
    """Returns the views that leave out the values of all keys."""
    view: View = defaultdict(list)
    for pieces, _, _ in texts:
        left_out = tuple(values(pieces))
        if len(left_out) > 1:
            ends = [0, *(end for _, end in left_out)]
            starts = [*(start for start, _ in left_out), len(pieces)]
            rest = tuple(pieces[end:start] for end, start in zip(ends, starts, strict=True))
            view[rest].append((pieces, left_out))
    return view


def _may_vary(piece: str) -> bool:
    return is_placeholder(piece) or meaning(piece) == Meaning.NONE
