"""The table `assignments`: the current pattern id of each fingerprint, as `exporter.patterns.assignment` computes it.

    projection inserts templates  ─► refresh(): families of their scopes ─┐
    POST …/merge, …/split, …/undo ─► decide(): one more decision         ─┴► new ids ─► HTTP process, with the next pong

`refresh` computes the id of every fingerprint without a row in `assignments`. It runs at each start, so fingerprints
that were inserted right before a crash get their ids then. Rows of `errors` and of the rollups have only the
fingerprint and never change: reads look up its current id.
"""

import datetime as dt
import logging
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import duckdb
import msgspec

from exporter.ingest.past import KnownFamily, Reassigned
from exporter.patterns.assignment import (
    MAX_TEMPLATES,
    VERSION,
    Decision,
    decided,
    family_id,
    fitting,
    grouped,
    newcomer,
)
from exporter.patterns.families import Family, fixed_texts, representatives
from exporter.store.database import Database
from exporter.store.sql import named

_SQL: Final = named("assign.sql")
_json = msgspec.json.Encoder().encode
_family = msgspec.json.Decoder(Family).decode
_list = msgspec.json.Decoder(list[str]).decode
_log = logging.getLogger(__name__)


class Assignments:
    """Keeps the pattern ids of `database` up to date. The caller of every method but `take_changes` must hold
    `database.writing`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._changed: dict[str, str] = {}
        self._families: dict[str, list[KnownFamily]] = {}
        self._large: set[str] = set()  # scopes with more than `MAX_TEMPLATES` templates

    def refresh(self) -> None:
        """Gives an id to each template without one, and computes the families of its scope again. If another version of
        the rules made the ids, computes all of them again. Raises `StoreError`."""
        changes = _Changes()

        def write() -> None:
            ((version,),) = self._rows("assignment_version")
            if version != VERSION:
                self._run("start_again", version=VERSION)
            pending = {scope for (scope,) in self._rows("pending")}
            if None in pending:
                self._run("adopt_old")
            if scopes := sorted(pending - {None}):
                self._regroup(scopes, changes)
                self._decide(changes)

        self._database.transact(write)
        self._note(changes)

    def decide(self, statement: str, **values: Any) -> dict[str, str]:
        """In one transaction, runs a statement that changes the table `decisions` and applies the decisions in force.
        Returns the changed pattern ids by fingerprint. Raises `StoreError`."""
        changes = _Changes()

        def write() -> None:
            self._run(statement, **values)
            self._decide(changes)

        self._database.transact(write)
        self._note(changes)
        return changes.ids

    def take_changes(self) -> Reassigned:
        """Returns the ids and families that changed since the last call. Any thread may call it."""
        with self._lock:
            taken = Reassigned(list(self._changed.items()), self._families)
            self._changed, self._families = {}, {}
        return taken

    def _note(self, changes: "_Changes") -> None:
        """Keeps committed changes for `take_changes`."""
        known = known_families(self._rows("known_families", scopes=list(changes.scopes))) if changes.scopes else {}
        with self._lock:
            self._changed |= changes.ids
            self._families |= {scope: known.get(scope, []) for scope in changes.scopes}

    def _regroup(self, scopes: Sequence[str], changes: "_Changes") -> None:
        """Computes the families of scopes, and saves the group ids of the fingerprints whose group changed."""
        before: dict[str, str | None] = {}
        scope_of: dict[str, str] = {}
        base_of: dict[str, str] = {}
        families: dict[str, tuple[str, Family]] = {}
        texts = self._texts("texts", before, scopes=scopes, limit=MAX_TEMPLATES)
        known: dict[str, set[tuple[str, ...]]] = {scope: set() for scope in scopes}
        for scope, family in self._rows("families_of", scopes=scopes):
            known[scope].add(fixed_texts(_family(family)))
        for scope, templates in texts.items():
            found = grouped(templates)
            by_template = {family.template: family for family in found.values()}
            has_changed = {fixed_texts(family) for family in by_template.values()} != known[scope]
            if len(templates) > MAX_TEMPLATES:
                self._warn_large(scope)
                if has_changed:
                    everything = self._texts("all_texts", before, scope=scope)[scope]
                    others = {one: text for one, text in everything.items() if one not in templates}
                    found |= fitting(others, by_template.values())
                    templates |= others
            if has_changed:
                changes.scopes.add(scope)
            families |= {family_id(scope, template): (scope, one) for template, one in by_template.items()}
            scope_of |= dict.fromkeys(templates, scope)
            base_of |= {one: family_id(scope, found[one].template) if one in found else one for one in templates}
        if families or changes.scopes:
            self._save_families(scopes, families)
        changed = {one: base for one, base in base_of.items() if before[one] != base}
        new = [one for one in changed if before[one] is None]
        old = [one for one in changed if before[one] is not None]
        if old:
            self._run("set_base", fingerprints=old, base_ids=[changed[one] for one in old])
        self._run("add_assignments", fingerprints=new, scopes=[scope_of[one] for one in new],
                  base_ids=[changed[one] for one in new])  # fmt: skip
        changes.ids |= changed

    def _texts(self, statement: str, before: dict[str, str | None], **values: Any) -> dict[str, dict[str, str]]:
        """Returns templates by scope and fingerprint. Adds to `before` the current group id of each fingerprint, or
        None."""
        texts: dict[str, dict[str, str]] = defaultdict(dict)
        for scope, fingerprint, text, base in self._rows(statement, **values):
            texts[scope][fingerprint] = text
            before[fingerprint] = base
        return texts

    def _save_families(self, scopes: Sequence[str], families: dict[str, tuple[str, Family]]) -> None:
        self._run("forget_families", scopes=scopes)
        if families:
            self._run(
                "add_families",
                base_ids=list(families),
                scopes=[scope for scope, _ in families.values()],
                templates=[family.template for _, family in families.values()],
                families=[_json(representatives(family)).decode() for _, family in families.values()],
            )

    def _decide(self, changes: "_Changes") -> None:
        """Applies the decisions in force to the groups that they are about, and saves the pattern ids that changed."""
        made = recorded(self._database.db)
        if made:
            self._apply([one.decision for one in made if one.undone_at is None], changes)
        if any(fingerprint != pattern_id for fingerprint, pattern_id in changes.ids.items()):
            self._run("remember_ids")

    def _apply(self, decisions: Sequence[Decision], changes: "_Changes") -> None:
        """Applies decisions to the groups that they are about."""
        about = {one for decision in decisions for one in (*decision.fingerprints, *decision.targets)}
        groups = self._rows("groups", fingerprints=sorted(about))
        families = self._rows("families_in", base_ids=sorted({base for _, base, _ in groups}))
        ids = {fingerprint: base for fingerprint, base, _ in groups} | {newcomer(base): base for base, _, _ in families}
        result = decided(ids, decisions)
        changed = {one: result[one] for one, _, before in groups if result[one] != before}
        if changed:
            self._run("set_ids", fingerprints=list(changed), pattern_ids=list(changed.values()))
        moved = [(base, scope) for base, scope, before in families if result.get(newcomer(base)) != before]
        if moved:
            later = [result.get(newcomer(base)) for base, _ in moved]
            self._run("set_family_ids", base_ids=[base for base, _ in moved], pattern_ids=later)
        changes.ids |= changed
        changes.scopes |= {scope for _, scope in moved}

    def _warn_large(self, scope: str) -> None:
        if scope not in self._large:
            self._large.add(scope)
            _log.warning(
                "%r has more than %d patterns: families are looked for in %d of them",
                scope[:200], MAX_TEMPLATES, MAX_TEMPLATES,
            )  # fmt: skip

    def _run(self, statement: str, **values: Any) -> None:
        self._database.db.execute(_SQL[statement], values or None)

    def _rows(self, statement: str, **values: Any) -> list[Any]:
        return self._database.db.execute(_SQL[statement], values or None).fetchall()


def known_families(rows: Iterable[tuple[str, str, str]]) -> dict[str, list[KnownFamily]]:
    """Converts rows of the statement `known_families` to families by scope."""
    families: dict[str, list[KnownFamily]] = defaultdict(list)
    for scope, family, pattern_id in rows:
        families[scope].append(KnownFamily(_family(family), pattern_id))
    return dict(families)


class Recorded(NamedTuple):
    """A decision as the database has it. `from_id` is the id that the merged or split pattern had. Times are naive
    UTC."""

    decision: Decision
    from_id: str
    decided_at: dt.datetime
    undone_at: dt.datetime | None


def recorded(db: duckdb.DuckDBPyConnection) -> list[Recorded]:
    """Returns all decisions, also those that were undone, oldest first. Raises duckdb.Error."""
    rows = db.execute(_SQL["decisions"]).fetchall()
    return [
        Recorded(Decision(number, kind, tuple(_list(some)), tuple(_list(targets)), into, whole), from_id, at, undone_at)
        for number, kind, some, targets, into, whole, from_id, at, undone_at in rows
    ]


class _Changes:
    """The changes of one transaction: `ids` has the new pattern ids by fingerprint, `scopes` the scopes whose families
    changed."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.scopes: set[str] = set()
