"""Reads two parts of the overview: the summary, and the errors by category, by severity and over time.

One statement counts by bucket, category and `hardware_error`; all numbers are sums of its rows.
"""

import datetime as dt
from collections import Counter, defaultdict
from math import ceil
from typing import Final, NamedTuple

from exporter.events.event import SEVERITIES, isoformat
from exporter.events.groups import BY_PREFIX, PREFIXES
from exporter.store.results import (
    CategoryCount,
    ErrorDistribution,
    OtherCategories,
    SeverityCount,
    Summary,
    TimePoint,
    TimeSeries,
)
from exporter.store.rollup_tables import TIME
from exporter.store.select import Cursor, Facts, Span, names_of, tuples

CATEGORIES: Final = 100
POINT: Final = ("critical", "warning", "info", "resource", "network", "critical_hardware", "recurring")


class Counts(NamedTuple):
    """Counts of errors by the start of a bucket, and by category. A bucket has a count for each severity, each group,
    `critical_hardware` and `recurring`."""

    by_bucket: dict[dt.datetime, Counter[str]]
    by_category: Counter[str]

    def newest(self, limit: int, *names: str) -> dt.datetime | None:
        """Returns the start of the newest bucket since which the counts of `names` add up to `limit` errors; None if
        all are fewer."""
        for start in sorted(self.by_bucket, reverse=True):
            limit -= sum(self.by_bucket[start][name] for name in names)
            if limit <= 0:
                return start
        return None


def counts_over_time(cursor: Cursor, span: Span, facts: Facts) -> Counts:
    """Counts the errors of a time range. Raises duckdb.Error."""
    counted = tuples(cursor, "over_time", {"bucket": span.bucket}, facts.by_time(TIME, span.bucket))
    categories = names_of(cursor, "categories", (category for _, category, *_ in counted))
    groups = {
        id_: [group for group in BY_PREFIX if name.startswith(PREFIXES[group])] for id_, name in categories.items()
    }
    by_bucket: dict[dt.datetime, Counter[str]] = defaultdict(Counter)
    by_category: Counter[str] = Counter()
    for start, category, is_hardware_error, recurring, critical, warning, info in counted:
        errors = critical + warning + info
        by_category[categories[category]] += errors
        bucket = by_bucket[start]
        bucket["critical"] += critical
        bucket["warning"] += warning
        bucket["info"] += info
        bucket["recurring"] += recurring
        if is_hardware_error:
            bucket["hardware"] += errors
            bucket["critical_hardware"] += critical
        for group in groups[category]:
            bucket[group] += errors
    return Counts(by_bucket, by_category)


def summary(counts: Counts, span: Span, reset_at: dt.datetime | None) -> Summary:
    """Returns the counts of a time range; `reset_at` is naive UTC."""
    totals: Counter[str] = sum(counts.by_bucket.values(), Counter())
    return Summary(
        total_errors=counts.by_category.total(),
        recurring_errors=totals["recurring"],
        resource_errors=totals["resource"],
        network_errors=totals["network"],
        hardware_errors=totals["hardware"],
        critical_hardware_errors=totals["critical_hardware"],
        critical_errors=totals["critical"],
        warning_errors=totals["warning"],
        info_errors=totals["info"],
        worker_errors=totals["worker"],
        test_errors=totals["test"],
        time_range_hours=ceil(span.hours),
        reset_at=isoformat(reset_at) if reset_at else None,
    )


def distribution(counts: Counts, span: Span) -> ErrorDistribution:
    """Returns the counts by category, by severity and over time."""
    ordered = sorted(counts.by_category.items(), key=lambda item: (-item[1], item[0]))
    categories = [CategoryCount(category, errors) for category, errors in ordered]
    listed, others = categories[:CATEGORIES], categories[CATEGORIES:]
    return ErrorDistribution(
        categories=listed,
        other_categories=OtherCategories(len(others), sum(one.count for one in others)),
        severities=[SeverityCount(word, sum(one[word] for one in counts.by_bucket.values())) for word in SEVERITIES],
        time_series=_time_series(counts, span),
    )


def _time_series(counts: Counts, span: Span) -> TimeSeries:
    # Errors may have times ahead of `now`, in buckets after the last one.
    starts = sorted({*span.buckets(), *counts.by_bucket})
    none: Counter[str] = Counter()
    points = [
        TimePoint(timestamp=isoformat(start), **{name: counts.by_bucket.get(start, none)[name] for name in POINT})
        for start in starts
    ]
    return TimeSeries(span.bucket, points)
