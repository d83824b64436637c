"""Answers the read of the overview: everything that the page shows of a time range."""

import datetime as dt
from typing import Final

from exporter.events.event import SEVERITIES, isoformat
from exporter.store.parameters import Filters
from exporter.store.queries import GetOverview
from exporter.store.read_errors import newest
from exporter.store.read_patterns import error_patterns
from exporter.store.results import (
    CategoryCount,
    CriticalNow,
    ErrorDistribution,
    HardwareErrors,
    HardwareMetrics,
    HardwareTypeStatus,
    OtherCategories,
    Overview,
    SeverityCount,
    Summary,
    TimePoint,
    TimeSeries,
    WorkerErrors,
    WorkerStats,
)
from exporter.store.rollup_tables import KIND, TIME, WORKER
from exporter.store.select import Cursor, Facts, Row, Span, rows, structs

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
    facts = Facts(cursor, span.since)
    reset_at: dt.datetime | None = rows(cursor, "reset_at")[0]["reset_at"]
    over_time = rows(cursor, "over_time", {"bucket": span.bucket}, facts.by_time(TIME, span.bucket))
    reset_text = isoformat(reset_at) if reset_at else None
    summary = Summary(**_totals(over_time), time_range_hours=query.hours, reset_at=reset_text)
    return Overview(
        summary=summary,
        timestamp=isoformat(query.now),
        now=_now(cursor, span, reset_at),
        recent_errors=newest(cursor, Filters(hours=query.hours), query.now, RECENT_ERRORS),
        error_distribution=_distribution(cursor, span, facts, summary, over_time),
        error_patterns=error_patterns(cursor, span, facts, TOP_PATTERNS, CATEGORIES),
        worker_errors=WorkerErrors(structs(cursor, WorkerStats, "workers", {"limit": WORKERS}, facts.of(WORKER))),
        hardware_errors=HardwareErrors(
            _hardware(cursor, facts, query.hours),
            newest(cursor, Filters(hours=query.hours, group=("hardware",)), query.now, RECENT_HARDWARE_ERRORS),
        ),
        clock_offsets=list(query.clock_offsets),
        seq=rows(cursor, "log_position")[0]["position"],
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
    errors: int = rows(cursor, "critical_since", places=Facts(cursor, reset_at).of(TIME))[0]["errors"]
    return errors


def _totals(over_time: list[Row]) -> dict[str, int]:
    """Returns the counts of `Summary`: those of a time series, added up."""
    names = dict.fromkeys(
        field.removesuffix("_errors") for field in Summary.__struct_fields__ if field.endswith("_errors")
    )
    totals = {f"{name}_errors": sum(row[name] for row in over_time) for name in names if name != "total"}
    return totals | {"total_errors": sum(totals[f"{severity}_errors"] for severity in SEVERITIES)}


def _distribution(
    cursor: Cursor, span: Span, facts: Facts, summary: Summary, over_time: list[Row]
) -> ErrorDistribution:
    categories = structs(cursor, CategoryCount, "categories", places=facts.of(TIME))
    listed, others = categories[:CATEGORIES], categories[CATEGORIES:]
    return ErrorDistribution(
        categories=listed,
        other_categories=OtherCategories(len(others), sum(row.count for row in others)),
        severities=[SeverityCount(word, getattr(summary, f"{word}_errors")) for word in SEVERITIES],
        time_series=_time_series(span, over_time),
    )


def _time_series(span: Span, over_time: list[Row]) -> TimeSeries:
    counted = {row["timestamp"]: {name: row[name] for name in COUNTED} for row in over_time}
    none = dict.fromkeys(COUNTED, 0)
    # Errors may have times ahead of `now`, in buckets after the last one.
    starts = sorted({*span.buckets(), *counted})
    return TimeSeries(
        span.bucket, [TimePoint(timestamp=isoformat(start), **counted.get(start, none)) for start in starts]
    )


def _hardware(cursor: Cursor, facts: Facts, hours: int) -> dict[str, HardwareTypeStatus]:
    status = {}
    for row in rows(cursor, "hardware", {"limit": HARDWARE_TYPES}, facts.of(KIND)):
        name = row.pop("hardware_type")
        metrics = HardwareMetrics(**{field: row.pop(field) for field in HardwareMetrics.__struct_fields__})
        status[name] = HardwareTypeStatus(**row, error_rate=row["error_count"] / hours, metrics=metrics)
    return status
