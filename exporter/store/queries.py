"""The reads that the database answers: each is a type that carries its parameters and names the type of its answer.

A read crosses to the process of the database as MessagePack (`encode`, `decode`); its answer comes back as JSON
(`Encoded`), which HTTP passes on as it is. `exporter/store/read.py` has the function that answers each read.
"""

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any, Final, Generic, Self, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from exporter.events.cursor import MAX_ID, Place, Position, Rank
from exporter.events.event import ErrorEvent
from exporter.events.heartbeat import Machine
from exporter.events.outcome import Outcome as ReportOutcome
from exporter.events.run_summary import Outcome
from exporter.ingest.severity import Thresholds
from exporter.store.answers import Answer
from exporter.store.decisions import DecisionList
from exporter.store.deletions import Counted, DeletionList, Matching
from exporter.store.parameters import (
    MAX_PLACE,
    MAX_WORKERS,
    AnyFacet,
    By,
    Days,
    ErrorFilters,
    ExportFormat,
    Filters,
    Hours,
    Limit,
    Ranked,
    SearchText,
    TimeRange,
    WorkerSort,
)
from exporter.store.pattern_results import PatternDetails, PatternList
from exporter.store.results import ClockOffset, ErrorDetails, ErrorPage, Facets, Overview, Restart
from exporter.store.run_results import Rankings, RunDetails, RunList
from exporter.store.states import AuditPage, StateOfPattern
from exporter.store.storage_results import History, Storage
from exporter.store.watched import LeftOut, UsualRates, Watched
from exporter.store.worker_results import WorkerDetails, WorkerList

R = TypeVar("R")
C = TypeVar("C")


class Read(Struct, Generic[R], frozen=True, tag=True):
    """A question to the database whose answer is an `R`. `now` is the end of its time range, aware."""

    @classmethod
    def answered_by(cls, function: Callable[[C, Self], R]) -> tuple[type[Self], Callable[[C, Self], R]]:
        """Returns an entry of the table of `read.py`. It exists for the type checker, which holds the parameters and
        the result of `function` against this type."""
        return cls, function


class GetOverview(Read[Overview], frozen=True, kw_only=True):
    """Everything that the page shows of the errors that match the filters. `clock_offsets` and `restarts`, of all
    times and the newest first, are known to the process that asks; they become part of the answer."""

    filters: Filters
    now: dt.datetime
    clock_offsets: tuple[ClockOffset, ...] = ()
    restarts: tuple[Restart, ...] = ()


class ListErrors(Read[ErrorPage], frozen=True, kw_only=True):
    """Errors that match the filters, newest first, from the one that follows `after`. `ahead`: those ahead of now,
    which no time range has, instead of those of the time range."""

    filters: Filters
    now: dt.datetime
    after: Position | None = None
    limit: Limit = 100
    ahead: bool = False


class GetFacets(Read[Facets], frozen=True, kw_only=True):
    """The values to filter by, each with the number of errors that choosing it would return; of one `facet` if it is
    given, and only those that contain a text."""

    filters: Filters
    now: dt.datetime
    facet: AnyFacet | None = None
    contains: SearchText | None = None
    limit: Limit | None = None


class ListWorkers(Read[WorkerList], frozen=True, kw_only=True):
    """Workers, in the order that `sort` says, from the one that follows `after`. Errors are those that match the
    filters."""

    filters: Filters
    now: dt.datetime
    sort: WorkerSort = "errors"
    ascending: bool = False
    after: Place | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_WORKERS)] = 100


class GetWorker(Read[WorkerDetails | None], frozen=True, kw_only=True):
    """One worker and its errors in a time range; None if it never had one and sends no heartbeats. `machine`, without
    its last `heartbeat`, and that as JSON are known to the process that asks; they become part of the answer."""

    id: str
    range: TimeRange
    now: dt.datetime
    machine: Machine | None = None
    heartbeat: str | None = None


