"""Answers the reads about patterns."""

import datetime as dt
from typing import Final

from exporter.store.parameters import Filters
from exporter.store.queries import GetPattern, ListPatterns
from exporter.store.read_errors import newest
from exporter.store.results import Pattern, PatternDetails, PatternList, PatternWorker
from exporter.store.select import Cursor, Row, Span, rows, structs, texts

PATTERN_ERRORS: Final = 20


def pattern_list(cursor: Cursor, query: ListPatterns) -> PatternList:
    """Returns the most frequent patterns."""
    return PatternList(top_patterns(cursor, Span.of(query.hours, query.now), query.limit))


def top_patterns(cursor: Cursor, span: Span, limit: int) -> list[Pattern]:
    """Returns the most frequent patterns of a time range."""
    return [Pattern(**row) for row in _patterns(cursor, span, limit)]


def pattern(cursor: Cursor, query: GetPattern) -> PatternDetails | None:
    """Returns one pattern; None if it has no error in the time range."""
    span = Span.of(query.hours, query.now)
    found = _patterns(cursor, span, 1, query.fingerprint)
    if not found:
        return None
    values = span.values(fingerprint=query.fingerprint)
    filters = Filters(hours=query.hours, fingerprint=query.fingerprint)
    return PatternDetails(
        **found[0],
        worker_stats=structs(cursor, PatternWorker, "pattern_workers", values),
        recent_errors=newest(cursor, filters, query.now, PATTERN_ERRORS),
    )


def _patterns(cursor: Cursor, span: Span, limit: int, fingerprint: str | None = None) -> list[Row]:
    """Returns the fields of `Pattern` for the most frequent patterns, or for one."""
    found = rows(cursor, "patterns", span.values(limit=limit, fingerprint=fingerprint))
    values = span.values(bucket=span.bucket, fingerprints=[row["fingerprint"] for row in found])
    counts: dict[tuple[str, dt.datetime], int] = {
        (row["fingerprint"], row["timestamp"]): row["errors"] for row in rows(cursor, "trends", values)
    }
    buckets = span.buckets()
    return [
        texts(row)
        | {
            "pattern": row["pattern"] or row["type"],
            "trend": [counts.get((row["fingerprint"], start), 0) for start in buckets],
        }
        for row in found
    ]
