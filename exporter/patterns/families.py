"""Joins templates that differ only in words which are values, such as the names of users and services. Pure functions.

`families` depends on the set of templates alone: not on their order, not on how often each occurred, and not on the
process. A place is where templates differ while all that stands before and after it is the same. The words seen there
are taken as values of a variable if there is enough evidence for it (`_evidence`); words that say what happened
(`meaning.has_meaning`) are never values.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from exporter.patterns.meaning import has_meaning, is_symbol

MAX_PIECES: Final = 240  # words and separators of a template that are looked at; longer templates are in no family
MAX_VALUES: Final = 20  # values listed for each place of a family
ROUNDS: Final = 4
ENOUGH: Final = 4.0  # evidence that makes the words of a place values of a variable
FIRST: Final = 2.0  # more evidence is needed for the first word, which says what a text is about, and in short texts
IDENTIFIER: Final = 1.5  # evidence of a word that is built like an identifier; a plain word counts 1
MASKED: Final = 2.0  # evidence of a value that masking replaced in the same place
KNOWN: Final = 1.0  # more evidence of a word that is a value in another place
AFTER: Final = {"=": 2.0, ":": 1.0, '"': 1.0, "'": 1.0, "(": 1.0, "[": 1.0}  # evidence of what stands before a place

_VARIABLE: Final = "\0"  # stands for a variable place while families are looked for
_PIECE: Final = re.compile(r"""<(?:\w+|\*)>…?|\x00|[^\s=,;:()\[\]{}<>"'|\x00]+|\s+|[\s\S]""")
_PLACEHOLDER: Final = re.compile(r".*<(?:\w+|\*)>.*|\x00", re.DOTALL)
_IDENTIFIER: Final = re.compile(r"\w[._\-/@$\\+#]+\w|[a-z][A-Z]")


class Family(NamedTuple):
    """Templates that are one pattern.

    `template` is the text of the members with `<*>` at each place where they differ, `members` are their templates,
    sorted. `values[i]` has the values seen at the i-th of these places, sorted, at most `MAX_VALUES` of them. `reason`
    says in one sentence why these templates are one pattern.
    """

    template: str
    members: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    reason: str


class _Place(NamedTuple):
    """What all templates of a place share: the number of what stands before it, and of what stands after it."""

    before: int
    after: int


def families(templates: Collection[str]) -> dict[str, Family]:
    """Returns the family of each template that is in a family of two or more. Never raises."""
    split = {template: _split(template) for template in sorted(set(templates))}
    current = {template: pieces for template, pieces in split.items() if len(pieces) <= MAX_PIECES}
    known: frozenset[str] = frozenset()
    for _ in range(ROUNDS):
        texts = {"".join(pieces): pieces for pieces in current.values()}
        changed, values = _one_place(texts, known)
        if not changed and values <= known:
            break
        known |= values
        current = {template: changed.get("".join(pieces), pieces) for template, pieces in current.items()}
    grouped = defaultdict(list)
    for template, pieces in current.items():
        grouped["".join(pieces)].append(template)
    found = {}
    for members in grouped.values():
        if len(members) > 1:
            family = _family(members, split, current[members[0]])
            found.update(dict.fromkeys(members, family))
    return found


def family_of(template: str, known: Iterable[Family]) -> Family | None:
    """Returns the family whose fixed words a template has, with a possible value at each place, else None.

    Of several, it is the one with the fewest places, then the first by its template.
    """
    pieces = _split(template)
    fitting = [family for family in known if _fits(pieces, family)]
    return min(fitting, key=lambda family: (len(family.values), family.template), default=None)


def representatives(family: Family) -> Family:
    """Returns the family with only so many members as show at which places the members differ. `family_of` gives the
    same answers for it, and it is small: a family may have thousands of members."""
    pattern, kept = _pattern(family), [_split(family.members[0])]
    open_ = {at for at, piece in enumerate(pattern) if piece == _VARIABLE}
    for member in family.members[1:]:
        pieces = _split(member)
        if shown := {at for at in open_ if pieces[at] != kept[0][at]}:
            kept.append(pieces)
            open_ -= shown
        if not open_:
            break
    return family._replace(members=tuple("".join(pieces) for pieces in kept))


def why_apart(one: str, other: str) -> str:
    """Returns one sentence that says why two templates are not one pattern, judged without the other templates."""
    left, right = _split(one), _split(other)
    if one == other:
        return "The templates are equal; the errors differ in their type or frame."
    if len(left) != len(right):
        return "The templates have different numbers of words."
    pairs = [(a, b) for a, b in zip(left, right, strict=True) if a != b]
    for a, b in pairs:
        for word in (a, b):
            if has_meaning(word) and not _PLACEHOLDER.fullmatch(word):
                return f"“{a}” and “{b}” differ, and “{word}” says what happened, so it is never a variable."
    if len(pairs) > 2:
        return f"The templates differ in {len(pairs)} places; at most 2 may differ."
    places = " and ".join(f"“{a}”/“{b}”" for a, b in pairs)
    return f"Too few different values were seen at {places} to make it a variable."


