"""What the verdict is made of: the facts that `Watch` keeps, and the times after which the rules decide otherwise.

Times are aware. An *episode* is a series of critical errors without a pause of `RECOVERY_SECONDS`. Reports that are
`LATE_SECONDS` old when they arrive, and imported ones, are only in `late` and `last_critical`.
"""

import datetime as dt
from typing import Final

from msgspec import Struct

from exporter.events import standing

WINDOW_SECONDS: Final = standing.WINDOW_SECONDS
CRITICAL_SECONDS: Final = standing.CRITICAL_SECONDS
RECOVERY_SECONDS: Final = standing.RECOVERY_SECONDS
SILENT_SECONDS: Final = standing.SILENT_SECONDS
SILENT_FOR_SECONDS: Final = standing.SILENT_FOR_SECONDS
LATE_SECONDS: Final = standing.LATE_SECONDS
LATE_NOTE_SECONDS: Final = 600  # for which the verdict says that late reports arrived
RESET_NOTE_SECONDS: Final = 3_600  # for which a calm verdict says that the counts were reset
SURGE_LEAST: Final = 100  # warnings in a window that are a surge where nothing is known to be usual
SURGE_TIMES: Final = 5.0  # times the usual number of warnings that are a surge, from `SURGE_FROM` warnings on
SURGE_FROM: Final = 30
QUIET_SECONDS: Final = 3_600  # without any report, where `QUIET_USUAL` an hour are usual
QUIET_USUAL: Final = 20.0
COMPARE_FROM: Final = 5  # errors in a window, from which on a ratio to the usual number says something
AWAY_LEAST: Final = 300  # for which the service did not run, before the verdict says so
AWAY_SECONDS: Final = 300  # after its start, in which clients still deliver what happened meanwhile
MEMORY_SECONDS: Final = 48 * 3_600  # for which errors are remembered


class Usual(Struct, frozen=True):
    """Errors an hour that are usual at this time: medians of the same hour of `days` earlier days. `reports` are of all
    severities."""

    days: int
    critical: float
    warning: float
    reports: float


class Leader(Struct, frozen=True):
    """The worker, hardware type or run with most of some errors, and how many."""

    name: str
    errors: int


class PatternLeader(Struct, frozen=True):
    """The pattern with most of some errors. `text` is its template, `worker_id` the worker where it began, `error_id`
    its first error there. `is_new`: the service saw its first error ever."""

    pattern_id: str
    text: str
    errors: int
    worker_id: str
    error_id: int
    is_new: bool = False
    note: "StateNote | None" = None


class StateNote(Struct, frozen=True):
    """What the verdict says of the state of a pattern: who claimed it; or that it came back, and who had resolved it
    when. Names are "" and `resolved_at` None where that is not known."""

    claimed_by: str = ""
    came_back: bool = False
    resolved_by: str = ""
    resolved_at: dt.datetime | None = None
    error_id: int | None = None  # of the error with which it came back; None: it came just now


class Where(Struct, frozen=True):
    """Where `errors` happened. `workers` is their number, `names` has the first of them in the order in which they
    reported. `pattern` is to be named: the one with most errors, or one that came back in this time. With `more`, there
    were more workers or patterns than are counted."""

    errors: int
    workers: int
    names: tuple[str, ...]
    worker: Leader
    pattern: PatternLeader
    patterns: int = 1
    hardware: Leader | None = None
    run: Leader | None = None
    more: bool = False
    most: PatternLeader | None = None  # the pattern with most of the errors, where `pattern` is one that came back


class Episode(Struct, frozen=True):
    """The latest episode of critical errors: when it began, and its latest error. `began_before`: it began at `since`
    or earlier, before what is remembered. `newest_id` is the id of its newest error."""

    since: dt.datetime
    last: dt.datetime
    where: Where
    newest_id: int
    began_before: bool = False


class Surge(Struct, frozen=True):
    """The warnings of the window. `since` is the minute since which every window has had as many as a surge has."""

    warnings: int
    since: dt.datetime
    where: Where


class Silent(Struct, frozen=True):
    """A worker that has sent nothing since a critical error, which happened at `since`."""

    worker_id: str
    since: dt.datetime


class Late(Struct, frozen=True):
    """Reports that arrived late or were imported: how many, when the first and the last of them happened, and when the
    last arrived."""

    reports: int
    first: dt.datetime
    last: dt.datetime
    received_at: dt.datetime


class Aside(Struct, frozen=True):
    """Critical errors and warnings of the window that do not count: of so many muted patterns, and on so many drained
    workers, of which `drained_name` is the first."""

    muted_errors: int = 0
    muted_patterns: int = 0
    drained_errors: int = 0
    drained_workers: int = 0
    drained_name: str = ""


class Situation(Struct, frozen=True, kw_only=True):
    """What is known at `now`. `as_of`: receipt of the newest report that is included, if `behind` reports are not;
    `refused` says why reports cannot be stored, since `refused_since`.

    `critical_in_window` and `warnings` count the errors of the window; what they say changes at `window_changes_at`.
    `suspects` are workers whose newest report is critical, the one that is silent for longest first: at least those
    that are silent, and the one that will be next.
    `away` is the last time in which the service did not run: from and to when.
    `last_critical` and `last_report` may be older than what is remembered. What happened before `blind_before` could
    not be read."""

    now: dt.datetime
    episode: Episode | None = None
    critical_in_window: int = 0
    warnings: Surge | None = None
    window_changes_at: dt.datetime | None = None
    suspects: tuple[Silent, ...] = ()
    late: Late | None = None
    usual: Usual | None = None
    last_critical: dt.datetime | None = None
    last_report: dt.datetime | None = None
    reset_at: dt.datetime | None = None
    behind: int = 0
    as_of: dt.datetime | None = None
    refused: str = ""
    refused_since: dt.datetime | None = None
    blind_before: dt.datetime | None = None
    away: tuple[dt.datetime, dt.datetime] | None = None
    aside: Aside | None = None
    seq: int = 0
