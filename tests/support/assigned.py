"""The pattern ids that a service must have come to, as one function of all templates and decisions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from exporter.patterns.assignment import Decision, decided, family_id, grouped
from exporter.patterns.families import Family


class Template(NamedTuple):
    """What is known of a fingerprint: its scope and its masked message."""

    scope: str
    text: str


class Assigned(NamedTuple):
    """The pattern id of a fingerprint, and the family that it is in by its template, None if there is none. A decision
    by hand may have taken the fingerprint out of the family: the id is then another one than the family's."""

    pattern_id: str
    family: Family | None


def assign(templates: Mapping[str, Template], decisions: Sequence[Decision] = ()) -> dict[str, Assigned]:
    """Returns what each fingerprint of `templates` is assigned to. `decisions` are those in force, in their order."""
    by_scope: dict[str, dict[str, str]] = defaultdict(dict)
    for fingerprint, (scope, text) in templates.items():
        by_scope[scope][fingerprint] = text
    families_of: dict[str, Family] = {}
    ids: dict[str, str] = {}
    for scope, texts in by_scope.items():
        found = grouped(texts)
        families_of |= found
        ids |= {one: family_id(scope, found[one].template) if one in found else one for one in texts}
    ids = decided(ids, decisions)
    return {fingerprint: Assigned(ids[fingerprint], families_of.get(fingerprint)) for fingerprint in templates}
