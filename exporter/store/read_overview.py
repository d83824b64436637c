"""Answers the read of the overview: everything that the page shows of a time range."""

import datetime as dt
from typing import Final

from exporter.events.event import SEVERITIES, isoformat
from exporter.store.parameters import Filters
from exporter.store.queries import GetOverview
from exporter.store.read_errors import Newest, newest
from exporter.store.read_patterns import error_patterns
from exporter.store.read_time import CATEGORIES, counts_over_time, distribution, summary
from exporter.store.read_workers import critical_now, hardware_status, worker_stats
from exporter.store.results import HardwareErrors, Overview, WorkerErrors
from exporter.store.select import Cursor, Facts, Span, rows

TOP_PATTERNS: Final = 10
RECENT_ERRORS: Final = 100
RECENT_HARDWARE_ERRORS: Final = 50


def overview(cursor: Cursor, query: GetOverview) -> Overview:
    """Returns everything that the page shows of a time range."""
    span = Span.of(query.hours, query.now)
    facts = Facts(cursor, span.since)
    reset_at: dt.datetime | None = rows(cursor, "reset_at")[0]["reset_at"]
    counts = counts_over_time(cursor, span, facts)
    recent_errors, recent_hardware_errors = newest(
        cursor,
        query.now,
        Newest(Filters(hours=query.hours), RECENT_ERRORS, counts.newest(RECENT_ERRORS, *SEVERITIES)),
        Newest(
            Filters(hours=query.hours, group=("hardware",)),
            RECENT_HARDWARE_ERRORS,
            counts.newest(RECENT_HARDWARE_ERRORS, "hardware"),
        ),
    )
    return Overview(
        summary=summary(counts, query.hours, reset_at),
        timestamp=isoformat(query.now),
        now=critical_now(cursor, span.now, reset_at),
        recent_errors=recent_errors,
        error_distribution=distribution(counts, span),
        error_patterns=error_patterns(cursor, span, facts, TOP_PATTERNS, CATEGORIES),
        worker_errors=WorkerErrors(worker_stats(cursor, facts)),
        hardware_errors=HardwareErrors(hardware_status(cursor, facts, query.hours), recent_hardware_errors),
        clock_offsets=list(query.clock_offsets),
        seq=rows(cursor, "position")[0]["position"],
    )
