"""The states of patterns and the drained workers as the verdict sees them: which errors it leaves out, and what it says
of a pattern.

    the worker is drained                     left out, named
    the pattern is muted                      left out, named
    the pattern was resolved after the error  left out
    else                                      counts

The same rules are in `store/watched.sql`, by which the facts are read again when a state changes what is left out.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from exporter.events.event import ErrorEvent
from exporter.judgement.situation import StateNote
from exporter.store.state_machine import is_return
from exporter.store.states import StateChange, StatesChanged
from exporter.store.watched import LeftOut

Why = Literal["", "drained", "muted", "resolved"]
COUNTS: Final[tuple[Why, str]] = ("", "")
_BEFORE: Final = dt.timedelta(microseconds=1)


class Key(NamedTuple):
    """What is left out: if it differs, the facts have to be counted again."""

    patterns: frozenset[tuple[str, tuple[str, ...], dt.datetime | None]]
    drained: frozenset[str]


class KnownStates:
    """Only the event loop may use it. `key` is what is left out now."""

    def __init__(self) -> None:
        self._states: dict[str, StateChange] = {}  # by anchor
        self._anchors: dict[str, str] = {}  # name of a pattern → anchor
        self._floors: dict[str, dt.datetime] = {}  # anchor → when it was resolved, naive UTC
        self._returned: set[str] = set()  # anchors of resolved patterns of which an error came, and no state yet
        self._drained: set[str] = set()
        self._notes: dict[str, StateNote] | None = {}  # None: to be made
        self.key = Key(frozenset(), frozenset())

    def apply(self, changed: StatesChanged) -> None:
        """Takes over states."""
        if changed.complete:
            self._states, self._drained = {}, set()
        self._states |= {change.anchor: change for change in changed.patterns}
        for anchor in changed.gone:
            self._states.pop(anchor, None)
        for worker in changed.workers:
            (self._drained.add if worker.drained else self._drained.discard)(worker.worker_id)
        in_order = sorted(self._states.values(), key=lambda change: change.number)
        self._anchors = {name: change.anchor for change in in_order for name in (change.pattern_id, *change.names)}
        before = self._floors
        self._floors = {change.anchor: floor for change in in_order if (floor := _floor(change)) is not None}
        self._returned = {  # not of those that were resolved again, which may be within one second
            one for one in self._returned
            if one in self._states and self._is(one, "resolved") and self._floors[one] == before.get(one)
        }  # fmt: skip
        self._notes = None
        left_out = (change for change in in_order if self._is(change.anchor, "muted") or change.anchor in self._floors)
        self.key = Key(
            frozenset((one.anchor, tuple(sorted(one.names)), self._until(one.anchor)) for one in left_out),
            frozenset(self._drained),
        )

    def why_not(self, event: ErrorEvent) -> tuple[Why, str]:
        """Returns why an error does not count, "" if it does, and the worker or pattern because of which."""
        if event.worker_id in self._drained:
            return "drained", event.worker_id
        if not self._anchors:
            return COUNTS
        anchor = self._anchors.get(event.pattern_id or event.fingerprint) or self._anchors.get(event.fingerprint)
        if anchor is None:
            return COUNTS
        if self._is(anchor, "muted"):
            return "muted", anchor
        floor = self._floors.get(anchor)
        if floor is None:
            return COUNTS
        if not is_return(event, floor):
            return "resolved", anchor
        if self._is(anchor, "resolved") and anchor not in self._returned:
            self._returned.add(anchor)  # the database says so within a second
            self._notes = None
        return COUNTS

    def notes(self) -> Mapping[str, StateNote]:
        """Returns what a sentence says of patterns, by their ids."""
        if self._notes is None:
            noted = ((change.pattern_id, self._note(change)) for change in self._states.values())
            self._notes = {pattern_id: note for pattern_id, note in noted if note is not None}
        return self._notes

    def left_out(self) -> LeftOut:
        """Returns what is left out, as the database needs it."""
        muted = [anchor for anchor in self._states if self._is(anchor, "muted")]
        resolved = [anchor for anchor in self._floors if not self._is(anchor, "muted")]
        return LeftOut(muted, resolved, [self._floors[anchor] for anchor in resolved], sorted(self._drained))

    def _note(self, change: StateChange) -> StateNote | None:
        status, by = change.state.status, change.state.by or ""
        if status == "claimed":
            return StateNote(claimed_by=by)
        if status == "regressed" or change.anchor in self._returned:
            at = change.resolved_at or (change.at if status == "resolved" else None)
            return StateNote(
                came_back=True, resolved_by=by, resolved_at=at.replace(tzinfo=dt.UTC) if at else None,
                error_id=change.error_id if status == "regressed" else None,
            )  # fmt: skip
        return None

    def _is(self, anchor: str, status: str) -> bool:
        return self._states[anchor].state.status == status

    def _until(self, anchor: str) -> dt.datetime | None:
        return None if self._is(anchor, "muted") else self._floors[anchor]


def _floor(change: StateChange) -> dt.datetime | None:
    """Returns up to when the errors of a pattern count no more, because it was resolved; None if it was not, or was
    reopened since. A pattern that was split may not know when; its state says what it can."""
    if change.resolved_at is not None:
        return change.resolved_at
    if change.state.status == "resolved":
        return change.at
    return change.at - _BEFORE if change.state.status == "regressed" else None
