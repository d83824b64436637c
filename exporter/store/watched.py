"""The facts of the verdict as the database has them: what `exporter/judgement/watch.py` restores at start. Lists are
compact, because there may be ten thousand workers. Times are aware."""

import datetime as dt
from typing import Literal

from msgspec import Struct


class OfKey(Struct, array_like=True):
    """The errors of a worker, hardware type or run; `first_id` is the smallest id of them."""

    key: str
    errors: int
    first_id: int


class OfPattern(Struct, array_like=True):
    """The errors of a pattern; `worker_id` and `text` are those of the first one. `is_new`: there is none before it."""

    key: str
    errors: int
    first_id: int
    worker_id: str
    text: str
    is_new: bool


class Tallied(Struct, array_like=True):
    """Errors, and their workers, patterns, hardware types and runs in the order of their first ids, each as many as are
    counted and one more if there are more."""

    errors: int
    newest_id: int
    workers: list[OfKey]
    patterns: list[OfPattern]
    hardware: list[OfKey]
    runs: list[OfKey]


class Spell(Struct, array_like=True):
    """Critical errors that follow each other."""

    first: dt.datetime
    last: dt.datetime
    tallied: Tallied


class Newest(Struct, array_like=True):
    """The newest critical report and the newest other report of a worker."""

    worker_id: str
    critical: dt.datetime | None
    critical_id: int
    other: dt.datetime | None
    other_id: int


class OfLate(Struct, array_like=True):
    """Reports that arrived late."""

    reports: int
    first: dt.datetime
    last: dt.datetime
    received_at: dt.datetime


class LeftOut(Struct, frozen=True):
    """Errors that do not count: those of patterns with the fingerprints `muted`; those of `resolved[i]` that did not
    both happen and arrive after `until[i]`, which is naive UTC; those of the workers `drained`."""

    muted: list[str] = []
    resolved: list[str] = []
    until: list[dt.datetime] = []
    drained: list[str] = []

    @property
    def is_empty(self) -> bool:
        return not (self.muted or self.resolved or self.drained)


Why = Literal["drained", "muted", "resolved"]


class Watched(Struct):
    """The facts as of the log position `position`. `minutes` has the critical errors and the warnings of each minute
    since the epoch, `recent` the warnings of the newest minutes, `aside` the errors of these minutes that are left
    out: the minute, why, the worker or the fingerprint because of which, and how many."""

    position: int
    minutes: list[tuple[int, int, int]]
    spells: list[Spell]
    recent: list[tuple[int, Tallied]]
    workers: list[Newest]
    late: OfLate | None
    last_critical: dt.datetime | None
    last_report: dt.datetime | None
    aside: list[tuple[int, Why, str, int]] = []


class UsualRates(Struct):
    """Errors an hour at this time of day: medians of the same hour of `days` earlier days. `reports` are of all
    severities. Without earlier days, all are 0."""

    days: int
    critical: float
    warning: float
    reports: float