def _split(text: str) -> tuple[str, ...]:
    return tuple(_PIECE.findall(text))


def _word(piece: str) -> bool:
    return piece[0].isalnum() or (len(piece) > 1 and not piece.isspace())


def _free(piece: str) -> bool:
    """Returns whether a variable may have this value."""
    return _PLACEHOLDER.fullmatch(piece) is not None or not has_meaning(piece)


def _one_place(
    texts: Mapping[str, tuple[str, ...]], known: frozenset[str]
) -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    """Returns the texts in which a place is a variable, with `_VARIABLE` at it, and the words that are values there."""
    variable = defaultdict(set)
    values = set()
    for found in _places(texts).values():
        free = {texts[text][at] for text, at in found if _free(texts[text][at])}
        if len(free) > 1:
            text, at = found[0]
            if _evidence(free, texts[text], at, known) >= ENOUGH:
                values |= free
                for text, at in found:
                    if texts[text][at] in free:
                        variable[text].add(at)
    changed = {
        text: tuple(_VARIABLE if at in places else piece for at, piece in enumerate(texts[text]))
        for text, places in variable.items()
    }
    return changed, frozenset(value for value in values if not _PLACEHOLDER.fullmatch(value))


def _evidence(values: set[str], pieces: Sequence[str], at: int, known: frozenset[str]) -> float:
    """Returns how much speaks for it that `values`, seen at `pieces[at]`, are values of a variable."""
    words = [value for value in values if not _PLACEHOLDER.fullmatch(value)]
    if words and len(words) == len(values) and all(map(is_symbol, words)):
        return 0.0  # an enumeration, such as the operations of NCCL
    score = sum(IDENTIFIER if _IDENTIFIER.search(word) else 1.0 for word in words)
    score += sum(KNOWN for word in words if word in known)
    if _VARIABLE in values:
        score += ENOUGH - 1
    elif len(words) < len(values):
        score += MASKED
    score += _before(pieces, at)
    fixed = sum(piece[0].isalpha() for piece in pieces) - 1
    return score - FIRST * ((at == 0) + (fixed < 2))


def _before(pieces: Sequence[str], at: int) -> float:
    """Returns the evidence of what stands before a place: a key, a quote or a bracket."""
    before = pieces[at - 1] if at else ""
    if before.isspace() and at > 1:
        before = pieces[at - 2] if pieces[at - 2] in "=:" else ""
    return AFTER.get(before, 0.0)


def _places(texts: Mapping[str, tuple[str, ...]]) -> dict[_Place, list[tuple[str, int]]]:
    """Returns for each place that two or more texts have, where it is: the text and the index of the piece."""
    numbers: dict[tuple[int, int, str], int] = {}
    places = defaultdict(list)
    for text, pieces in texts.items():
        before, after = [0], [0]
        for piece in pieces:
            before.append(numbers.setdefault((0, before[-1], piece), len(numbers) + 1))
        for piece in reversed(pieces):
            after.append(numbers.setdefault((1, after[-1], piece), len(numbers) + 1))
        after.reverse()
        for at, piece in enumerate(pieces):
            if _word(piece):
                places[_Place(before[at], after[at + 1])].append((text, at))
    return {place: found for place, found in places.items() if len(found) > 1}


def _family(members: list[str], split: Mapping[str, tuple[str, ...]], pieces: tuple[str, ...]) -> Family:
    places = [at for at, piece in enumerate(pieces) if piece == _VARIABLE]
    values = tuple(tuple(sorted({split[member][at] for member in members})[:MAX_VALUES]) for at in places)
    counts = " and ".join(str(len({split[member][at] for member in members})) for at in places)
    where = "one place" if len(places) == 1 else f"{len(places)} places"
    reason = f"These {len(members)} templates differ in {where} only, where {counts} different values were seen."
    template = "".join("<*>" if piece == _VARIABLE else piece for piece in pieces)
    return Family(template, tuple(sorted(members)), values, reason)


def _fits(pieces: Sequence[str], family: Family) -> bool:
    pattern = _pattern(family)
    return len(pattern) == len(pieces) and all(
        _free(piece) if own == _VARIABLE else own == piece for own, piece in zip(pattern, pieces, strict=True)
    )


@lru_cache(4_096)
def _pattern(family: Family) -> tuple[str, ...]:
    """Returns the pieces of a family's template, with `_VARIABLE` at the places where the members differ."""
    members = [_split(member) for member in family.members]
    return tuple(pieces[0] if len(set(pieces)) == 1 else _VARIABLE for pieces in zip(*members, strict=True))
