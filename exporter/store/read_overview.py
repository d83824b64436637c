"""Answers the read of the overview: everything that the page shows of a time range."""

import datetime as dt
from typing import Final, NamedTuple

from exporter.events.error_object import ErrorObject
from exporter.events.event import SEVERITIES, isoformat
from exporter.store.parameters import Filters
from exporter.store.queries import GetOverview
from exporter.store.read_errors import Newest, newest
from exporter.store.read_patterns import error_patterns
from exporter.store.read_time import CATEGORIES, counts_over_time, distribution, summary
from exporter.store.read_workers import critical_now, hardware_status, worker_stats
from exporter.store.results import (
    CriticalNow,
    ErrorDistribution,
    ErrorPatterns,
    HardwareErrors,
    Overview,
    Summary,
    WorkerErrors,
)
from exporter.store.select import Cursor, Facts, Span, rows

TOP_PATTERNS: Final = 10
RECENT_ERRORS: Final = 100
RECENT_HARDWARE_ERRORS: Final = 50


class Counts(NamedTuple):
    """The half of an overview that counts by time and hardware, with the newest errors."""

    summary: Summary
    now: CriticalNow
    recent_errors: list[ErrorObject]
    distribution: ErrorDistribution
    hardware: HardwareErrors
    position: int


class Ranks(NamedTuple):
    """The half of an overview that ranks patterns and workers."""

    patterns: ErrorPatterns
    workers: WorkerErrors


def overview(cursor: Cursor, query: GetOverview) -> Overview:
    """Returns everything that the page shows of a time range."""
    return overview_of(query, counts(cursor, query), ranks(cursor, query))


def overview_of(query: GetOverview, counted: Counts, ranked: Ranks) -> Overview:
    """Returns the overview of two halves, which may have been read at the same time in one snapshot."""
    return Overview(
        summary=counted.summary,
        timestamp=isoformat(query.now),
        now=counted.now,
        recent_errors=counted.recent_errors,
        error_distribution=counted.distribution,
        error_patterns=ranked.patterns,
        worker_errors=ranked.workers,
        hardware_errors=counted.hardware,
        clock_offsets=list(query.clock_offsets),
        seq=counted.position,
    )


def counts(cursor: Cursor, query: GetOverview) -> Counts:
    """Reads one half. Raises duckdb.Error."""
    span = Span.of(query.hours, query.now)
    facts = Facts(cursor, span.since)
    reset_at: dt.datetime | None = rows(cursor, "reset_at")[0]["reset_at"]
    over_time = counts_over_time(cursor, span, facts)
    recent_errors, recent_hardware_errors = newest(
        cursor,
        query.now,
        Newest(Filters(hours=query.hours), RECENT_ERRORS, over_time.newest(RECENT_ERRORS, *SEVERITIES)),
        Newest(
            Filters(hours=query.hours, group=("hardware",)),
            RECENT_HARDWARE_ERRORS,
            over_time.newest(RECENT_HARDWARE_ERRORS, "hardware"),
        ),
    )
    return Counts(
        summary=summary(over_time, query.hours, reset_at),
        now=critical_now(cursor, span.now, reset_at),
        recent_errors=recent_errors,
        distribution=distribution(over_time, span),
        hardware=HardwareErrors(hardware_status(cursor, facts, query.hours), recent_hardware_errors),
        position=rows(cursor, "position")[0]["position"],
    )


def ranks(cursor: Cursor, query: GetOverview) -> Ranks:
    """Reads the other half. Raises duckdb.Error."""
    span = Span.of(query.hours, query.now)
    facts = Facts(cursor, span.since)
    patterns = error_patterns(cursor, span, facts, TOP_PATTERNS, CATEGORIES)
    return Ranks(patterns, WorkerErrors(worker_stats(cursor, facts)))
