"""Keeps the facts of the verdict, from the events of the log in their order, in bounded memory.

    a report that is late, or imported   counts only as late, and as the last critical error
    of a drained worker                  counts nowhere (`states.py`); named for some minutes
    of a muted or resolved pattern       only says that its worker is not silent; named, if it is muted
    any other report                     its worker is not silent, unless it is critical
        critical                         belongs to an episode; episodes that an error brings together become one
        warning                          belongs to its minute

The facts depend on the times of the errors and not on the order in which these were accepted.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from exporter.events.event import ErrorEvent
from exporter.judgement.findings import surge_from
from exporter.judgement.situation import (
    LATE_NOTE_SECONDS,
    LATE_SECONDS,
    MEMORY_SECONDS,
    RECOVERY_SECONDS,
    WINDOW_SECONDS,
    Aside,
    Episode,
    Late,
    Situation,
    Surge,
    Usual,
    Where,
)
from exporter.judgement.states import KnownStates, Why
from exporter.judgement.suspects import Suspects
from exporter.judgement.tally import MAX_KEY, Tally
from exporter.store.watched import Watched

MAX_EPISODES: Final = 3  # an error may bring the two newest together
MINUTE: Final = 60
MINUTES: Final = WINDOW_SECONDS // MINUTE  # of the window, the present one among them
MAX_MINUTES: Final = MEMORY_SECONDS // MINUTE
RECENT_WORKERS: Final = 1_000  # whose warnings are counted in each minute of the window
RECENT_PATTERNS: Final = 500
MAX_ASIDE: Final = 500  # muted patterns and drained workers whose errors are told apart in each minute
MANY: Final = 10_000  # warnings in a window, from which on their workers are counted once a second
KEPT: Final = dt.timedelta(seconds=1)
GAP: Final = dt.timedelta(seconds=RECOVERY_SECONDS)
LATE: Final = dt.timedelta(seconds=LATE_SECONDS)
LATE_NOTE: Final = dt.timedelta(seconds=LATE_NOTE_SECONDS)
MEMORY: Final = dt.timedelta(seconds=MEMORY_SECONDS)


class Spell:
    """Critical errors without a pause of `RECOVERY_SECONDS`."""

    __slots__ = ("began_before", "first", "last", "tally")

    def __init__(self, first: dt.datetime, last: dt.datetime, tally: Tally, *, began_before: bool = False) -> None:
        self.first = first
        self.last = last
        self.tally = tally
        self.began_before = began_before


class Watch:
    """The facts up to the event `position`. Only the event loop may use it."""

    def __init__(
        self, position: int = 0, reset_at: dt.datetime | None = None, states: KnownStates | None = None
    ) -> None:
        self._states = states or KnownStates()
        self.position = position
        self.reset_at = reset_at
        self.last_critical: dt.datetime | None = None
        self.last_report: dt.datetime | None = None
        self.received_at: dt.datetime | None = None  # of the event at `position`
        self._spells: list[Spell] = []  # the oldest first
        self._minutes: dict[int, list[int]] = {}  # since the epoch → critical errors, warnings
        self._recent: dict[int, Tally] = {}  # minute → its warnings
        self._aside: dict[int, dict[tuple[Why, str], int]] = {}  # minute → errors that do not count, by why and whose
        self._suspects = Suspects()
        self._late: Late | None = None
        self._known_where: tuple[Where | None, dt.datetime] = (None, dt.datetime.min.replace(tzinfo=dt.UTC))

    def on_events(self, events: Sequence[ErrorEvent]) -> None:
        """Adds events. Those up to `position` are in already."""
        for event in events:
            if event.id > self.position:
                self._add(event)
                self.received_at = event.received_at
                self.position = event.id

    def _add(self, event: ErrorEvent) -> None:
        received, at = event.received_at, min(event.timestamp, event.received_at)
        is_critical = event.severity == "critical"
        if is_critical:
            self.last_critical = max(self.last_critical or at, at)
        if event.imported or received - at >= LATE:
            self._add_late(at, received)
            return
        self.last_report = max(self.last_report or received, received)
        why, about = self._states.why_not(event)
        if why != "drained":
            self._suspects.note(event.worker_id[:MAX_KEY], at, event.id, is_critical=is_critical and not why)
        if why:
            if event.severity != "info":
                self._set_aside(_minute(at), why, about, 1)
        elif is_critical:
            if self.reset_at is None or at > self.reset_at:
                self._count(at, 0)
                self._spell(at).tally.add(event)
        elif event.severity == "warning":
            minute = self._count(at, 1)
            if minute > _minute(received) - MINUTES:
                self._tally(minute).add(event)

    def _set_aside(self, minute: int, why: Why, about: str, errors: int) -> None:
        if why == "resolved":
            return
        aside = self._aside.get(minute)
        if aside is None:
            if len(self._aside) >= 2 * MINUTES:
                for old in sorted(self._aside)[:MINUTES]:
                    del self._aside[old]
            aside = self._aside[minute] = {}
        key = (why, about)
        if key not in aside and len(aside) >= MAX_ASIDE:
            key = (why, "")
        aside[key] = aside.get(key, 0) + errors

    def states_changed(self) -> None:
        """To be called after a state changed: what it says of a pattern holds at once."""
        self._known_where = (None, self._known_where[1])

    def _add_late(self, at: dt.datetime, received: dt.datetime) -> None:
        late = self._late
        if late is None or received - late.received_at >= LATE_NOTE:
            self._late = Late(1, at, at, received)
        else:
            self._late = Late(
                late.reports + 1, min(late.first, at), max(late.last, at), max(late.received_at, received)
            )

    def _count(self, at: dt.datetime, place: int) -> int:
        minute = _minute(at)
        counts = self._minutes.get(minute)
        if counts is None:
            if len(self._minutes) >= 2 * MAX_MINUTES:
                for old in sorted(self._minutes)[:MAX_MINUTES]:
                    del self._minutes[old]
            counts = self._minutes[minute] = [0, 0]
        counts[place] += 1
        return minute

    def _tally(self, minute: int) -> Tally:
        tally = self._recent.get(minute)
        if tally is None:
            if len(self._recent) >= 2 * MINUTES:
                for old in sorted(self._recent)[:MINUTES]:
                    del self._recent[old]
            tally = self._recent[minute] = Tally(RECENT_WORKERS, RECENT_PATTERNS)
        return tally

    def _spell(self, at: dt.datetime) -> Spell:
        """Returns the spell of a critical error, which may bring spells together."""
        near = [one for one in self._spells if one.first - GAP < at < one.last + GAP]
        if not near:
            near = [Spell(at, at, Tally())]
            self._spells = sorted([*self._spells, *near], key=lambda one: one.first)[-MAX_EPISODES:]
        first, *others = near
        for other in others:
            first.tally.join(other.tally)
            first.last = max(first.last, other.last)
            self._spells.remove(other)
        first.first, first.last = min(first.first, at), max(first.last, at)
        return first

    def reset(self, at: dt.datetime) -> None:
        """Forgets the critical errors up to `at`, and the workers that are silent since: somebody knows of them."""
        self.reset_at = at
        self._spells = [one for one in self._spells if one.first > at]
        for minute, counts in self._minutes.items():
            if minute <= _minute(at):
                counts[0] = 0
        self._suspects.forget(at)

    def replace_patterns(self, gone: Mapping[str, str]) -> None:
        """Counts errors under the current ids of their patterns. `gone` maps each id that is gone to its successor."""
        self._known_where = (None, self._known_where[1])
        for tally in (*(one.tally for one in self._spells), *self._recent.values()):
            for old, new in gone.items():
                tally.rename(old, new)

    def resume(self, watched: Watched, now: dt.datetime) -> None:
        """Restores the facts from the database. Call it before anything else."""
        self.position, self.received_at = watched.position, watched.last_report
        self.last_critical, self.last_report = watched.last_critical, watched.last_report
        for minute, critical, warnings in watched.minutes:
            self._minutes[minute] = [critical, warnings]
        for spell in watched.spells:
            before = spell.first - GAP < now - MEMORY
            self._spells.append(Spell(spell.first, spell.last, Tally.of(spell.tallied), began_before=before))
        for minute, tallied in watched.recent:
            self._recent[minute] = Tally.of(tallied, RECENT_WORKERS, RECENT_PATTERNS)
        for minute, why, about, errors in watched.aside:
            self._set_aside(minute, why, about, errors)
        for one in watched.workers:
            self._suspects.restore(one)
        if self.reset_at:
            self._suspects.forget(self.reset_at)
        if watched.late:
            late = watched.late
            self._late = Late(late.reports, late.first, late.last, late.received_at)

    def situation(self, now: dt.datetime, usual: Usual | None = None) -> Situation:
        """Returns the facts at a moment. Whether the service is behind the log is not among them."""
        minute = _minute(now)
        in_window = {one: self._minutes[one] for one in range(minute - MINUTES + 1, minute + 1) if one in self._minutes}
        warnings = sum(counts[1] for counts in in_window.values())
        spell = self._spells[-1] if self._spells else None
        aside = {one: self._aside[one] for one in range(minute - MINUTES + 1, minute + 1) if one in self._aside}
        first = min((*in_window, *aside), default=None)
        return Situation(
            now=now,
            episode=self._episode(spell) if spell else None,
            critical_in_window=sum(counts[0] for counts in in_window.values()),
            warnings=self._surge(now, warnings, surge_from(usual)),
            window_changes_at=_moment(first + MINUTES) if first is not None else None,
            suspects=self._suspects.at(now),
            late=self._late,
            usual=usual,
            last_critical=self.last_critical,
            last_report=self.last_report,
            reset_at=self.reset_at,
            aside=_summed(aside.values()),
            seq=self.position,
        )

    def _surge(self, now: dt.datetime, warnings: int, least: float) -> Surge | None:
        if warnings < least:
            return None
        minute = _minute(now)
        began, sum_ = minute, warnings
        while minute - began < MAX_MINUTES:
            sum_ += self._warnings(began - MINUTES) - self._warnings(began)
            if sum_ < least:
                break
            began -= 1
        where = self._recent_where(now)
        return Surge(warnings, _moment(began), where) if where else None

    def _recent_where(self, now: dt.datetime) -> Where | None:
        """Returns where the warnings of the window came from; of very many, as it was up to a second ago."""
        known, at = self._known_where
        if known is not None and known.errors >= MANY and dt.timedelta() <= now - at < KEPT:
            return known
        tally, minute = Tally(), _minute(now)
        for one in range(minute - MINUTES + 1, minute + 1):
            if one in self._recent:
                tally.join(self._recent[one])
        self._known_where = tally.where(self._states.notes()), now
        return self._known_where[0]

    def _warnings(self, minute: int) -> int:
        counts = self._minutes.get(minute)
        return counts[1] if counts else 0

    def _episode(self, spell: Spell) -> Episode | None:
        where = spell.tally.where(self._states.notes())
        return Episode(spell.first, spell.last, where, spell.tally.newest_id, spell.began_before) if where else None


def _summed(minutes: Iterable[Mapping[tuple[Why, str], int]]) -> Aside | None:
    """Returns the errors of minutes that do not count, in sum; None if there are none."""
    sums: dict[tuple[Why, str], int] = {}
    for minute in minutes:
        for key, errors in minute.items():
            sums[key] = sums.get(key, 0) + errors
    if not sums:
        return None
    muted = [errors for (why, _), errors in sums.items() if why == "muted"]
    drained = {about: errors for (why, about), errors in sums.items() if why == "drained"}
    return Aside(sum(muted), len(muted), sum(drained.values()), len(drained), next(iter(drained), ""))


def _minute(moment: dt.datetime) -> int:
    """Returns the minute since the epoch."""
    return int(moment.timestamp() // MINUTE)


def _moment(minute: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(minute * MINUTE, dt.UTC)
