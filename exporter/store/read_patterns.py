"""Answers the reads of lists of patterns."""

import datetime as dt

from exporter.store.pattern_results import Pattern, PatternList
from exporter.store.queries import ListPatterns
from exporter.store.rollup_tables import PATTERN, SEEN
from exporter.store.select import Cursor, Facts, Row, Span, rows, texts


def pattern_list(cursor: Cursor, query: ListPatterns) -> PatternList:
    """Returns the most frequent patterns."""
    span = Span.of(query.hours, query.now)
    return PatternList(top_patterns(cursor, span, Facts(cursor, span.since), query.limit))


def top_patterns(cursor: Cursor, span: Span, facts: Facts, limit: int) -> list[Pattern]:
    """Returns the most frequent patterns of a time range."""
    return [Pattern(**row) for row in patterns(cursor, span, facts, limit)]


def patterns(
    cursor: Cursor,
    span: Span,
    facts: Facts,
    limit: int,
    pattern_id: str | None = None,
    fingerprints: list[int] | None = None,
) -> list[Row]:
    """Returns the fields of `Pattern` for the most frequent patterns, or for one: its id and the integers of its
    fingerprints."""
    only: Row = {"pattern_id": pattern_id, "fingerprints": fingerprints}
    found = rows(cursor, "patterns", only | {"limit": limit}, facts.of(PATTERN))
    only["pattern_ids"] = [row["pattern_id"] for row in found]
    workers = {row["pattern_id"]: row["workers"] for row in rows(cursor, "distinct_workers", only, facts.of(SEEN))}
    places = facts.by_time(PATTERN, span.bucket)
    counts: dict[tuple[str, dt.datetime], int] = {
        (row["pattern_id"], row["timestamp"]): row["errors"]
        for row in rows(cursor, "trends", only | {"bucket": span.bucket}, places)
    }
    buckets = span.buckets()
    return [
        texts(row)
        | {
            "pattern": row["pattern"] or row["type"],
            "workers": workers[row["pattern_id"]],
            "trend": [counts.get((row["pattern_id"], start), 0) for start in buckets],
        }
        for row in found
    ]
