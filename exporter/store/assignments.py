"""The table `assignments`: the current pattern id of each fingerprint, as `exporter.patterns.assignment` computes it.

    projection inserts templates  ─► refresh(): families of their scopes ─┐
    POST …/merge, …/split, …/undo ─► decide(): one more decision         ─┴► new ids ─► HTTP process, with the next pong

`refresh` computes the id of every fingerprint without a row in `assignments`. It runs at each start, so fingerprints
that were inserted right before a crash get their ids then. Rows of `errors` and `rollup` have only the fingerprint and
never change: reads look up its current id.
"""

import datetime as dt
import logging
import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
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

AT_ONCE: Final = 10_000  # templates that get an id in one transaction
MAX_CHANGED: Final = 100_000  # changed ids that wait for the next pong; the HTTP process knows no more ids than that
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

    def refresh(self) -> bool:
        """Gives an id to `AT_ONCE` templates without one, and computes the families of their scopes again. If another
        version of the rules made the ids, all are computed again. Returns whether there are more templates without an
        id. Raises `StoreError`."""
        changes = _Changes()
        new: list[tuple[str, str]] = []

        def write() -> None:
            ((version,),) = self._rows("assignment_version")
            if version != VERSION:
                self._run("start_again", version=VERSION)
            pending = {scope for (scope,) in self._rows("pending")}
            if None in pending:
                self._run("adopt_old")
            if pending - {None}:
                new.extend(self._rows("next_new", limit=AT_ONCE))
                self._regroup(new, changes)
                self._decide(changes)

        self._database.transact(write)
        self._note(changes)
        return len(new) == AT_ONCE

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

    def send_again(self, fingerprints: Sequence[str]) -> None:
        """Notes the pattern ids of those `fingerprints` that have one: the HTTP process evicted them, because it keeps
        a bounded number, and took them for new. Raises `StoreError`."""
        known = self._database.read(
            lambda cursor: cursor.execute(_SQL["ids_of"], {"fingerprints": fingerprints}).fetchall()
        )
        with self._lock:
            self._changed |= dict(known)

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
            for one in list(self._changed)[:-MAX_CHANGED]:
                del self._changed[one]

    def _regroup(self, new: Sequence[tuple[str, str]], changes: "_Changes") -> None:
        """Computes the families of the scopes of new fingerprints, and saves the group ids of the fingerprints whose
        group changed. `new` are pairs of scope and fingerprint."""
        before: dict[str, str | None] = {}
        scope_of: dict[str, str] = {}
        base_of: dict[str, str] = {}
        families: dict[str, tuple[str, Family]] = {}
        large: dict[str, list[Family]] = {}
        scopes = list(dict.fromkeys(scope for scope, _ in new))
        texts = self._texts([scope for scope, _ in new], [one for _, one in new], before)
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
                    large[scope] = list(by_template.values())
            if has_changed:
                changes.scopes.add(scope)
            families |= {family_id(scope, template): (scope, one) for template, one in by_template.items()}
            scope_of |= dict.fromkeys(templates, scope)
            base_of |= {one: family_id(scope, found[one].template) if one in found else one for one in templates}
        if families or changes.scopes:
            self._save_families(scopes, families)
        added = [one for one in base_of if before[one] is None]
        self._set_base({one: base for one, base in base_of.items() if before[one] not in (None, base)}, changes)
        self._run("add_assignments", fingerprints=added, scopes=[scope_of[one] for one in added],
                  base_ids=[base_of[one] for one in added])  # fmt: skip
        changes.ids |= {one: base_of[one] for one in added}
        for scope, known_now in large.items():
            self._fit_others(scope, known_now, texts[scope], changes)

    def _fit_others(self, scope: str, known: Sequence[Family], done: Collection[str], changes: "_Changes") -> None:
        """Saves the group ids of those templates of a large scope that are not `done`: they join the families that they
        fit. Reads `AT_ONCE` templates at a time, because a scope may have hundreds of thousands."""
        after = ""
        while rows := self._rows("texts_after", scope=scope, after=after, limit=AT_ONCE):
            after = rows[-1][0]
            others = {one: text for one, text, _ in rows if one not in done}
            found = fitting(others, known)
            base_of = {one: family_id(scope, found[one].template) if one in found else one for one in others}
            self._set_base({one: base_of[one] for one, _, base in rows if base_of.get(one, base) != base}, changes)

    def _set_base(self, changed: dict[str, str], changes: "_Changes") -> None:
        if changed:
            self._run("set_base", fingerprints=list(changed), base_ids=list(changed.values()))
            changes.ids |= changed

    def _texts(
        self, scopes: Sequence[str], fingerprints: Sequence[str], before: dict[str, str | None]
    ) -> dict[str, dict[str, str]]:
        """Returns the templates that the families of the scopes of new fingerprints are formed from, and the new ones,
        by scope and fingerprint. Adds to `before` the current group id of each fingerprint, or None."""
        texts: dict[str, dict[str, str]] = defaultdict(dict)
        for scope, fingerprint, text, base in self._rows(
            "texts", scopes=scopes, fingerprints=fingerprints, limit=MAX_TEMPLATES
        ):
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
