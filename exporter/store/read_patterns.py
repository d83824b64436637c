"""Answers the reads of lists of patterns.

rollup ─► the table `counted`: one row for a fingerprint ─┬─► the most frequent patterns, and then of these
          (it ends with the transaction of the read)      │   their texts, workers and trends
                                                          └─► categories
"""

import datetime as dt
from typing import Final

from exporter.events.cursor import Rank, rank_cursor
from exporter.events.event import isoformat
from exporter.store.chosen import choose
from exporter.store.pattern_results import Pattern, PatternList
from exporter.store.queries import ListPatterns
from exporter.store.read_states import states_of, without_state
from exporter.store.results import ErrorPatterns, NewPattern, NewPatterns, PatternCategory
from exporter.store.rollup_tables import PATTERN, SEEN
from exporter.store.select import Cursor, Facts, Row, Span, names_of, rows, statement, structs, texts, tuples

_ONE: Final = "SEMI JOIN (SELECT unnest($ids::INTEGER[]) AS fingerprint) USING (fingerprint)"
_RANK: Final = ("occurrences", "newest", "after")


def pattern_list(cursor: Cursor, query: ListPatterns) -> PatternList:
    """Returns a page of the patterns, most frequent first."""
    choice = choose(cursor, query.filters, query.now)
    _count(cursor, choice.facts)
    found = _most_frequent(cursor, choice.span, choice.facts, query.limit + 1, query.after)
    page = found[: query.limit]
    more = len(found) > len(page)
    return PatternList(
        [Pattern(**texts(row)) for row in page], rank_cursor(_rank(page[-1])) if more else None, choice.said
    )


def error_patterns(cursor: Cursor, span: Span, facts: Facts, limit: int, categories: int) -> ErrorPatterns:
    """Returns the most frequent patterns of a time range, at most `limit`, and the categories with most patterns, at
    most `categories`."""
    _count(cursor, facts)
    return ErrorPatterns(
        [Pattern(**texts(row)) for row in _most_frequent(cursor, span, facts, limit)],
        structs(cursor, PatternCategory, "pattern_categories", {"limit": categories}),
    )


def new_patterns(cursor: Cursor, span: Span, limit: int) -> NewPatterns:
    """Returns the patterns that are new in a time range, at most `limit`. The table `counted` must have its counts."""
    found = rows(cursor, "new_patterns", {"since": span.since, "limit": limit})
    types = names_of(cursor, "types", (row["type"] for row in found))
    newest = [
        NewPattern(
            row["pattern_id"], row["template"] or row["text"] or types[row["type"]], isoformat(row["first_seen"])
        )
        for row in found
    ]
    return NewPatterns(found[0]["total"] if found else 0, newest)


def one_pattern(cursor: Cursor, span: Span, facts: Facts, pattern_id: str, fingerprints: list[int]) -> Row | None:
    """Returns the fields of `Pattern` for the pattern with an id and the integers of its fingerprints; None if it has
    no error in the time range. Times are naive UTC. The table `counted` then has the counts of this pattern."""
    _count(cursor, facts, pattern_id, fingerprints)
    found = _most_frequent(cursor, span, facts, 1)
    return found[0] if found else None


def _count(cursor: Cursor, facts: Facts, pattern_id: str | None = None, fingerprints: list[int] | None = None) -> None:
    values: Row = {"pattern_id": pattern_id}
    if fingerprints is None:
        rows(cursor, "counted", values, facts.of(PATTERN) | {"one": ""})
    else:
        rows(cursor, "counted", values | {"ids": fingerprints}, facts.of(PATTERN) | {"one": _ONE})


def _most_frequent(cursor: Cursor, span: Span, facts: Facts, limit: int, after: Rank | None = None) -> list[Row]:
    """Returns the fields of `Pattern` for the most frequent patterns of the table `counted`, from the one that follows
    `after`. Times are naive UTC."""
    rank: Row = dict(zip(_RANK, after, strict=True)) if after else {}
    found = rows(cursor, "patterns", rank | {"limit": limit}, {"after": statement("after", {}) if after else ""})
    if not found:
        return []
    types = names_of(cursor, "types", (row["type"] for row in found))
    categories = names_of(cursor, "categories", (row["category"] for row in found))
    for row in found:
        row["type"], row["category"] = types[row["type"]], categories[row["category"]]
    ids = [row.pop("ids") for row in found]
    places: Row = {
        "ids": [id_ for some in ids for id_ in some],
        "places": [place for place, some in enumerate(ids) for _ in some],
    }
    workers = dict(tuples(cursor, "distinct_workers", places, facts.of(SEEN)))
    trends = _trends(cursor, span, facts, places, len(found))
    more = _texts(cursor, found, span.now)
    return [
        row | more[place] | {"fingerprints": len(ids[place]), "workers": workers[place], "trend": trends[place]}
        for place, row in enumerate(found)
    ]


def _trends(cursor: Cursor, span: Span, facts: Facts, places: Row, patterns: int) -> list[list[int]]:
    """Returns the number of errors in each bucket, for each pattern by its place."""
    buckets = span.buckets()
    trends = [[0] * len(buckets) for _ in range(patterns)]
    values = places | {"first": buckets[0], "bucket": span.bucket}
    for place, bucket, errors in tuples(cursor, "trends", values, facts.by_time(PATTERN, span.bucket)):
        if bucket < len(buckets):  # errors may have times ahead of `now`
            trends[place][bucket] = errors
    return trends


def _texts(cursor: Cursor, found: list[Row], now: dt.datetime) -> list[Row]:
    """Returns the fields of `Pattern` that are not counts, for each row."""
    pattern_ids = {"pattern_ids": [row["pattern_id"] for row in found]}
    newest = {"newest": [row["fingerprint"] for row in found]}
    about = {id_: row for id_, *row in tuples(cursor, "pattern_texts", pattern_ids | newest)}
    templates = {(id_, base_id): text for id_, base_id, text in tuples(cursor, "pattern_families", pattern_ids)}
    families = {id_ for id_, _ in templates}
    states = states_of(cursor, pattern_ids["pattern_ids"])
    more: list[Row] = []
    for row in found:
        id_ = row["pattern_id"]
        ever_first_seen, message, base_id = about[id_]
        text = templates.get((id_, base_id), message) or row["type"]
        if ever_first_seen is not None:  # of the error that was accepted first; a later one may have happened earlier
            ever_first_seen = min(ever_first_seen, row["first_seen"])
        state = states.get(id_) or without_state(ever_first_seen, now)
        more.append({"pattern": text, "ever_first_seen": ever_first_seen, "family": id_ in families, "state": state})
    return more


def _rank(row: Row) -> Rank:
    return Rank(row["occurrences"], row["last_seen"], row["pattern_id"])
