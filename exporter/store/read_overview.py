"""Answers the read of the overview: everything that the page shows of a time range."""

import datetime as dt
from typing import Final

from exporter.events.event import SEVERITIES, isoformat
from exporter.store.parameters import Filters
from exporter.store.queries import GetOverview
from exporter.store.read_errors import newest
from exporter.store.read_patterns import top_patterns
from exporter.store.results import (
    CategoryCount,
    CriticalNow,
    ErrorDistribution,
    ErrorPatterns,
    HardwareErrors,
    HardwareMetrics,
    HardwareTypeStatus,
    OtherCategories,
    Overview,
    PatternCategory,
    SeverityCount,
    Summary,
    TimePoint,
    TimeSeries,
    WorkerErrors,
    WorkerStats,
)
from exporter.store.select import Cursor, Span, rows, structs

CATEGORIES: Final = 100
WORKERS: Final = 1_000
HARDWARE_TYPES: Final = 100
TOP_PATTERNS: Final = 10
RECENT_ERRORS: Final = 100
RECENT_HARDWARE_ERRORS: Final = 50
NOW: Final = dt.timedelta(minutes=5)
COUNTED: Final = ("critical", "warning", "info", "resource", "network", "critical_hardware", "recurring")


def overview(cursor: Cursor, query: GetOverview) -> Overview:
    """Returns everything that the page shows of a time range."""
    span = Span.of(query.hours, query.now)
    reset_at: dt.datetime | None = rows(cursor, "reset_at", {})[0]["reset_at"]
    counts = rows(cursor, "summary", span.values())[0]
    reset_text = isoformat(reset_at) if reset_at else None
    summary = Summary(**counts, time_range_hours=query.hours, reset_at=reset_text)
    return Overview(
        summary=summary,
        timestamp=isoformat(query.now),
        now=_now(cursor, span, reset_at),
        recent_errors=newest(cursor, Filters(hours=query.hours), query.now, RECENT_ERRORS),
        error_distribution=_distribution(cursor, span, summary),
        error_patterns=ErrorPatterns(
            top_patterns(cursor, span, TOP_PATTERNS),
            structs(cursor, PatternCategory, "pattern_categories", span.values(limit=CATEGORIES)),
        ),
        worker_errors=WorkerErrors(structs(cursor, WorkerStats, "workers", span.values(limit=WORKERS))),
        hardware_errors=HardwareErrors(
            _hardware(cursor, span, query.hours),
            newest(cursor, Filters(hours=query.hours, group=("hardware",)), query.now, RECENT_HARDWARE_ERRORS),
        ),
        clock_offsets=list(query.clock_offsets),
        seq=rows(cursor, "log_position", {})[0]["position"],
    )


def _now(cursor: Cursor, span: Span, reset_at: dt.datetime | None) -> CriticalNow:
    workers = rows(cursor, "critical_now", {"since": span.now - NOW})  # the worker with most errors first
    return CriticalNow(
        window_seconds=int(NOW.total_seconds()),
        critical_errors=sum(row["errors"] for row in workers),
        workers=len(workers),
        top_worker=workers[0]["worker_id"] if workers else None,
        top_worker_errors=workers[0]["errors"] if workers else 0,
        critical_errors_since_reset=_critical_since(cursor, reset_at) if reset_at else None,
    )


def _critical_since(cursor: Cursor, reset_at: dt.datetime) -> int:
    minute = reset_at.replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
    errors: int = rows(cursor, "critical_since", {"since": reset_at, "whole": minute})[0]["errors"]
    return errors


def _distribution(cursor: Cursor, span: Span, summary: Summary) -> ErrorDistribution:
    categories = structs(cursor, CategoryCount, "categories", span.values())
    listed, others = categories[:CATEGORIES], categories[CATEGORIES:]
    return ErrorDistribution(
        categories=listed,
        other_categories=OtherCategories(len(others), sum(row.count for row in others)),
        severities=[SeverityCount(word, getattr(summary, f"{word}_errors")) for word in SEVERITIES],
        time_series=_time_series(cursor, span),
    )


def _time_series(cursor: Cursor, span: Span) -> TimeSeries:
    counted = {row.pop("timestamp"): row for row in rows(cursor, "time_series", span.values(bucket=span.bucket))}
    none = dict.fromkeys(COUNTED, 0)
    # Errors may have times ahead of `now`, in buckets after the last one.
    starts = sorted({*span.buckets(), *counted})
    return TimeSeries(
        span.bucket, [TimePoint(timestamp=isoformat(start), **counted.get(start, none)) for start in starts]
    )


def _hardware(cursor: Cursor, span: Span, hours: int) -> dict[str, HardwareTypeStatus]:
    measured = {row.pop("hardware_type"): row for row in rows(cursor, "hardware_metrics", {"since": span.since})}
    status = {}
    for row in rows(cursor, "hardware", span.values(limit=HARDWARE_TYPES)):
        name = row.pop("hardware_type")
        metrics = HardwareMetrics(**measured.get(name, {}))
        status[name] = HardwareTypeStatus(**row, error_rate=row["error_count"] / hours, metrics=metrics)
    return status
