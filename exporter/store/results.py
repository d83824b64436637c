"""The answers to the reads, as the API returns them. `docs/api-reference.md` and the OpenAPI document are made of them.

Counts are of errors in the time range of the read, unless their description says otherwise.
"""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, field

from exporter.events.error_object import ErrorObject, Timestamp
from exporter.events.event import Severity
from exporter.ingest.severity import Reason
from exporter.store.fields import Celsius, Count, Maybe, Percent, Seconds, StateNow, Status
from exporter.store.pattern_results import Pattern
from exporter.store.states import Drained, Silence


class ErrorPage(Struct):
    """A page of errors, newest first. `next_cursor` starts the next page; null on the last one.

    A search for text stops when it takes too long. Then the page may have fewer errors than `limit`, or none;
    `searched_since` is the time back to which it searched, and `next_cursor` continues there. Otherwise
    `searched_since` is null."""

    errors: list[ErrorObject]
    next_cursor: str | None
    searched_since: Timestamp | None


class ErrorDetails(ErrorObject, kw_only=True):
    """One error with its whole texts and contexts. `report` is the report as it was sent, with marks for secrets.
    `reason_details` has an entry for each of `reasons`, in the same order. A `pinned` error is not deleted when it is
    old."""

    report: dict[str, Any]
    reason_details: list[Reason]
    pinned: bool


class FacetValue(Struct):
    """A value to filter by, and the number of errors that choosing it would return."""

    value: str
    count: Count
    text: Annotated[
        str | Maybe, Meta(description="of a pattern, whose value is its id: what the list of patterns shows")
    ] = UNSET


class Facets(Struct):
    """The most frequent values of each field to filter by, most frequent first: `values` of them, by default 100, or
    1,000 of a single field that contain a text. For each field the filters on the other fields are in force, its own
    filter is not. `found`, left out unless a single field is asked for, is how many such values it has. Fields with any
    number of values, from `run` on, are left out unless `facet` names them, or `contains` is given without `facet`.

    `searched_since` is null unless a search for text took too long; then it is the time back to which errors were
    counted."""

    severity: list[FacetValue]
    category: list[FacetValue]
    worker: list[FacetValue]
    type: list[FacetValue]
    hardware: list[FacetValue]
    job: list[FacetValue]
    suite: list[FacetValue]
    branch: list[FacetValue]
    user: list[FacetValue]
    searched_since: Timestamp | None
    found: Count | Maybe = UNSET
    run: list[FacetValue] | Maybe = UNSET
    test: list[FacetValue] | Maybe = UNSET
    device: list[FacetValue] | Maybe = UNSET
    commit: list[FacetValue] | Maybe = UNSET
    pattern: list[FacetValue] | Maybe = UNSET
    group: list[FacetValue] | Maybe = UNSET


class Summary(Struct, kw_only=True):
    """Counts of errors. `resource_errors`, `network_errors`, `worker_errors` and `test_errors` count categories that
    begin with that word; so does `hardware_errors`, which also counts reports of overheating, memory pressure or
    throttling. `reset_at` is when somebody last reset the counts; null if nobody did."""

    total_errors: Count
    recurring_errors: Count
    resource_errors: Count
    network_errors: Count
    hardware_errors: Count
    critical_hardware_errors: Count
    critical_errors: Count
    warning_errors: Count
    info_errors: Count
    worker_errors: Count
    test_errors: Count
    time_range_hours: Annotated[int, Meta(ge=1, description="hours")]
    reset_at: Timestamp | None


class CriticalNow(Struct, kw_only=True):
    """Critical errors of the last `window_seconds`, whatever the time range: their number, the number of workers that
    reported them, and the worker that reported most. `critical_errors_since_reset` is null if the counts were never
    reset."""

    window_seconds: Seconds
    critical_errors: Count
    workers: Count
    top_worker: str | None
    top_worker_errors: Count
    critical_errors_since_reset: Count | None


class CategoryCount(Struct):
    """A category and its errors."""

    category: str
    count: Count


class OtherCategories(Struct):
    """The number of categories beyond the listed ones, and their errors."""

    categories: Count
    count: Count


class SeverityCount(Struct):
    """A severity and its errors."""

    severity: Severity
    count: Count


class TimePoint(Struct, kw_only=True):
    """One bucket of a time series: it begins at `timestamp`."""

    timestamp: Timestamp
    critical: Count
    warning: Count
    info: Count
    resource: Count
    network: Count
    critical_hardware: Count
    recurring: Count


class TimeSeries(Struct):
    """Counts over the time range, oldest first, without gaps. The buckets are as wide as it takes to have at most 97 of
    them; they are never wider than a week."""

    bucket_seconds: Seconds
    points: list[TimePoint]


class ErrorDistribution(Struct):
    """Errors by category (the 100 most frequent), by severity and over time."""

    categories: list[CategoryCount]
    other_categories: OtherCategories
    severities: list[SeverityCount]
    time_series: TimeSeries


