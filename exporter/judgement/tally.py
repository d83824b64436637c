"""Counts errors by worker, pattern, hardware type and run, in bounded memory, and knows the one with most of each.

What the counts say does not depend on the order in which errors are added, unless there are more workers or patterns
than are counted: of further ones only the errors count.
"""

from collections.abc import Mapping
from heapq import nsmallest
from itertools import islice
from typing import Final, Generic, TypeVar

from exporter.events.event import ErrorEvent
from exporter.judgement.situation import Leader, PatternLeader, StateNote, Where
from exporter.store.watched import Tallied

MAX_WORKERS: Final = 10_000
MAX_PATTERNS: Final = 2_000
MAX_OTHERS: Final = 1_000  # hardware types, and runs
MAX_NAMES: Final = 10  # workers that are named
MAX_TEXT: Final = 200  # characters of a template
MAX_KEY: Final = 500  # characters of a name
_NO_NOTES: Final[Mapping[str, StateNote]] = {}


class Counted:
    """The errors of one key. `first_id` is the smallest id of them."""

    __slots__ = ("errors", "first_id")

    def __init__(self, errors: int, first_id: int) -> None:
        self.errors = errors
        self.first_id = first_id

    def add(self, errors: int, first_id: int) -> None:
        self.errors += errors
        if first_id < self.first_id:
            self.first_id = first_id


class CountedPattern(Counted):
    """The errors of one pattern: its template, and the worker of the error with the smallest id."""

    __slots__ = ("is_new", "text", "worker_id")

    def __init__(self, errors: int, first_id: int, worker_id: str, text: str, is_new: bool) -> None:
        super().__init__(errors, first_id)
        self.worker_id = worker_id
        self.text = text
        self.is_new = is_new

    def copy(self) -> "CountedPattern":
        return CountedPattern(self.errors, self.first_id, self.worker_id, self.text, self.is_new)

    def join(self, other: "CountedPattern") -> None:
        """Adds the errors of `other`."""
        if other.first_id < self.first_id:
            self.worker_id, self.text = other.worker_id, other.text
        self.is_new = self.is_new or other.is_new
        self.add(other.errors, other.first_id)


C = TypeVar("C", bound=Counted)


class Counts(Generic[C]):
    """The counts of at most `most` keys. `more`: there were further ones."""

    __slots__ = ("_leader", "_most", "by_key", "more")

    def __init__(self, most: int) -> None:
        self.by_key: dict[str, C] = {}
        self.more = False
        self._most = most
        self._leader: str | None = None

    def put(self, key: str, new: C) -> None:
        """Takes the count of a key that has none, if there is room for it."""
        if len(self.by_key) < self._most:
            self.by_key[key] = new
            self.lead(key)
        else:
            self.more = True

    def lead(self, key: str) -> None:
        """Notes that the count of a key has grown."""
        leader = self._leader
        if leader == key:
            return
        if leader is None:
            self._leader = key
            return
        grown, most = self.by_key[key], self.by_key[leader]
        if grown.errors > most.errors or (grown.errors == most.errors and grown.first_id < most.first_id):
            self._leader = key

    def lead_again(self) -> None:
        """Finds the leader again, after a key was removed."""
        self._leader = max(self.by_key, key=lambda key: _rank(self.by_key[key]), default=None)

    @property
    def leader(self) -> str | None:
        """The key with most errors; of several, the one that came first."""
        return self._leader