class GetError(Read[ErrorDetails | None], frozen=True, kw_only=True):
    """One error; None if there is none with this id. The `thresholds` explain its reasons."""

    id: Annotated[int, Meta(ge=1, le=MAX_ID)]
    thresholds: Thresholds


class ListPatterns(Read[PatternList], frozen=True, kw_only=True):
    """Patterns of the errors that match the filters, most frequent first, from the one that follows `after`."""

    filters: Filters
    now: dt.datetime
    after: Rank | None = None
    limit: Limit = 100


class GetPattern(Read[PatternDetails | None], frozen=True, kw_only=True):
    """One pattern, by an id of now or of the past or a fingerprint; None if it has no error in the time range.
    `compare` is likewise the id of another pattern."""

    id: str
    range: TimeRange
    now: dt.datetime
    compare: str | None = None


class ListDecisions(Read[DecisionList], frozen=True, kw_only=True):
    """All merges and splits by hand."""


class GetPatternState(Read[StateOfPattern | None], frozen=True, kw_only=True):
    """The state of one pattern, by an id of now or of the past or a fingerprint; None if there is no such pattern."""

    id: str
    now: dt.datetime


class ListAudit(Read[AuditPage], frozen=True, kw_only=True):
    """The audit trail of states, newest first, from the entry before the number `before`: of all, or of one `pattern`
    or `worker`."""

    before: int | None = None
    pattern: str | None = None
    worker: str | None = None
    limit: Limit = 100


class CountErrors(Read[Counted], frozen=True, kw_only=True):
    """How many errors a deletion would delete, from those that follow `after`."""

    matching: Matching
    after: Position | None = None


class ListDeletions(Read[DeletionList], frozen=True, kw_only=True):
    """The last deletions on request."""


class GetStorage(Read[Storage], frozen=True, kw_only=True):
    """What is stored and how full it is. The process that asks knows the limits and the sizes outside the database;
    they become part of the answer."""

    retention_seconds: float | None
    max_bytes: int | None
    database_bytes: int
    wal_bytes: int
    log_bytes: int
    disk_bytes: int
    disk_free_bytes: int
    min_free_bytes: int


class GetHistory(Read[History], frozen=True, kw_only=True):
    """Errors by day, also those that retention has deleted; `by` severity alone, or also by worker or pattern, those
    with most errors. `value` restricts them to one worker or pattern."""

    days: Days
    now: dt.datetime
    by: By = "severity"
    value: str | None = None


class GetRankings(Read[Rankings], frozen=True, kw_only=True):
    """The tests, runs, devices and so on with most errors that match the filters."""

    filters: Filters
    now: dt.datetime
    by: Ranked = "test"
    also: tuple[Ranked, ...] = ()
    limit: Limit = 100


class ListRuns(Read[RunList], frozen=True, kw_only=True):
    """Runs, newest first, from the one that follows `after`: those with errors that match the filters and, without a
    filter, those with a summary."""

    filters: Filters
    now: dt.datetime
    after: Position | None = None
    limit: Limit = 100


class GetRun(Read[RunDetails | None], frozen=True, kw_only=True):
    """One run with the tests of its summaries, some of them; None if there is none with this id."""

    id: str
    now: dt.datetime
    outcome: tuple[Outcome, ...] = ()
    after: Annotated[int, Meta(ge=0, le=MAX_PLACE)] = 0
    limit: Limit = 100


class GetRecentCritical(Read[list[ErrorEvent]], frozen=True, kw_only=True):
    """The newest critical events received since a moment and before `until`, oldest first. `body` is "" for reports
    over 64 KiB."""

    since: dt.datetime
    until: dt.datetime | None = None


class GetCriticalAfter(Read[list[ErrorEvent]], frozen=True, kw_only=True):
    """The newest critical events after a log position, oldest first, likewise."""

    position: int


