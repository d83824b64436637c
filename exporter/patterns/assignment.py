"""Computes the pattern id of each fingerprint. Pure functions.

    templates of a scope ─► families ─► groups ─► decisions by hand, in their order ─► pattern ids

A *scope* is the combination of error type, frame and test. Templates of different scopes are never in one family. A
*group* is the members of one family, or one fingerprint that is in no family. The result depends only on the set of
templates and on the decisions: two services that have seen the same templates, in any order, and have the same
decisions give every fingerprint the same id.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from exporter.patterns.families import Family, KnownFamilies, families, representatives
from exporter.patterns.fingerprint import digest

VERSION: Final = 1  # increase it with every change of the families or of this module that alters an id
MAX_TEMPLATES: Final = 2_000  # of a scope from which families are formed: those with the smallest fingerprints
Kind = Literal["merge", "split"]


class Decision(NamedTuple):
    """One decision by hand.

    merge: the patterns of `fingerprints` and `targets` become one pattern with the id `into`; later members of either
    pattern belong to it, too. split: each of `fingerprints` leaves its pattern and becomes a pattern of its own;
    `targets` are the members that stayed. `whole`: all members left, and each later member becomes a pattern of its
    own.
    """

    number: int
    kind: Kind
    fingerprints: tuple[str, ...]
    targets: tuple[str, ...] = ()
    into: str = ""
    whole: bool = False


def family_id(scope: str, template: str) -> str:
    """Returns the id of a family: 16 hex digits."""
    return digest(f"family\0{scope}\0{template}")


def participants(fingerprints: Iterable[str]) -> list[str]:
    """Returns the fingerprints of a scope from whose templates families are formed."""
    return sorted(fingerprints)[:MAX_TEMPLATES]


def grouped(texts: Mapping[str, str]) -> dict[str, Family]:
    """Returns the family of each fingerprint that is in a family. `texts` maps the fingerprints of one scope to their
    templates.

    Families are formed from `MAX_TEMPLATES` templates. Each other template joins the family that it fits, if any."""
    chosen = participants(texts)
    found = families({texts[fingerprint] for fingerprint in chosen})
    result = {fingerprint: found[texts[fingerprint]] for fingerprint in chosen if texts[fingerprint] in found}
    if len(texts) > len(chosen):
        looked_at = set(chosen)
        result |= fitting({one: text for one, text in texts.items() if one not in looked_at}, found.values())
    return result


def fitting(texts: Mapping[str, str], known: Iterable[Family]) -> dict[str, Family]:
    """Returns the family of `known` that the template of each fingerprint fits. A fingerprint whose template fits none
    is left out. `texts` maps fingerprints to templates."""
    small = {representatives(family): family for family in {family.template: family for family in known}.values()}
    family_of = KnownFamilies(small).family_of
    found = {fingerprint: family_of(text) for fingerprint, text in texts.items()}
    return {fingerprint: small[family] for fingerprint, family in found.items() if family is not None}


def newcomer(family: str) -> str:
    """Returns the key that stands for the later members of a family in `ids` of `decided` and in its result."""
    return f"newcomer of {family}"


def decided(ids: Mapping[str, str], decisions: Sequence[Decision]) -> dict[str, str]:
    """Applies `decisions` in their order. Returns the pattern id of each key of `ids`.

    `ids` maps fingerprints to the ids of their groups, before any decision. It must have all members of each group that
    a decision is about; it may have others. If `ids` has the key `newcomer(F)` for a family F, the result has the id
    that later members of F get; it lacks the key if each later member of F becomes a pattern of its own."""
    result = dict(ids)
    members: dict[str, set[str]] = defaultdict(set)
    for key, id_ in ids.items():
        members[id_].add(key)

    def move(keys: Iterable[str], to: str) -> None:
        for key in keys:
            members[result[key]].discard(key)
            members[to].add(key)
            result[key] = to

    for decision in decisions:
        about = decision.fingerprints + (decision.targets if decision.kind == "merge" else ())
        touched = {result[one] for one in about if one in result}
        affected = [key for id_ in sorted(touched) for key in members[id_]]
        if decision.kind == "merge":
            move(affected, decision.into)
            continue
        leaving = affected if decision.whole else [one for one in decision.fingerprints if one in result]
        for id_ in touched & set(leaving):  # a fingerprint that leaves was the id of the rest
            rest = list(members[id_] - set(leaving))
            alone = len(rest) == 1 and not _is_newcomer(rest[0])
            move(rest, rest[0] if alone else digest(f"rest\0{decision.number}\0{id_}"))
        for key in leaving:
            move([key], key)
    return {key: id_ for key, id_ in result.items() if not (id_ == key and _is_newcomer(key))}


def _is_newcomer(key: str) -> bool:
    return key.startswith(newcomer(""))
