"""Parameters of the reads: one declaration of names, types, bounds, choices and defaults.

`exporter/http/parameters.py` parses query strings by it, `exporter/http/openapi.py` describes it, and the reads in
`exporter/store/queries.py` carry the values to the database process, which checks their bounds again.
"""

import datetime as dt
from typing import Annotated, Final, Literal, Protocol

from msgspec import Meta, Struct, field

from exporter.events.cursor import CURSOR, NUMBER, PLACE, RANK
from exporter.events.event import Severity
from exporter.events.groups import GroupName
from exporter.events.run_summary import Outcome

MAX_TIME_RANGE: Final = 24 * 365 * 10  # hours
MAX_LIMIT: Final = 1_000
MAX_WORKERS: Final = 500  # of a page
MAX_SEARCH_TEXT: Final = 500  # characters
MAX_DAYS: Final = 366  # of the history
MAX_PLACE: Final = 10**9 - 1  # in the list of a run's tests

Hours = Annotated[int, Meta(ge=1, le=MAX_TIME_RANGE, description="hours up to now")]
Limit = Annotated[int, Meta(ge=1, le=MAX_LIMIT, description="how many to return at most")]
Text = Annotated[str, Meta(min_length=1)]
Days = Annotated[int, Meta(ge=1, le=MAX_DAYS, description="days up to today, in UTC")]
By = Literal["severity", "worker", "pattern"]
FacetName = Literal["severity", "category", "worker", "type", "hardware", "job", "suite", "branch", "user"]
FoundFacet = Literal["run", "test", "device", "commit", "pattern", "group"]  # of these, values are found by a text
AnyFacet = Literal[
    "severity", "category", "worker", "type", "hardware", "job", "suite", "branch", "user",
    "run", "test", "device", "commit", "pattern", "group",
]  # fmt: skip
Ranked = Literal["test", "run", "device", "job", "suite", "branch", "commit", "user"]
WorkerSort = Literal["errors", "critical", "last_critical", "last_error", "silent_since", "worker", "now"]
ExportFormat = Literal["ndjson", "csv", "parquet"]
Moment = Annotated[dt.datetime, Meta(tz=True, description="ISO 8601 with the offset from UTC")]
Since = Annotated[Moment | None, Meta(description="start of the time range, instead of `time_range`")]
Until = Annotated[Moment | None, Meta(description="end of the time range, which does not belong to it; now without it")]
SearchText = Annotated[str, Meta(min_length=1, max_length=MAX_SEARCH_TEXT)]


class Ranged(Protocol):
    """A time range: since a moment or, without it, so many hours long; it ends at a moment or, without it, now."""

    @property
    def hours(self) -> int: ...
    @property
    def since(self) -> dt.datetime | None: ...
    @property
    def until(self) -> dt.datetime | None: ...


class TimeRange(Struct, frozen=True, kw_only=True):
    """The time range of a read."""

    hours: Hours = field(default=24, name="time_range")
    since: Since = field(default=None, name="from")
    until: Until = field(default=None, name="to")


class ErrorFilters(Struct, frozen=True, kw_only=True):
    """Which errors to return, of all times. Each field restricts the errors; an empty tuple or None does not. Of
    several values of one field, an error needs to match one. A field `not_…` excludes: it must match none of them."""

    severity: tuple[Severity, ...] = ()
    category: tuple[Text, ...] = ()
    worker: tuple[Text, ...] = ()
    type: tuple[Text, ...] = ()
    fingerprint: str | None = None
    pattern: Annotated[
        Text | None, Meta(description="the pattern: its `pattern_id` of now or of the past, or a fingerprint")
    ] = None
    hardware: Annotated[tuple[Text, ...], Meta(description="hardware types")] = ()
    group: Annotated[tuple[GroupName, ...], Meta(description="groups, as the summary counts them")] = ()
    run: Annotated[tuple[Text, ...], Meta(description="ids of runs")] = ()
    job: tuple[Text, ...] = ()
    suite: tuple[Text, ...] = ()
    branch: tuple[Text, ...] = ()
    commit: tuple[Text, ...] = ()
    user: Annotated[tuple[Text, ...], Meta(description="users who started the run")] = ()
    test: Annotated[tuple[Text, ...], Meta(description="ids of tests")] = ()
    device: Annotated[tuple[Text, ...], Meta(description="names of devices, as rankings have them")] = ()
    not_severity: tuple[Severity, ...] = field(default=(), name="severity!")
    not_category: tuple[Text, ...] = field(default=(), name="category!")
    not_worker: tuple[Text, ...] = field(default=(), name="worker!")
    not_type: tuple[Text, ...] = field(default=(), name="type!")
    not_pattern: tuple[Text, ...] = field(default=(), name="pattern!")
    not_hardware: tuple[Text, ...] = field(default=(), name="hardware!")
    not_group: tuple[GroupName, ...] = field(default=(), name="group!")
    not_run: tuple[Text, ...] = field(default=(), name="run!")
    not_job: tuple[Text, ...] = field(default=(), name="job!")
    not_suite: tuple[Text, ...] = field(default=(), name="suite!")
    not_branch: tuple[Text, ...] = field(default=(), name="branch!")
    not_commit: tuple[Text, ...] = field(default=(), name="commit!")
    not_user: tuple[Text, ...] = field(default=(), name="user!")
    not_test: tuple[Text, ...] = field(default=(), name="test!")
    not_device: tuple[Text, ...] = field(default=(), name="device!")
    q: Annotated[
        SearchText | None,
        Meta(description="text in the message, traceback, type, worker or category; case does not matter"),
    ] = None


