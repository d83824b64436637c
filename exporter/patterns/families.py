"""Joins templates that differ only in words which are values, such as the names of users and services. Pure functions.

`families` depends on the set of templates alone: not on their order, not on how often each occurred, and not on the
process. Each template is looked at in several views: a view leaves out one place, two places, or the values of all
keys. Templates that are the same in a view are compared: the words seen in a place that is left out are the values of
a variable if enough speaks for it (`evidence`). Words that say what happened (`meaning`) are never values.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from exporter.patterns.evidence import ENOUGH, STRONG, evidence, is_free, is_plural, plain_words, shared_words
from exporter.patterns.meaning import Meaning
from exporter.patterns.pieces import VARIABLE, is_placeholder, split
from exporter.patterns.views import Column, Pieces, Span, keys, numbered, pairs, single

MAX_PIECES: Final = 240  # pieces of a template; longer templates are in no family
MAX_VALUES: Final = 20  # values listed for each place of a family
ROUNDS: Final = 4
_ANY: Final = r"""((?<=[("'\[{])[^()\[\]{}"'\n]*(?=[)"'\]}])|\S*?)"""  # the text of a place, in an expression


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


class _Text(NamedTuple):
    """A template while families are looked for: its pieces, and the text that each of them had at first."""

    pieces: Pieces
    origins: Pieces


def families(templates: Collection[str]) -> dict[str, Family]:
    """Returns the family of each template that is in a family of two or more. Never raises."""
    whole = {template: split(template) for template in sorted(set(templates))}
    current = {text: _Text(pieces, pieces) for text, pieces in whole.items() if len(pieces) <= MAX_PIECES}
    for _ in range(ROUNDS):
        places = _places(sorted({text.pieces for text in current.values()}))
        if not places:
            break
        current = {template: _replace(text, places.get(text.pieces, set())) for template, text in current.items()}
    grouped = defaultdict(list)
    for template, text in current.items():
        grouped[text.pieces].append(template)
    found = {}
    for pieces, members in grouped.items():
        if len(members) > 1:
            found.update(dict.fromkeys(members, _family(members, current, pieces)))
    return found


def family_of(template: str, known: Iterable[Family]) -> Family | None:
    """Returns the family whose fixed words a template has, with a possible value at each place, else None.

    Of several, it is the one with the fewest places, then the first by its template.
    """
    fitting = [family for family in known if _fits(template, family)]
    return min(fitting, key=lambda family: (len(family.values), family.template), default=None)


def why_apart(one: str, other: str) -> str:
    """Returns one sentence that says why two templates are not one pattern, judged without the other templates."""
    left, right = split(one), split(other)
    if one == other:
        return "The templates are equal; the errors differ in their type or frame."
    if len(left) != len(right):
        return "The templates have different numbers of words."
    differing = [(a, b) for a, b in zip(left, right, strict=True) if a != b]
    for a, b in differing:
        for word in (a, b):
            if not is_free(word):
                return f"“{a}” and “{b}” differ, and “{word}” says what happened, so it is never a variable."
    if len(differing) > 2:
        return f"The templates differ in {len(differing)} places; at most 2 may differ."
    places = " and ".join(f"“{a}”/“{b}”" for a, b in differing)
    return f"Too few different values were seen at {places} to make it a variable."


def _places(texts: list[Pieces]) -> dict[Pieces, set[Span]]:
    """Returns the places of texts that are variables."""
    known = numbered(texts)
    words = single(known)
    shared = shared_words(words)
    places: dict[Pieces, set[Span]] = defaultdict(set)
    for view in (words, pairs(known), keys(known)):
        for found in view.values():
            if len(found) < 2:
                continue
            columns = _columns(found)
            chosen = [_values(column, shared) for column in columns]
            if len(columns) == 2 and not all(chosen):
                continue  # in a pair, both are values or none is
            for column, values in zip(columns, chosen, strict=True):
                for pieces, span in column:
                    if "".join(pieces[slice(*span)]) in values:
                        places[pieces].add(span)
    return places


def _columns(found: Sequence[tuple[Pieces, tuple[Span, ...]]]) -> list[Column]:
    return [[(pieces, spans[at]) for pieces, spans in found] for at in range(len(found[0][1]))]


def _values(column: Column, shared: Mapping[frozenset[str], Collection[str]]) -> set[str]:
    """Returns the words of a place that are values of a variable; the empty set if it is no variable."""
    values = {"".join(pieces[slice(*span)]) for pieces, span in column}
    if is_plural(values):
        return values
    free = {value for value in values if is_free(value)}
    pieces, span = column[0]
    score = evidence(free, pieces, span, shared.get(plain_words(free), ()))
    if score < ENOUGH:
        return set()
    least = Meaning.NAME_TOO if score >= STRONG else Meaning.NONE
    return {value for value in values if is_free(value, least)}


def _replace(text: _Text, places: set[Span]) -> _Text:
    """Returns the text with `VARIABLE` at the places; of places that overlap, the longer one counts."""
    pieces: list[str] = []
    origins: list[str] = []
    done = 0
    for start, end in sorted(places, key=lambda place: (place[0], -place[1])):
        if start >= done:
            pieces += (*text.pieces[done:start], VARIABLE)
            origins += (*text.origins[done:start], "".join(text.origins[start:end]))
            done = end
    return _Text((*pieces, *text.pieces[done:]), (*origins, *text.origins[done:]))


def _family(members: list[str], current: Mapping[str, _Text], pieces: Pieces) -> Family:
    places = [at for at, piece in enumerate(pieces) if piece == VARIABLE]
    seen = [sorted({current[member].origins[at] for member in members}) for at in places]
    counts = " and ".join(str(len(values)) for values in seen)
    where = "one place" if len(places) == 1 else f"{len(places)} places"
    reason = f"These {len(members)} templates differ in {where} only, where {counts} different values were seen."
    template = "".join("<*>" if piece == VARIABLE else piece for piece in pieces)
    return Family(template, tuple(sorted(members)), tuple(tuple(values[:MAX_VALUES]) for values in seen), reason)


def _fits(template: str, family: Family) -> bool:
    pattern, variable = _pattern(family)
    found = pattern.fullmatch(template)
    return found is not None and all(
        is_free(value) if free else is_placeholder(value) for value, free in zip(found.groups(), variable, strict=True)
    )


@lru_cache(4_096)
def _pattern(family: Family) -> tuple[re.Pattern[str], tuple[bool, ...]]:
    """Returns the expression that a member matches, with a group for each `<*>` of the family's template, and which of
    these groups are variable places; masking left the others."""
    text = re.escape(family.template).replace(re.escape("<*>"), _ANY)
    pattern = re.compile(text)
    groups = [found.groups() for found in map(pattern.fullmatch, family.members) if found]
    return pattern, tuple(any(value != "<*>" for value in values) for values in zip(*groups, strict=True))
