"""Gives each event its pattern id when it is accepted, and decides whether its pattern is new.

The database process computes the families and sends what changed (`Reassigned`). The pattern id of a known fingerprint
is looked up in `KnownFingerprints`. A new fingerprint joins a known family if its template fits; this is preliminary,
because the database process then computes the families again. Runs on the event loop.

What is kept is bounded. A fingerprint that was evicted and comes again counts as new; the database process then sends
the pattern id that the database has for it.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple

from exporter.ingest.known_fingerprints import KnownFingerprints
from exporter.ingest.past import KnownFamily, Past, Reassigned
from exporter.patterns import version_1
from exporter.patterns.families import Family, KnownFamilies
from exporter.patterns.fingerprint import Pattern

MAX_FAMILIES: Final = 10_000


class Admitted(NamedTuple):
    """A new fingerprint: its pattern id, and whether its pattern is new. `alias` is the fingerprint of version 1 of the
    same report if that is known, else None."""

    pattern_id: str
    is_new_pattern: bool
    alias: str | None


class PatternIds:
    """`ids` has the pattern id of each known fingerprint, as of the last `reassign`; later fingerprints have a
    preliminary one."""

    def __init__(self, past: Past) -> None:
        self.ids = KnownFingerprints()
        for number, fingerprint in enumerate(past.assigned.known):
            self.ids.add(fingerprint, fingerprint, again=number >= past.seen_once)
        self._old = set(past.old_patterns)
        self._families = _Families()
        self.reassign(past.assigned)

    def admit(self, pattern: Pattern, type_: str, message: str, traceback: str | None) -> Admitted:
        """Adds a fingerprint that is not in `ids`. The other arguments are those of its report."""
        fingerprint = pattern.fingerprint
        alias = version_1.fingerprint(type_, message, traceback) if self._old else None
        if alias not in self._old:
            alias = None
        family_id = self._families.find(pattern)
        pattern_id = family_id or fingerprint
        self.ids.add(fingerprint, pattern_id)
        return Admitted(pattern_id, family_id is None and alias is None, alias)

    def admit_alone(self, pattern: Pattern) -> Admitted:
        """As `admit`, for a pattern that has no family and no earlier version."""
        self.ids.add(pattern.fingerprint, pattern.fingerprint)
        return Admitted(pattern.fingerprint, True, None)

    def forget(self, fingerprint: str) -> None:
        """Removes a fingerprint whose event could not be stored."""
        self.ids.pop(fingerprint)

    def reassign(self, changed: Reassigned) -> dict[str, str]:
        """Applies changed pattern ids. Returns a replacement for each pattern id that no fingerprint has any more: the
        id that most of its fingerprints have now."""
        successors: dict[str, Counter[str]] = {}
        ids: Sequence[tuple[str, str]] = changed.ids
        if changed.complete:
            new_ids = dict.fromkeys(changed.known, "") | dict(ids)
            ids = [(one, new_ids[one] or one) for one, _ in self.ids.items() if one in new_ids]
            self._families = _Families()
        for fingerprint, pattern_id in ids:
            old = self.ids.get(fingerprint) or fingerprint
            if old != pattern_id:
                successors.setdefault(old, Counter())[pattern_id] += 1
                self.ids.replace(fingerprint, pattern_id)
        for scope, families in changed.families.items():
            self._families.replace(scope, families)
        if not successors:
            return {}
        in_use = {id_ for _, id_ in self.ids.items()}
        return {old: new.most_common(1)[0][0] for old, new in successors.items() if old not in in_use}


class _Families:
    """The known families by scope. Beyond `MAX_FAMILIES`, those of the scope that was used longest ago are evicted."""

    def __init__(self) -> None:
        self._scopes: OrderedDict[str, tuple[KnownFamilies, dict[Family, str]]] = OrderedDict()
        self._count = 0

    def find(self, pattern: Pattern) -> str | None:
        """Returns the pattern id of the family that a new fingerprint fits, None if there is none."""
        if pattern.scope not in self._scopes:
            return None
        self._scopes.move_to_end(pattern.scope)
        known, ids = self._scopes[pattern.scope]
        family = known.family_of(pattern.text)
        return ids[family] if family else None

    def replace(self, scope: str, families: Sequence[KnownFamily]) -> None:
        """Replaces all families of a scope."""
        _, before = self._scopes.pop(scope, (None, {}))
        self._count -= len(before)
        if families:
            ids = dict(families)
            self._scopes[scope] = KnownFamilies(ids), ids
            self._count += len(ids)
        while self._count > MAX_FAMILIES:
            _, (_, evicted) = self._scopes.popitem(last=False)
            self._count -= len(evicted)