class Filters(ErrorFilters, frozen=True, kw_only=True):
    """Which errors to return."""

    hours: Hours = field(default=24, name="time_range")
    since: Since = field(default=None, name="from")
    until: Until = field(default=None, name="to")


class ExportChoice(Struct, frozen=True, kw_only=True):
    """What to export, and how. Without a time range, errors of all times."""

    format: Annotated[ExportFormat, Meta(description="format of the file")] = "ndjson"
    hours: Annotated[Hours | None, Meta(description="hours up to now; all errors without it")] = field(
        default=None, name="time_range"
    )


class ErrorPaging(Struct, frozen=True, kw_only=True):
    """Which page of a list of errors."""

    cursor: Annotated[
        Text | None,
        Meta(
            description="the page begins after this: `next_cursor` of the page before it, or an error's `cursor`",
            extra_json_schema={"pattern": CURSOR},
        ),
    ] = None
    limit: Limit = 100
    ahead: Annotated[
        Literal["true", "false"],
        Meta(description="true: errors more than 5 minutes ahead of now, instead of those of the time range"),
    ] = "false"


class FacetChoice(Struct, frozen=True, kw_only=True):
    """Which values to filter by."""

    facet: Annotated[AnyFacet | None, Meta(description="only the values of this field; the others are empty")] = None
    contains: Annotated[
        SearchText | None,
        Meta(
            description="only values that contain this text; case does not matter. Of patterns: whose text contains "
            "each word, or whose id it is"
        ),
    ] = None
    values: Annotated[
        Limit | None,
        Meta(description="how many values to return at most; by default 100, with `facet` and `contains` 1,000"),
    ] = None


class Comparison(Struct, frozen=True, kw_only=True):
    """Which pattern to compare with."""

    compare: Annotated[
        Text | None, Meta(description="id of another pattern; the answer then says why the two are not one")
    ] = None


class PatternPaging(Struct, frozen=True, kw_only=True):
    """Which page of the list of patterns."""

    cursor: Annotated[
        Text | None,
        Meta(
            description="the page begins after this: `next_cursor` of the page before it",
            extra_json_schema={"pattern": RANK},
        ),
    ] = None
    limit: Limit = 100


class WorkerPaging(Struct, frozen=True, kw_only=True):
    """Which page of the list of workers, and how it is sorted."""

    sort: Annotated[WorkerSort, Meta(description="by what to sort; workers without it come last")] = "errors"
    order: Annotated[
        Literal["asc", "desc"] | None, Meta(description="by default `asc` for `worker`, `desc` for all others")
    ] = None
    cursor: Annotated[
        Text | None,
        Meta(
            description="the page begins after this: `next_cursor` of the page before it, sorted in the same way",
            extra_json_schema={"pattern": PLACE},
        ),
    ] = None
    limit: Annotated[int, Meta(ge=1, le=MAX_WORKERS, description="how many to return at most")] = 100


class AuditPaging(Struct, frozen=True, kw_only=True):
    """Which page of the audit trail."""

    pattern: Annotated[Text | None, Meta(description="only entries about this pattern: its id or a fingerprint")] = None
    worker: Annotated[Text | None, Meta(description="only entries about this worker")] = None
    cursor: Annotated[
        Text | None,
        Meta(
            description="the page begins after this: `next_cursor` of the page before it",
            extra_json_schema={"pattern": NUMBER},
        ),
    ] = None
    limit: Limit = 100


class RankingChoice(Struct, frozen=True, kw_only=True):
    """What to rank."""

    by: Annotated[Ranked, Meta(description="what has the errors")] = "test"
    also: Annotated[tuple[Ranked, ...], Meta(description="what else is ranked in the same answer")] = ()
    limit: Limit = 100


class RunPaging(Struct, frozen=True, kw_only=True):
    """Which page of the list of runs."""

    cursor: Annotated[
        Text | None,
        Meta(
            description="the page begins after this: `next_cursor` of the page before it",
            extra_json_schema={"pattern": CURSOR},
        ),
    ] = None
    limit: Limit = 100


class TestPaging(Struct, frozen=True, kw_only=True):
    """Which of a run's tests to return."""

    outcome: Annotated[tuple[Outcome, ...], Meta(description="only tests with one of these outcomes")] = ()
    after: Annotated[int, Meta(ge=0, le=MAX_PLACE, description="how many tests to skip: `next_after` of a page")] = 0
    limit: Limit = 100


class HistoryChoice(Struct, frozen=True, kw_only=True):
    """Which part of the history to return."""

    days: Days = 30
    by: Annotated[By, Meta(description="one row a day, or one for each worker or pattern and day")] = "severity"
    value: Annotated[Text | None, Meta(description="only this worker, or the pattern with this id")] = None