class GetWatched(Read[Watched], frozen=True, kw_only=True):
    """The facts of the verdict: of the last `memory` seconds, with the limits that `exporter/judgement` has, in seconds
    and counts. `gap` is the pause that ends a series of critical errors, `late` the age of a report that arrives late;
    `late_note` is how long ago late reports arrived at most. Critical errors up to `reset_at` are in no series, and
    those of `left_out` count nowhere."""

    now: dt.datetime
    reset_at: dt.datetime | None
    memory: int
    gap: int
    late: int
    late_note: int
    spells: int
    recent: int
    workers: int
    patterns: int
    hardware: int
    left_out: LeftOut = LeftOut()


class GetUsual(Read[UsualRates], frozen=True, kw_only=True):
    """How many errors an hour are usual at this time of day, by the same hour of up to `days` earlier days."""

    now: dt.datetime
    days: int


class FindOutcomes(Read[list[ReportOutcome | None]], frozen=True, kw_only=True):
    """The outcomes of accepted events, in the order of `events`; None for those that are not stored. An event is
    given by its id, or by what a repeat of its report has: worker, the worker's own id of it, and `timestamp`; also the
    text of that if it is not believed."""

    events: list[int | tuple[str, str, dt.datetime, str | None]]


class ExportErrors(Read[bytes], frozen=True, kw_only=True):
    """The next part of an export: errors that match the filters, with ids after `after` and up to `until`, in the order
    of their ids. `hours` is None for errors of all times. The answer is a `Part` (`exporter/exported/part.py`) as
    MessagePack."""

    filters: ErrorFilters
    hours: Hours | None
    now: dt.datetime
    after: int
    until: int
    format: ExportFormat


AnyRead = (
    GetOverview | ListErrors | GetFacets | GetError | ListPatterns | GetPattern | GetRecentCritical | GetCriticalAfter
    | FindOutcomes | ListDecisions | ExportErrors | CountErrors | ListDeletions | GetStorage | GetHistory | GetRankings
    | ListRuns | GetRun | GetWatched | GetUsual | ListWorkers | GetWorker | GetPatternState | ListAudit
)  # fmt: skip

# Reads of ranges, which pages and dashboards repeat: an answer may be given to several requests (`answers.py`).
POLLED: Final = (
    GetOverview, ListErrors, GetFacets, ListPatterns, GetPattern, GetHistory, GetRankings, ListRuns, ListWorkers,
)  # fmt: skip

# Reads that must have every event: while the disk is full, others are answered with what the database has.
COMPLETE: Final = (FindOutcomes, ExportErrors, CountErrors)

_NEVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_decoder: msgspec.msgpack.Decoder[AnyRead] = msgspec.msgpack.Decoder(AnyRead)


def encode(query: Read[Any]) -> bytes:
    """Returns a read as MessagePack."""
    return msgspec.msgpack.encode(query)


def key(query: Read[Any]) -> bytes:
    """Returns what equal reads have in common: all parameters but the present time."""
    return encode(msgspec.structs.replace(query, now=_NEVER) if hasattr(query, "now") else query)


def decode(data: bytes) -> AnyRead:
    """Returns the read that `encode` packed. Raises msgspec.DecodeError, or msgspec.ValidationError if a parameter has
    the wrong type or is out of bounds."""
    return _decoder.decode(data)


def result_type(query: type[Read[Any]]) -> Any:
    """Returns the type of the answer to a read: `Overview` for `GetOverview`."""
    (base,) = query.__orig_bases__  # type: ignore[attr-defined]
    (result,) = get_args(base)
    return result


class Encoded(Generic[R]):
    """The answer to a read as JSON, not decoded. Requests that share an answer have the same object `answer`."""

    __slots__ = ("_query", "answer")

    def __init__(self, query: Read[R], answer: Answer) -> None:
        self._query = query
        self.answer = answer

    @property
    def is_null(self) -> bool:
        """Whether the answer is None, without decoding it."""
        return self.answer.json == b"null"

    def decode(self) -> R:
        """Returns the answer. Raises msgspec.ValidationError if it is not of the type that the read declares."""
        answer: R = msgspec.json.decode(self.answer.json, type=result_type(type(self._query)))
        return answer
