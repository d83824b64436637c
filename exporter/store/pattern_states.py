"""Keeps the states of patterns and the drained workers in the database (`state_machine.py` says what they become).

    POST …/claim, …/mute, …   ─► act()        ┐
    …/note                    ─► note only    ┤
    errors that are inserted  ─► on_events()  ├─► rows, and an entry of the audit, in one transaction
    the time                  ─► end_by_time()┘

`on_events` runs in the transaction that inserts the errors and moves the position of the log: after a crash both are
done, or both are done again. So an error reopens a resolved pattern exactly once. A state belongs to one fingerprint,
its *anchor*, and is that of the pattern which the fingerprint has now.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from exporter.events.event import ErrorEvent
from exporter.store.database import Database
from exporter.store.decisions import Refused
from exporter.store.drains import Drains
from exporter.store.read_states import noted, notes_of, pattern_state
from exporter.store.select import resolve
from exporter.store.state_machine import (
    Outcome,
    Standing,
    after_errors,
    at_time,
    claimed,
    muted,
    reopened,
    resolved,
    returned,
)
from exporter.store.state_news import StateNews
from exporter.store.state_tables import RefusedError, StateTables
from exporter.store.states import (
    Act,
    AddNote,
    ChangeState,
    Drain,
    NoteAdded,
    NoteSilence,
    StateChange,
    StateOfPattern,
    StateOfWorker,
    StatesChanged,
)

MAX_NAMES: Final = 200  # of one pattern, that the HTTP process gets


class PatternStates:
    """The caller of every method but `take_changes` must hold `database.writing`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tables = StateTables(database)
        self._drains = Drains(self._tables)
        self._news = StateNews()
        self._standings: dict[str, Standing] | None = None  # by anchor; None: to be read
        self._names: dict[str, list[str]] | None = None  # anchor → pattern id of now, then other names; None likewise
        self._anchors: dict[str, str] = {}  # name → anchor, of the states that errors may end
        # The names of each resolved pattern, by anchor: no error of them has ended the resolution yet.
        self._looked_at: dict[str, frozenset[str]] = {}
        self._ends: list[dt.datetime] = []  # of mutes and drains
        self._is_noted = False  # whether `_news` has what the database has

    def change(self, asked: ChangeState, now: dt.datetime) -> StateOfPattern | StateOfWorker | Refused | None:
        """Does what was asked for, and returns the new state; `Refused` if it is not possible. `now` is naive UTC.
        Raises `StoreError`."""
        try:
            match asked:
                case Act():
                    return self._act(asked, now)
                case AddNote():
                    return self._add_note(asked, now)
                case Drain():
                    return self._drain(asked, now)
                case NoteSilence():
                    self._note_silence(asked)
                    return None
        except RefusedError as error:
            return error.refused
        finally:
            self.note()

    def on_events(self, events: Sequence[ErrorEvent]) -> None:
        """Lets errors end states. Needs the transaction that inserts them. Raises duckdb.Error."""
        anchors = self._watched()
        if not anchors:
            return
        found: dict[str, list[ErrorEvent]] = defaultdict(list)
        for event in events:
            anchor = anchors.get(event.fingerprint) or anchors.get(event.pattern_id)
            if anchor is not None:
                found[anchor].append(event)
        standings = self._known()
        for anchor, some in found.items():
            standing, noted = after_errors(standings[anchor], some)
            if standing != standings[anchor]:
                self._save(anchor, standing, noted)
                self._standings, self._is_noted = None, False  # to be read again: the transaction may fail

    def end_by_time(self, now: dt.datetime) -> None:
        """Ends mutes and drains whose time is over; `now` is naive UTC. Raises `StoreError`."""
        self._known()
        if not any(end <= now for end in self._ends):
            return

        def write() -> None:
            in_force = set(self._in_force().values())
            for anchor, standing in self._known().items():
                outcome = at_time(standing, now)
                if outcome.action:
                    self._save(anchor, outcome.standing, [outcome], counts=anchor in in_force)
            self._drains.end_by_time(now)

        self._transact(write)
        self.note()

    def names_changed(self) -> None:
        """To be called after pattern ids changed."""
        self._names = None
        self._is_noted = False

    def note(self) -> None:
        """Compares the states with what the HTTP process was told, and keeps the differences for `take_changes`."""
        if self._is_noted:
            return
        self._look_back()
        changes = {change.anchor: change for change in self._changes()}
        self._news.note(changes, self._drains.changes(), self._tables.next() - 1)
        self._is_noted = True

    def take_changes(self) -> StatesChanged | None:
        """Returns what changed since the last call, None if nothing did. Any thread may call it."""
        return self._news.take()

    def everything(self) -> StatesChanged:
        """Returns all states, for an HTTP process that knows none. Raises duckdb.Error."""
        self._is_noted = False
        self.note()
        return self._news.everything()

    def split(self, leaving: Sequence[str], staying: Sequence[str]) -> None:
        """To be called after fingerprints were split from a pattern. Those that stay keep its state. Raises
        `StoreError`."""
        found = self._tables.rows("state_of_members", members=[*leaving, *staying])
        if staying and found and found[0]["fingerprint"] in leaving:
            anchor, into = found[0]["fingerprint"], min(staying)

            def write() -> None:
                self._tables.run("forget_state", fingerprint=into)  # an earlier one, which did not count
                self._tables.run("move_state", fingerprint=anchor, into=into)

            self._transact(write)
        self.names_changed()

    def _look_back(self) -> None:
        """Lets errors end a resolution that were stored before they belonged to the pattern: it was merged, or a family
        was found. Also looks at what a crash left. Raises `StoreError`."""
        known, names = self._known(), self._of_patterns()
        quiet = [anchor for anchor in self._in_force().values() if known[anchor].status == "resolved"]
        looked_at = self._looked_at
        new = [(anchor, name) for anchor in quiet for name in names[anchor] if name not in looked_at.get(anchor, ())]
        if new:
            ats = [known[anchor].at for anchor, _ in new]
            values = {"anchors": [anchor for anchor, _ in new], "names": [name for _, name in new], "ats": ats}
            found = self._tables.rows("returned", **values, since=min(ats))
            outcomes = {row["anchor"]: returned(known[row["anchor"]], row["id"], row["timestamp"]) for row in found}
            if outcomes:

                def write() -> None:
                    for anchor, one in outcomes.items():
                        self._save(anchor, one.standing, [one])

                self._transact(write)
        self._looked_at = {anchor: frozenset(names[anchor]) for anchor in quiet}

    def _act(self, asked: Act, now: dt.datetime) -> StateOfPattern:
        pattern_id, members, anchor = self._pattern(asked.id)
        before = self._known().get(anchor)
        after: Standing | None
        match asked.action:
            case "claim":
                after = claimed(before, asked.by, now)
            case "resolve":
                after = resolved(before, asked.by, now)
            case "mute":
                until = asked.until.astimezone(dt.UTC).replace(tzinfo=None) if asked.until else None
                after = muted(before, asked.by, now, until, asked.errors)
            case "reopen":
                after = reopened(before, asked.by, now)
        if after is None:
            raise RefusedError(409, f"the pattern {asked.id} is open already", "id")

        def write() -> None:
            if before is None:
                self._tables.make_room()
            about = {"pattern_id": pattern_id, "fingerprint": anchor, "until": after.until, "errors": asked.errors}
            entry = self._tables.enter(now, asked.action, asked.by, asked.caller, **about)
            self._tables.write(anchor, entry, after)

        self._transact(write)
        self._names = None  # a state of an earlier part of the pattern may be in force no more
        (made,) = (one for one in self._changes() if one.anchor == anchor)
        notes = notes_of(self._database.db, pattern_id, members)
        return StateOfPattern(pattern_id=pattern_id, state=made.state, notes=notes)

    def _add_note(self, asked: AddNote, now: dt.datetime) -> StateOfPattern:
        """Writes a note, which leaves the state as it is."""
        pattern_id, members, anchor = self._pattern(asked.id)
        about = {"pattern_id": pattern_id, "fingerprint": anchor, "note": asked.text}
        self._database.transact(lambda: self._tables.enter(now, "note", asked.by, asked.caller, **about))
        made = noted(self._database.db, pattern_id, members, now)
        self._news.add(NoteAdded(made.notes[0].number, pattern_id, made.state))
        return made

    def _pattern(self, id_: str) -> tuple[str, list[str], str]:
        """Returns the id of a pattern, its fingerprints, and the one to which its state belongs."""
        found = resolve(self._database.db, id_)
        if found is None:
            raise RefusedError(404, f"there is no pattern {id_}", "id")
        pattern_id, members = found
        (row,) = self._tables.rows("state_of_members", members=members) or ({"fingerprint": members[0]},)
        return pattern_id, members, row["fingerprint"]

    def _drain(self, asked: Drain, now: dt.datetime) -> StateOfWorker:
        self._drains.check(asked)
        self._transact(lambda: self._drains.write(asked, now))
        return self._drains.state(asked.id)

    def _note_silence(self, asked: NoteSilence) -> None:
        values = {"fingerprint": asked.anchor, "number": asked.number, "silence_id": asked.silence_id}
        self._transact(lambda: self._tables.run("set_silence", **values, silence_error=asked.error))

    def _save(self, anchor: str, standing: Standing, noted: Sequence[Outcome], *, counts: bool = True) -> None:
        """Writes a state that changed by itself, and what is to be noted of it. Without `counts` it keeps its number,
        because another state of the pattern was made later and goes on to count. Needs a transaction."""
        entry = None
        for outcome in noted:
            assert outcome.at is not None
            about: dict[str, Any] = {
                "pattern_id": self._of_patterns()[anchor][0],
                "fingerprint": anchor,
                "error_id": outcome.error_id,
            }
            entry = self._tables.enter(outcome.at, outcome.action, **about)
        self._tables.write(anchor, entry if counts else None, standing)

    def _known(self) -> dict[str, Standing]:
        """Returns the states by anchor."""
        if self._standings is None:
            self._standings = self._tables.standings()
            if self._standings.keys() - (self._names or {}).keys():
                self._names = None
            self._anchors = {}
            ends = [standing.until for standing in self._standings.values()]
            self._ends = [end for end in (*ends, *(row["until"] for row in self._drains.rows())) if end is not None]
        return self._standings

    def _of_patterns(self) -> dict[str, list[str]]:
        """Returns the pattern id of each anchor, followed by the other names of the pattern."""
        known = self._known()
        if self._names is None:
            names: dict[str, dict[str, None]] = {anchor: {} for anchor in known}
            for row in self._tables.rows("names_of_states", anchors=list(known)) if known else ():
                names[row["anchor"]][row["name"]] = None
            self._names = {anchor: list(some) or [anchor] for anchor, some in names.items()}
            self._anchors = {}
        return self._names

    def _in_force(self) -> dict[str, str]:
        """Returns the anchor of the state that counts, by pattern id: the last one."""
        names = self._of_patterns()
        return {names[anchor][0]: anchor for anchor in self._known()}  # in the order of their numbers

    def _watched(self) -> dict[str, str]:
        """Returns the anchors by the names of their patterns, of those states that errors may end."""
        known, names = self._known(), self._of_patterns()
        if not self._anchors:
            self._anchors = {
                name: anchor
                for anchor in self._in_force().values()
                if known[anchor].status == "resolved" or known[anchor].errors_left is not None
                for name in names[anchor]
            }
        return self._anchors

    def _changes(self) -> list[StateChange]:
        """Returns the states that count, as the HTTP process gets them."""
        known, in_force = self._known(), set(self._in_force().values())
        resolved_at = {row["fingerprint"]: row["made_at"] for row in self._tables.rows("resolutions")}
        return [
            StateChange(
                anchor=row["fingerprint"],
                number=row["number"],
                pattern_id=self._of_patterns()[row["fingerprint"]][0],
                names=tuple(self._of_patterns()[row["fingerprint"]][:MAX_NAMES]),
                state=pattern_state(row),
                at=row["made_at"],
                until=row["until"],
                regressions=row["regressions"],
                error_id=row["error_id"],
                resolved_at=resolved_at.get(row["fingerprint"]),
            )
            for row in self._tables.rows("standings")
            if row["fingerprint"] in in_force and row["fingerprint"] in known
        ]

    def _transact(self, write: Any) -> None:
        self._standings = None
        self._is_noted = False
        refused: list[RefusedError] = []

        def guarded() -> None:
            try:
                write()
            except RefusedError as error:
                refused.append(error)

        try:
            self._database.transact(guarded)
        finally:
            self._standings = None
        if refused:
            raise refused[0]
