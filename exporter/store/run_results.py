"""The answers to the reads about runs and rankings, as the API returns them."""

from typing import Annotated

from msgspec import Meta, Struct

from exporter.events.error_object import Timestamp
from exporter.events.run_summary import Outcome
from exporter.store.fields import Count
from exporter.store.parameters import Ranked

Rate = Annotated[float, Meta(ge=0, le=1, description="failed and errors, of all that were not skipped")]


class Outcomes(Struct, kw_only=True):
    """How many tests passed, failed, were skipped or had an error, as the summaries of runs say. `failure_rate` is null
    if all were skipped."""

    passed: Count
    failed: Count
    skipped: Count
    errors: Count
    failure_rate: Rate | None


class RankedValue(Struct, kw_only=True):
    """A test, run, device and so on, and its errors in the time range; `workers` is how many reported them. `outcomes`
    of a run are those of its tests; of a test, those of its runs whose summary came in the time range. It is null if
    no summary has any, and for everything else."""

    name: str
    error_count: Count
    critical_errors: Count
    workers: Count
    first_seen: Timestamp
    last_seen: Timestamp
    outcomes: Outcomes | None


class Ranking(Struct, kw_only=True):
    """The values with most errors."""

    by: Ranked
    values: list[RankedValue]


class Rankings(Struct, kw_only=True):
    """The values with most errors. An error with several devices counts for each of them. `also` has the other rankings
    that were asked for. `searched_since` as in `Overview`."""

    by: Ranked
    values: list[RankedValue]
    also: list[Ranking]
    searched_since: Timestamp | None


class Summed(Struct, kw_only=True):
    """What the summaries of a run say together. `complete`: each sender said that it is the whole run."""

    senders: Count
    complete: bool
    received_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    outcomes: Outcomes


class Run(Struct, kw_only=True):
    """A run: its errors, and its `summary`, null if nobody sent one. `first_seen` and `last_seen` are the times of its
    first and last error, null if it has none. `url` is as it was sent."""

    id: str
    job: str | None
    suite: str | None
    branch: str | None
    commit: str | None
    user: str | None
    url: str | None
    error_count: Count
    critical_errors: Count
    workers: Count
    first_seen: Timestamp | None
    last_seen: Timestamp | None
    summary: Summed | None


class RunList(Struct):
    """A page of the runs that have an error or got a summary in the time range, newest first; errors and summaries are
    those of the time range. With a filter, only runs with such errors. `next_cursor` starts the next page; null on the
    last one. `searched_since` as in `Overview`."""

    runs: list[Run]
    next_cursor: str | None
    searched_since: Timestamp | None


class SenderSummary(Struct, kw_only=True):
    """What one sender says of a run."""

    sender: str
    received_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    complete: bool
    outcomes: Outcomes


class RunTest(Struct, kw_only=True):
    """A test of a run, with the worker that ran it, the sender that says so, and the number of errors that were
    reported of it in this run."""

    test: str
    worker: str
    sender: str
    outcome: Outcome
    error_count: Count


class RunDetails(Run, kw_only=True):
    """A run with all of its errors, whatever their time; the 100 newest summaries of it; and a page of its tests: those
    with an error first, then those that failed, were skipped, passed. `next_after` starts the next page; null on the
    last one."""

    summaries: list[SenderSummary]
    tests: list[RunTest]
    next_after: Count | None
