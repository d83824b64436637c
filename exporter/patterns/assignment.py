"""Which pattern id each fingerprint has. Pure functions.

    templates of a scope ─► families ─► groups ─► decisions by hand, in their order ─► pattern ids

A *scope* is what templates must have in common to be one pattern: error type, frame, test. Those of different scopes
are never in one family. A *group* is a set of fingerprints with one id: a family and its members, or one fingerprint
alone. The result depends on the set of templates and on the decisions only: two services that have seen the same
templates, in whatever order, give every fingerprint the same id.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final, Literal, NamedTuple

from exporter.patterns.families import Family, KnownFamilies, families, representatives

VERSION: Final = 1  # increase it with every change of the families or of this module that alters an id
MAX_TEMPLATES: Final = 2_000  # of a scope that families are looked for in: those with the smallest fingerprints
Kind = Literal["merge", "split"]


class Decision(NamedTuple):
    """One decision by hand.

    merge: the patterns of `fingerprints` and of `targets` are one, with the id `into`. Later members of either belong
    to it, too. split: `fingerprints` leave their pattern, each for a pattern of its own; `targets` were those that
    stayed. `whole`: all left, and later members also get patterns of their own.
    """

    number: int
    kind: Kind
    fingerprints: tuple[str, ...]
    targets: tuple[str, ...] = ()
    into: str = ""
    whole: bool = False


def family_id(scope: str, template: str) -> str:
    """Returns the id of a family: 16 hex digits."""
    return _digest(f"family\0{scope}\0{template}")


def participants(fingerprints: Iterable[str]) -> list[str]:
    """Returns the fingerprints of a scope whose templates families are looked for in."""
    return sorted(fingerprints)[:MAX_TEMPLATES]


def grouped(texts: Mapping[str, str]) -> dict[str, Family]:
    """Returns the family of each fingerprint that is in one, for the templates of one scope by their fingerprints.

    Families are looked for in `MAX_TEMPLATES` templates; of the others, each joins the family that it fits."""
    chosen = participants(texts)
    found = families({texts[fingerprint] for fingerprint in chosen})
    result = {fingerprint: found[texts[fingerprint]] for fingerprint in chosen if texts[fingerprint] in found}
    if len(texts) > len(chosen):
        looked_at = set(chosen)
        result |= fitting({one: text for one, text in texts.items() if one not in looked_at}, found.values())
    return result


def fitting(texts: Mapping[str, str], known: Iterable[Family]) -> dict[str, Family]:
    """Returns for each fingerprint the family of `known` that its template fits; it is left out if there is none."""
    small = {representatives(family): family for family in {family.template: family for family in known}.values()}
    family_of = KnownFamilies(small).family_of
    found = {fingerprint: family_of(text) for fingerprint, text in texts.items()}
    return {fingerprint: small[family] for fingerprint, family in found.items() if family is not None}


def newcomer(family: str) -> str:
    """Returns the key that stands for later members of a family in the argument and the result of `decided`."""
    return f"newcomer of {family}"


def decided(ids: Mapping[str, str], decisions: Sequence[Decision]) -> dict[str, str]:
    """Returns the pattern id of each key of `ids`, which has the ids of the groups without decisions. `ids` must have
    all keys of each group that a decision is about; it may have others.

    If it has the key `newcomer(F)` for the family F, the result says which id a later member of F gets; the key is left
    out where later members of F get patterns of their own."""
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
        everybody = [key for id_ in sorted(touched) for key in members[id_]]
        if decision.kind == "merge":
            move(everybody, decision.into)
            continue
        leaving = everybody if decision.whole else [one for one in decision.fingerprints if one in result]
        for id_ in touched & set(leaving):  # the id of the pattern is one of those that leave: the rest needs another
            rest = list(members[id_] - set(leaving))
            alone = len(rest) == 1 and not _is_newcomer(rest[0])
            move(rest, rest[0] if alone else _digest(f"rest\0{decision.number}\0{id_}"))
        for key in leaving:
            move([key], key)
    return {key: id_ for key, id_ in result.items() if not (id_ == key and _is_newcomer(key))}


def _is_newcomer(key: str) -> bool:
    return key.startswith(newcomer(""))


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
