"""Answers the reads of lists of patterns."""

import datetime as dt

from exporter.store.pattern_results import Pattern, PatternList
from exporter.store.queries import ListPatterns
from exporter.store.select import Cursor, Row, Span, rows, texts


def pattern_list(cursor: Cursor, query: ListPatterns) -> PatternList:
    """Returns the most frequent patterns."""
    return PatternList(top_patterns(cursor, Span.of(query.hours, query.now), query.limit))


def top_patterns(cursor: Cursor, span: Span, limit: int) -> list[Pattern]:
    """Returns the most frequent patterns of a time range."""
    return [Pattern(**row) for row in patterns(cursor, span, limit)]


def patterns(
    cursor: Cursor, span: Span, limit: int, pattern_id: str | None = None, members: list[str] | None = None
) -> list[Row]:
    """Returns the fields of `Pattern` for the most frequent patterns, or for one: its id and members."""
    only = {"pattern_id": pattern_id, "members": members}
    found = rows(cursor, "patterns", span.values(limit=limit, **only))
    values = span.values(bucket=span.bucket, pattern_ids=[row["pattern_id"] for row in found], **only)
    counts: dict[tuple[str, dt.datetime], int] = {
        (row["pattern_id"], row["timestamp"]): row["errors"] for row in rows(cursor, "trends", values)
    }
    buckets = span.buckets()
    return [
        texts(row)
        | {
            "pattern": row["pattern"] or row["type"],
            "trend": [counts.get((row["pattern_id"], start), 0) for start in buckets],
        }
        for row in found
    ]
