"""Answers the read of the overview: everything that the page shows of a time range."""

import datetime as dt
from collections.abc import Sequence
from typing import Final, NamedTuple

from exporter.events.error_object import ErrorObject
from exporter.events.event import SEVERITIES, isoformat
from exporter.store.chosen import Choice, choose
from exporter.store.queries import GetOverview
from exporter.store.read_errors import Newest, newest
from exporter.store.read_patterns import error_patterns, new_patterns
from exporter.store.read_states import silences
from exporter.store.read_time import CATEGORIES, counts_over_time, distribution, summary
from exporter.store.read_workers import critical_now, hardware_status, named_hardware, with_silence, worker_errors
from exporter.store.results import (
    CriticalNow,
    ErrorDistribution,
    ErrorPatterns,
    HardwareErrors,
    HardwareTypeStatus,
    NewPatterns,
    Overview,
    Range,
    Restart,
    Summary,
    WorkerErrors,
)
from exporter.store.select import Cursor, Span, rows
from exporter.store.standings import reset_at, silent_hardware, standings, unstable
from exporter.store.states import Silence

TOP_PATTERNS: Final = 10
NEW_PATTERNS: Final = 50
RECENT_ERRORS: Final = 100
RECENT_HARDWARE_ERRORS: Final = 50


class Counts(NamedTuple):
    """The half of an overview that counts by time and worker, with the newest errors."""

    summary: Summary
    recent_errors: list[ErrorObject]
    distribution: ErrorDistribution
    workers: WorkerErrors
    silent_hardware: dict[str, dt.datetime]
    recent_hardware_errors: list[ErrorObject]
    position: int
    span: Span
    searched_since: str | None


class Kinds(NamedTuple):
    """The half of an overview that counts by pattern and hardware type, with the critical errors of now."""

    now: CriticalNow
    patterns: ErrorPatterns
    new_patterns: NewPatterns
    hardware: dict[str, HardwareTypeStatus]
    silences: list[Silence]


def overview(cursor: Cursor, query: GetOverview) -> Overview:
    """Returns everything that the page shows of the errors that match the filters."""
    choice = choose(cursor, query.filters, query.now)
    return overview_of(query, _counts(cursor, query, choice), _kinds(cursor, query, choice))


def overview_of(query: GetOverview, counted: Counts, grouped: Kinds) -> Overview:
    """Returns the overview of two halves, which may have been read at the same time in one snapshot."""
    return Overview(
        summary=counted.summary,
        timestamp=isoformat(query.now),
        now=grouped.now,
        recent_errors=counted.recent_errors,
        error_distribution=counted.distribution,
        error_patterns=grouped.patterns,
        new_patterns=grouped.new_patterns,
        worker_errors=counted.workers,
        hardware_errors=HardwareErrors(
            with_silence(grouped.hardware, counted.silent_hardware), counted.recent_hardware_errors
        ),
        clock_offsets=list(query.clock_offsets),
        restarts=_within(counted.span, query.restarts),
        silences=grouped.silences,
        seq=counted.position,
        range=Range(
            since=isoformat(counted.span.since), until=isoformat(counted.span.end), live=counted.span.until is None
        ),
        searched_since=counted.searched_since,
    )


def counts(cursor: Cursor, query: GetOverview) -> Counts:
    """Reads one half, where no text is looked for: both halves would look for it. Raises duckdb.Error."""
    return _counts(cursor, query, choose(cursor, query.filters, query.now))


def kinds(cursor: Cursor, query: GetOverview) -> Kinds:
    """Reads the other half, which takes about as long. Raises duckdb.Error."""
    return _kinds(cursor, query, choose(cursor, query.filters, query.now))


def _counts(cursor: Cursor, query: GetOverview, choice: Choice) -> Counts:
    span, facts = choice.span, choice.facts
    standing = standings(cursor, span.now)
    over_time = counts_over_time(cursor, span, facts)
    recent_errors, recent_hardware_errors = newest(
        cursor,
        query.filters.q,
        Newest(choice.matching, RECENT_ERRORS, over_time.newest(RECENT_ERRORS, *SEVERITIES)),
        Newest(
            f"{choice.matching} AND hardware_error",
            RECENT_HARDWARE_ERRORS,
            over_time.newest(RECENT_HARDWARE_ERRORS, "hardware"),
        ),
    )
    return Counts(
        summary=summary(over_time, span, reset_at(cursor, span.now)),
        recent_errors=recent_errors,
        distribution=distribution(over_time, span),
        workers=worker_errors(cursor, facts, standing, unstable(cursor, query.filters, span, standing), span.now),
        silent_hardware=named_hardware(cursor, silent_hardware(cursor, standing)),
        recent_hardware_errors=recent_hardware_errors,
        position=rows(cursor, "position")[0]["position"],
        span=span,
        searched_since=choice.said,
    )


def _kinds(cursor: Cursor, query: GetOverview, choice: Choice) -> Kinds:
    span, facts = choice.span, choice.facts
    return Kinds(
        now=critical_now(cursor, span.now, reset_at(cursor, span.now)),
        patterns=error_patterns(cursor, span, facts, TOP_PATTERNS, CATEGORIES),
        new_patterns=new_patterns(cursor, span, NEW_PATTERNS),
        hardware=hardware_status(cursor, facts, span),
        silences=silences(cursor, span, query.filters.pattern),
    )


def _within(span: Span, restarts: Sequence[Restart]) -> list[Restart]:
    """Returns those whose time without the service meets the time range."""
    since, until = isoformat(span.since), isoformat(span.end)
    return [one for one in restarts if one.started_at >= since and one.stopped_at <= until]