class PatternCategory(Struct):
    """A category: its patterns, how many of them recur, and their errors."""

    category: str
    patterns: Count
    recurring_patterns: Count
    occurrences: Count


class ErrorPatterns(Struct):
    """The 10 most frequent patterns, and the 100 categories with most patterns."""

    top_patterns: list[Pattern]
    categories: list[PatternCategory]


class NewPattern(Struct):
    """A pattern, and when its first error ever happened."""

    pattern_id: str
    pattern: str
    first_seen: Timestamp


class NewPatterns(Struct):
    """The patterns with errors whose first error ever happened in the time range: how many, and the newest 50, the
    newest first."""

    total: Count
    patterns: list[NewPattern]


class WorkerStats(Struct):
    """A worker's errors. `most_common_error` is an error type. `now`, `last_critical_time` and `silent_since` depend
    neither on the time range nor on filters; `silent_since` is null unless `now` is `silent`. `drained` is null unless
    somebody took it out of service. Of a worker without errors in the time range, `most_common_error` is empty, and
    `last_error_time` is when the newest error happened that says what it is now."""

    worker_id: str
    error_count: Count
    critical_errors: Count
    most_common_error: str
    last_error_time: Timestamp
    status: Status
    now: StateNow
    last_critical_time: Timestamp | None
    silent_since: Timestamp | None
    drained: Drained | None


class WorkerErrors(Struct):
    """The workers with errors and, if the time range ends now and no filter but that on workers is in force, all others
    that are not stable now. They are `total`, of which `with_errors` have errors. `worker_stats` has 1,000 at most, the
    one with most errors first. If there are more, it has the 10 with most errors, then those that are not stable, the
    worst first, then those with most errors."""

    worker_stats: list[WorkerStats]
    total: Count
    with_errors: Count


class HardwareMetrics(Struct, kw_only=True):
    """Measurements in the reports of a hardware type: averages, the highest GPU temperature, and the number of reports
    of each condition. Null: no report has the measurement. Without reports, all fields are left out."""

    cpu_percent: Percent | Maybe | None = UNSET
    memory_percent: Percent | Maybe | None = UNSET
    disk_percent: Percent | Maybe | None = UNSET
    max_gpu_celsius: Celsius | Maybe | None = UNSET
    overheating: Count | Maybe = UNSET
    memory_pressure: Count | Maybe = UNSET
    throttling: Count | Maybe = UNSET


class HardwareTypeStatus(Struct, kw_only=True):
    """The errors of a hardware type. `most_common_error` is an error type. `now`, `last_critical_time` and
    `silent_since` depend neither on the time range nor on filters. It is `silent` while a worker is whose last report
    was a critical one about this hardware type, unless other workers report critical errors about it."""

    error_count: Count
    critical_errors: Count
    most_common_error: str
    status: Status
    error_rate: Annotated[float, Meta(ge=0, description="errors an hour")]
    metrics: HardwareMetrics
    now: StateNow
    last_critical_time: Timestamp | None
    silent_since: Timestamp | None


class HardwareErrors(Struct):
    """The 100 hardware types with most errors, by name, and the 50 newest errors of the group `hardware`."""

    hardware_status: dict[str, HardwareTypeStatus]
    recent_errors: list[ErrorObject]


class ClockOffset(Struct):
    """A worker that seems to send, without an offset, the times of another time zone. `seconds` are negative if its
    times are in the past. `warning` says so in a sentence."""

    worker_id: str
    seconds: int
    warning: str


class Restart(Struct):
    """The service started at `started_at`; it had not run since `stopped_at`. After a crash, that is 10 seconds early
    at most."""

    stopped_at: Timestamp
    started_at: Timestamp


class Range(Struct, kw_only=True):
    """The time range of an answer: from a moment to before another. `live`: it ends now, and so moves on."""

    since: Timestamp = field(name="from")
    until: Timestamp = field(name="to")
    live: bool


class Overview(Struct, kw_only=True):
    """Everything that the page shows of a time range. `timestamp` is when it was read. `recent_errors` are the 100
    newest. `seq` numbers the last live update that it contains. `now` and `clock_offsets` depend neither on the time
    range nor on filters; of the latter there are 100 at most. `restarts` and `silences` are those whose time meets the
    time range, the newest first, 100 at most of each. Of the filters, only `pattern` counts for them: it chooses
    silences. These come from the newest 1,000 entries of the audit trail. With a text, the counts may be of a part of
    the range, as in `Facets`: `searched_since` is null if they are of all of it."""

    summary: Summary
    timestamp: Timestamp
    now: CriticalNow
    recent_errors: list[ErrorObject]
    error_distribution: ErrorDistribution
    error_patterns: ErrorPatterns
    new_patterns: NewPatterns
    worker_errors: WorkerErrors
    hardware_errors: HardwareErrors
    clock_offsets: list[ClockOffset]
    restarts: list[Restart]
    silences: list[Silence]
    seq: Count
    range: Range
    searched_since: Timestamp | None
