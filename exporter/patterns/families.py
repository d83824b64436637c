"""Joins templates that differ only in words which are values, such as the names of users and services. Pure functions.

`families` depends only on the set of templates: not on their order, and not on how often each occurred. Each template
is put into several views (`views`); a view leaves out one place, two places, or the values of all keys. Templates that
are equal in a view are compared: the words in a place that the view leaves out are the values of a variable if there is
enough `evidence`. Words that say what happened (`meaning`) are never values.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from exporter.patterns.evidence import ENOUGH, are_same, evidence, is_free, shared_words
from exporter.patterns.meaning import Meaning
from exporter.patterns.pieces import VARIABLE, in_quotes, split
from exporter.patterns.views import Column, Pieces, Span, common, keys, numbered, pairs, single

MAX_PIECES: Final = 240  # pieces of a template; longer templates are in no family
MAX_VALUES: Final = 20  # values listed for each place of a family
ROUNDS: Final = 4  # each looks for variable places in the texts of the round before
_STAR: Final = "<*>"
_OPENING: Final = frozenset("\"'([{")  # a value after one of these may contain blanks


class Family(NamedTuple):
    """Templates that are one pattern.

    `template` is the text of the members, with `<*>` at each place where they differ. `members` are their templates,
    sorted. `values[i]` are the values seen at the i-th of these places, sorted, at most `MAX_VALUES`. `reason` says in
    one sentence why these templates are one pattern.
    """

    template: str
    members: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    reason: str


class _Text(NamedTuple):
    """A template while families are looked for: its pieces, and for each piece the original text that it stands for."""

    pieces: Pieces
    origins: Pieces


def families(templates: Collection[str]) -> dict[str, Family]:
    """Returns the family of each template that is in a family, which has two or more members. Never raises."""
    whole = {template: split(template) for template in sorted(set(templates))}
    current = {text: _Text(pieces, pieces) for text, pieces in whole.items() if len(pieces) <= MAX_PIECES}
    known: set[str] = set()
    for _ in range(ROUNDS):
        places = _places(sorted({text.pieces for text in current.values()}), known)
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


class KnownFamilies:
    """Families that templates are compared with, indexed by their first word: a scope may have hundreds of families, of
    which most begin with another word than the template."""

    def __init__(self, known: Iterable[Family]) -> None:
        self._by_word: dict[str, list[Family]] = defaultdict(list)  # "": the first word is variable, or a part of it
        for family in known:
            word, blank, _ = fixed_texts(family)[0].partition(" ")
            self._by_word[word if blank else ""].append(family)

    def family_of(self, template: str) -> Family | None:
        """Returns the family that a template fits, None if there is none. A template fits if it has the fixed texts of
        the family, with a possible value at each place.

        If it fits several, the family with the fewest places is returned, among these the first by its template.
        """
        words = {template.partition(" ")[0], ""}
        fitting = [one for word in words for one in self._by_word.get(word, ()) if _fits(template, one)]
        return min(fitting, key=lambda family: (len(family.values), family.template), default=None)


def representatives(family: Family) -> Family:
    """Returns the family with only those members that `KnownFamilies` needs, which gives the same answers for both. A
    family may have thousands of members."""
    fixed = family.template.split(_STAR)
    missing = set(range(len(fixed) - 1))
    kept: list[str] = []
    for member in family.members:
        seen = _align(member, fixed) or []
        shown = {at for at in missing if at < len(seen) and seen[at] != _STAR}
        if shown or not kept:
            kept.append(member)
            missing -= shown
        if not missing:
            break
    return family._replace(members=tuple(kept))


def why_apart(one: str, other: str) -> str:
    """Returns one sentence that says why two templates are not one pattern. It considers only these two templates."""
    left, right = split(one), split(other)
    if one == other:
        return "The templates are equal; the errors differ in their type or frame."
    if len(left) != len(right):
        before = common(left, right)
        after = common(left[before:][::-1], right[before:][::-1])
        middle = ["".join(pieces[before : len(pieces) - after]).strip() or "nothing" for pieces in (left, right)]
        return f"One has “{middle[0]}” where the other has “{middle[1]}”, which is not one word for another."
    places = [at for at, pair in enumerate(zip(left, right, strict=True)) if pair[0] != pair[1]]
    for word in (pieces[at] for at in places for pieces in (left, right)):
        if not is_free(word, Meaning.NAME_TOO):
            return f"They differ in “{word}”, which says what happened and so is never a variable."
    if len(places) > 2:
        return f"The templates differ in {len(places)} places; at most two may differ, and values of keys."
    differing = " and ".join(f"“{left[at]}” or “{right[at]}”" for at in places)
    if not places[0]:
        return f"They begin with {differing}, and the first word says what a message is about."
    return f"Too few different values were seen in the place of {differing} to make it a variable."


def _places(texts: list[Pieces], known: set[str]) -> dict[Pieces, set[Span]]:
    """Returns the variable places of each text, and adds the values seen there to `known`."""
    with_numbers = numbered(texts)
    words = single(with_numbers)
    shared = shared_words(words)
    before = frozenset(known)
    places: dict[Pieces, set[Span]] = defaultdict(set)
    for view in (words, pairs(with_numbers), keys(with_numbers)):
        for found in view.values():
            if len(found) < 2:
                continue
            columns = _columns(found)
            chosen = [_values(column, shared, before) for column in columns]
            if len(columns) == 2 and not all(chosen):
                continue  # of two places, both are variable or neither
            for column, values in zip(columns, chosen, strict=True):
                known |= values
                for pieces, span in column:
                    if "".join(pieces[slice(*span)]) in values:
                        places[pieces].add(span)
    return places


def _columns(found: Sequence[tuple[Pieces, tuple[Span, ...]]]) -> list[Column]:
    return [[(pieces, spans[at]) for pieces, spans in found] for at in range(len(found[0][1]))]


def _values(column: Column, shared: Mapping[tuple[str, str], int], known: Collection[str]) -> set[str]:
    """Returns the words of a place that are values of a variable; the empty set if the place is no variable."""
    values = {"".join(pieces[slice(*span)]) for pieces, span in column}
    if are_same(values):
        return values
    pieces, span = column[0]
    names = {value for value in values if is_free(value, Meaning.NAME_TOO)}
    free = names if in_quotes(pieces, span) else {value for value in names if is_free(value)}
    return names if evidence(free, pieces, span, shared, known) >= ENOUGH else set()


def _replace(text: _Text, places: set[Span]) -> _Text:
    """Returns the text with `VARIABLE` at the places. Of places that overlap, the first counts; of those with the same
    beginning, the longest."""
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
    template = "".join(_STAR if piece == VARIABLE else piece for piece in pieces)
    return Family(template, tuple(sorted(members)), tuple(tuple(values[:MAX_VALUES]) for values in seen), reason)


def _fits(template: str, family: Family) -> bool:
    fixed = fixed_texts(family)
    values = _align(template, fixed)
    return values is not None and all(
        is_free(value, Meaning.NAME_TOO) and (before[-1:] in _OPENING or not any(map(str.isspace, value)))
        for before, value in zip(fixed, values, strict=False)
    )


@lru_cache(4_096)
def fixed_texts(family: Family) -> tuple[str, ...]:
    """Returns the texts between the variable places of a family. They include a `<*>` that all members have, because
    masking made it. They alone decide which templates fit the family; its `template` does not tell the two kinds of
    `<*>` apart."""
    parts = family.template.split(_STAR)
    aligned = (_align(member, parts) for member in family.members)
    seen = [values for values in aligned if values is not None]
    if not seen:
        return tuple(parts)
    fixed = [parts[0]]
    for part, values in zip(parts[1:], zip(*seen, strict=True), strict=True):
        if all(value == _STAR for value in values):
            fixed[-1] += _STAR + part
        else:
            fixed.append(part)
    return tuple(fixed)


def _align(text: str, fixed: Sequence[str]) -> list[str] | None:
    """Returns the texts between the fixed parts, each as short as possible; None if `text` lacks a part. `text` must
    begin with the first part and end with the last."""
    if not text.startswith(fixed[0]) or len(fixed) == 1:
        return [] if [text] == [*fixed] else None
    values = []
    at = len(fixed[0])
    for part in fixed[1:-1]:
        end = text.find(part, at)
        if end < 0:
            return None
        values.append(text[at:end])
        at = end + len(part)
    end = len(text) - len(fixed[-1])
    return [*values, text[at:end]] if end >= at and text.endswith(fixed[-1]) else None
