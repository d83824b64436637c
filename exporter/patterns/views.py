"""Views of templates. A view leaves out some places; templates that are equal without these places are compared there.

Pure functions. Their time is linear in the number of templates, because equal templates are found by equal keys and not
by comparing pairs.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations, islice
from typing import Final, NamedTuple

from exporter.patterns.meaning import Meaning, meaning
from exporter.patterns.pieces import is_placeholder, is_word, spans, values

Pieces = tuple[str, ...]
Span = tuple[int, int]  # beginning and end of a place, as indexes of pieces
View = dict[tuple[object, ...], list[tuple[Pieces, tuple[Span, ...]]]]  # key of the equal rest → texts, left-out places
Column = Sequence[tuple[Pieces, Span]]  # one left-out place, in each of the texts that are equal in a view

MAX_PAIRS: Final = 100  # pairs of words of one template that are left out in turn
FIXED: Final = 3  # least words of a template that a pair does not leave out


class Numbered(NamedTuple):
    """A text with numbers for its beginnings and ends, so that `key` need not compare texts. Equal beginnings of texts
    have equal numbers, and so have equal ends. `before[n]` is the number of the beginning of `n` pieces, `after[n]`
    that of the end of `n` pieces. Beginnings and ends that no other text has are not numbered, so both lists may be
    short."""

    pieces: Pieces
    before: list[int]
    after: list[int]

    def key(self, start: int, end: int) -> tuple[int, int] | None:
        """Returns the numbers of the beginning before `start` and of the end from `end` on; None if no other text has
        that beginning, or none has that end."""
        left = len(self.pieces) - end
        return (self.before[start], self.after[left]) if start < len(self.before) and left < len(self.after) else None


def numbered(texts: list[Pieces]) -> list[Numbered]:
    """Returns the texts, which must be sorted, with their numbers."""
    backwards = sorted(pieces[::-1] for pieces in texts)
    after = {pieces[::-1]: numbers for pieces, numbers in zip(backwards, _beginnings(backwards), strict=True)}
    return [Numbered(pieces, before, after[pieces]) for pieces, before in zip(texts, _beginnings(texts), strict=True)]


def _beginnings(texts: list[Pieces]) -> Iterator[list[int]]:
    """Yields the numbers of the beginnings of each text that another text has, the empty beginning first. The texts
    must be sorted: then only the neighbours of a text can have its longest shared beginning."""
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
    """Returns the length of the beginning that two texts share, in pieces."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def single(texts: list[Numbered]) -> View:
    """Returns the views that leave out one place: a word or another place of `spans`."""
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
