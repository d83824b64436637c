"""Answers the reads of lists of patterns.

The statements build on each other. A read creates their tables in its transaction, which is rolled back at the end:

    rollup ─► counted ─► ranked ─► described ─► the patterns with their texts
                 │          └────► their numbers of workers, their trends
                 └───────────────► categories
"""

from typing import Final

from exporter.events.cursor import Rank, rank_cursor
from exporter.store.pattern_results import Pattern, PatternList
from exporter.store.queries import ListPatterns
from exporter.store.results import ErrorPatterns, PatternCategory
from exporter.store.rollup_tables import PATTERN, SEEN
from exporter.store.select import Cursor, Facts, Row, Span, rows, structs, texts

_ONE: Final = "SEMI JOIN (SELECT unnest($fingerprints::INTEGER[]) AS fingerprint) USING (fingerprint)"


def pattern_list(cursor: Cursor, query: ListPatterns) -> PatternList:
    """Returns a page of the patterns, most frequent first."""
    span = Span.of(query.hours, query.now)
    facts = Facts(cursor, span.since)
    _count(cursor, facts)
    found = _most_frequent(cursor, span, facts, query.limit + 1, query.after)
    page = found[: query.limit]
    next_cursor = None
    if len(found) > len(page):
        last = page[-1]
        next_cursor = rank_cursor(Rank(last["occurrences"], last["last_seen"], last["pattern_id"]))
    return PatternList([Pattern(**texts(row)) for row in page], next_cursor)


def error_patterns(cursor: Cursor, span: Span, facts: Facts, limit: int, categories: int) -> ErrorPatterns:
    """Returns the most frequent patterns of a time range, at most `limit`, and the categories with most patterns."""
    _count(cursor, facts)
    return ErrorPatterns(
        [Pattern(**texts(row)) for row in _most_frequent(cursor, span, facts, limit)],
        structs(cursor, PatternCategory, "pattern_categories", {"limit": categories}),
    )


def one_pattern(cursor: Cursor, span: Span, facts: Facts, pattern_id: str, fingerprints: list[int]) -> Row | None:
    """Returns the fields of `Pattern` for one pattern: its id and the integers of its fingerprints. None if it has no
    error in the time range. Times are as the database has them. Leaves the table `counted`."""
    _count(cursor, facts, pattern_id, fingerprints)
    found = _most_frequent(cursor, span, facts, 1)
    return found[0] if found else None


def _count(cursor: Cursor, facts: Facts, pattern_id: str | None = None, fingerprints: list[int] | None = None) -> None:
    values: Row = {"pattern_id": pattern_id}
    if fingerprints is not None:
        values["fingerprints"] = fingerprints
    rows(cursor, "counted", values, facts.of(PATTERN) | {"one": "" if fingerprints is None else _ONE})


def _most_frequent(cursor: Cursor, span: Span, facts: Facts, limit: int, after: Rank | None = None) -> list[Row]:
    """Returns the fields of `Pattern` for the most frequent ones of the table `counted`, from the one that follows
    `after`. Times are as the database has them."""
    occurrences, newest, pattern_id = after or (None, None, None)
    rank = {"occurrences": occurrences, "newest": newest, "after": pattern_id}
    rows(cursor, "ranked", rank | {"limit": limit})
    rows(cursor, "described")
    found = rows(cursor, "patterns")
    workers = {row["place"]: row["workers"] for row in rows(cursor, "distinct_workers", places=facts.of(SEEN))}
    trends = _trends(cursor, span, facts, len(found))
    return [
        row | {"pattern": row["pattern"] or row["type"], "workers": workers[place], "trend": trends[place]}
        for place, row in enumerate(found)
    ]


def _trends(cursor: Cursor, span: Span, facts: Facts, patterns: int) -> list[list[int]]:
    """Returns the number of errors in each bucket, for each place of the table `ranked`."""
    buckets = span.buckets()
    trends = [[0] * len(buckets) for _ in range(patterns)]
    values: Row = {"first": buckets[0], "bucket": span.bucket}
    for row in rows(cursor, "trends", values, facts.by_time(PATTERN, span.bucket)):
        if row["bucket"] < len(buckets):  # errors may have times ahead of `now`
            trends[row["place"]][row["bucket"]] = row["errors"]
    return trends