class Tally:
    """The errors of an episode, or of a minute. `workers` and `patterns` are how many of them are counted at most."""

    __slots__ = ("_is_joined", "errors", "hardware", "newest_id", "patterns", "runs", "workers")

    def __init__(self, workers: int = MAX_WORKERS, patterns: int = MAX_PATTERNS) -> None:
        self.errors = 0
        self.newest_id = 0
        self._is_joined = False
        self.workers: Counts[Counted] = Counts(workers)
        self.patterns: Counts[CountedPattern] = Counts(patterns)
        self.hardware: Counts[Counted] = Counts(MAX_OTHERS)
        self.runs: Counts[Counted] = Counts(MAX_OTHERS)

    def add(self, event: ErrorEvent) -> None:
        """Counts an error."""
        id_, worker = event.id, event.worker_id[:MAX_KEY]
        self.errors += 1
        self.newest_id = max(self.newest_id, id_)
        count(self.workers, worker, 1, id_)
        pattern = event.pattern_id or event.fingerprint
        known = self.patterns.by_key.get(pattern)
        if known is not None and known.first_id < id_ and not event.is_new_pattern:  # nearly always
            known.errors += 1
            self.patterns.lead(pattern)
        else:
            text = event.pattern[:MAX_TEXT]
            self.add_pattern(pattern, CountedPattern(1, id_, worker, text, event.is_new_pattern))
        if event.hardware_type:
            count(self.hardware, event.hardware_type[:MAX_KEY], 1, id_)
        if event.run:
            count(self.runs, event.run[:MAX_KEY], 1, id_)

    def add_pattern(self, pattern_id: str, counted: CountedPattern) -> None:
        """Counts errors of a pattern. If it is new, `counted` becomes part of this tally."""
        known = self.patterns.by_key.get(pattern_id)
        if known is None:
            self.patterns.put(pattern_id, counted)
        else:
            known.join(counted)
            self.patterns.lead(pattern_id)

    def join(self, other: "Tally") -> None:
        """Adds the errors of `other`, which does not change."""
        self._is_joined = True
        self.errors += other.errors
        self.newest_id = max(self.newest_id, other.newest_id)
        for mine, theirs in (
            (self.workers, other.workers), (self.hardware, other.hardware), (self.runs, other.runs),
        ):  # fmt: skip
            for key, counted in theirs.by_key.items():
                count(mine, key, counted.errors, counted.first_id)
            mine.more = mine.more or theirs.more
        for key, pattern in other.patterns.by_key.items():
            self.add_pattern(key, pattern.copy())
        self.patterns.more = self.patterns.more or other.patterns.more

    def rename(self, old: str, new: str) -> None:
        """Counts the errors of the pattern `old` under the id `new`."""
        counted = self.patterns.by_key.pop(old, None)
        if counted is not None:
            if self.patterns.leader == old:  # thousands may be renamed at once
                self.patterns.lead_again()
            self.add_pattern(new, counted)

    def where(self, notes: Mapping[str, StateNote] = _NO_NOTES) -> Where | None:
        """Returns where the errors happened; None if there are none. `notes` are those of patterns by id: one that came
        back among these errors is named instead of the one with most errors."""
        worker, pattern = self.workers.leader, self.patterns.leader
        if worker is None or pattern is None:
            return None
        known = self.patterns.by_key
        back = [key for key, note in notes.items() if key in known and _came_back(note, known[key])]
        named = max(back, key=lambda key: _rank(known[key]), default=pattern)
        return Where(
            errors=self.errors,
            workers=len(self.workers.by_key),
            names=tuple(self._names()),
            worker=Leader(worker, self.workers.by_key[worker].errors),
            pattern=_pattern_leader(named, known[named], notes),
            patterns=len(self.patterns.by_key),
            hardware=_leader(self.hardware),
            run=_leader(self.runs),
            more=self.workers.more or self.patterns.more,
            most=None if named == pattern else _pattern_leader(pattern, known[pattern], notes),
        )

    def _names(self) -> list[str]:
        """Returns the first workers. Events are added in the order of their ids."""
        workers = self.workers.by_key
        if self._is_joined:
            return nsmallest(MAX_NAMES, workers, key=lambda name: workers[name].first_id)
        return list(islice(workers, MAX_NAMES))

    @classmethod
    def of(cls, tallied: Tallied, workers: int = MAX_WORKERS, patterns: int = MAX_PATTERNS) -> "Tally":
        """Returns the tally of what the database has counted."""
        made = cls(workers, patterns)
        made.errors, made.newest_id = tallied.errors, tallied.newest_id
        for one in tallied.workers:
            count(made.workers, one.key[:MAX_KEY], one.errors, one.first_id)
        for kind in tallied.hardware:
            count(made.hardware, kind.key[:MAX_KEY], kind.errors, kind.first_id)
        for run in tallied.runs:
            count(made.runs, run.key[:MAX_KEY], run.errors, run.first_id)
        for pattern in tallied.patterns:
            worker, text = pattern.worker_id[:MAX_KEY], pattern.text[:MAX_TEXT]
            counted = CountedPattern(pattern.errors, pattern.first_id, worker, text, pattern.is_new)
            made.add_pattern(pattern.key, counted)
        return made


def count(counts: Counts[Counted], key: str, errors: int, first_id: int) -> None:
    """Counts errors of a key."""
    known = counts.by_key.get(key)
    if known is None:
        counts.put(key, Counted(errors, first_id))
    else:
        known.add(errors, first_id)
        counts.lead(key)


def _rank(counted: Counted) -> tuple[int, int]:
    return counted.errors, -counted.first_id


def _came_back(note: StateNote, counted: CountedPattern) -> bool:
    """Returns whether a pattern came back among these of its errors, and not before them."""
    return note.came_back and (note.error_id is None or counted.first_id <= note.error_id)


def _pattern_leader(key: str, counted: CountedPattern, notes: Mapping[str, StateNote]) -> PatternLeader:
    return PatternLeader(
        key, counted.text, counted.errors, counted.worker_id, counted.first_id, counted.is_new, notes.get(key)
    )


def _leader(counts: Counts[Counted]) -> Leader | None:
    return Leader(counts.leader, counts.by_key[counts.leader].errors) if counts.leader is not None else None
