"""Gives each event its pattern id when it is accepted, and decides whether its pattern is new.

The database process computes the families and sends what changed (`Reassigned`). The pattern id of a known fingerprint
is looked up in a dict. A new fingerprint joins a known family if its template fits; this is preliminary, because the
database process then computes the families again. Runs on the event loop.
"""

from collections import Counter
from typing import NamedTuple

from exporter.ingest.past import Past, Reassigned
from exporter.patterns import version_1
from exporter.patterns.families import Family, KnownFamilies
from exporter.patterns.fingerprint import Pattern


class Admitted(NamedTuple):
    """A new fingerprint: its pattern id, and whether its pattern is new. `alias` is the fingerprint of version 1 of the
    same report if that is known, else None."""

    pattern_id: str
    is_new_pattern: bool
    alias: str | None


class PatternIds:
    """`ids` maps each known fingerprint to its pattern id, as of the last `reassign`; later fingerprints have a
    preliminary one."""

    def __init__(self, past: Past) -> None:
        self.ids = {fingerprint: fingerprint for fingerprint in past.known_patterns}
        self._old = set(past.old_patterns)
        # scope → its families, and the pattern id of each
        self._families: dict[str, tuple[KnownFamilies, dict[Family, str]]] = {}
        self.reassign(past.assigned)

    def admit(self, pattern: Pattern, type_: str, message: str, traceback: str | None) -> Admitted:
        """Adds a fingerprint that is not in `ids`. The other arguments are those of its report."""
        fingerprint = pattern.fingerprint
        alias = version_1.fingerprint(type_, message, traceback) if self._old else None
        if alias not in self._old:
            alias = None
        known, ids = self._families.get(pattern.scope, (None, {}))
        family = known.family_of(pattern.text) if known else None
        pattern_id = self.ids[fingerprint] = ids[family] if family else fingerprint
        return Admitted(pattern_id, family is None and alias is None, alias)

    def forget(self, fingerprint: str) -> None:
        """Removes a fingerprint whose event could not be stored."""
        self.ids.pop(fingerprint, None)

    def reassign(self, changed: Reassigned) -> dict[str, str]:
        """Applies changed pattern ids. Returns a replacement for each pattern id that no fingerprint has any more: the
        id that most of its fingerprints have now."""
        successors: dict[str, Counter[str]] = {}
        ids = changed.ids
        if changed.complete:
            new_ids = dict(ids)
            ids = [(one, new_ids.get(one, one)) for one, id_ in self.ids.items() if new_ids.get(one, one) != id_]
            self._families = {}
        for fingerprint, pattern_id in ids:
            old = self.ids.get(fingerprint, fingerprint)
            if old != pattern_id:
                successors.setdefault(old, Counter())[pattern_id] += 1
            self.ids[fingerprint] = pattern_id
        for scope, families in changed.families.items():
            by_family = dict(families)
            self._families[scope] = KnownFamilies(by_family), by_family
        if not successors:
            return {}
        in_use = set(self.ids.values())
        return {old: new.most_common(1)[0][0] for old, new in successors.items() if old not in in_use}
