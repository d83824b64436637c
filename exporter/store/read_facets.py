"""Answers the read of the facets: the values to filter by."""

import datetime as dt
import heapq
import time
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any, Final, NamedTuple

from exporter.events.event import isoformat
from exporter.store import search
from exporter.store.matching import COLUMNS, NOTHING, all_of, any_of, conditions
from exporter.store.parameters import FacetName
from exporter.store.queries import GetFacets
from exporter.store.results import Facets, FacetValue
from exporter.store.rollup_tables import KIND, WORKER, Rollup, literal
from exporter.store.search import Words
from exporter.store.select import Cursor, Facts, Span, rows, statement

VALUES: Final = 100
MANY: Final = 1_000_000  # errors; in a larger database, errors with a text are counted in parts of the time range
PARTS: Final = (8, 2)  # first the last eighth, then the rest of the last half, then the rest
Conditions = dict[str, str]  # by the name of the filter
Counts = dict[FacetName, Counter[str]]


class Together(NamedTuple):
    """Facets that one statement counts. It counts the errors of each combination of their values, then applies the
    filters on them. It reads the `rollup` if that has the columns of all filters in force, which are among `filters`;
    else `errors`."""

    names: tuple[FacetName, ...]
    rollup: Rollup
    filters: frozenset[str]


_KINDS: Final[tuple[FacetName, ...]] = ("severity", "category", "type", "hardware")
TOGETHER: Final = (
    Together(_KINDS, KIND, frozenset({"hours", "group", *_KINDS})),
    Together(("worker",), WORKER, frozenset({"hours", "worker", "severity", "type"})),
)


def facets(cursor: Cursor, query: GetFacets) -> Facets:
    """Returns the values to filter by."""
    deadline = time.monotonic() + search.SECONDS
    filters = query.filters
    found = conditions(cursor, filters, query.now)
    asked: Collection[FacetName] = [query.facet] if query.facet else COLUMNS.keys()
    counts: Counts = {name: Counter() for name in COLUMNS}
    words = search.words(cursor, filters.q)
    span = Span.of(filters.hours, query.now)
    since = None
    if words is search.ANYTHING:
        facts = Facts(cursor, span.since)
        for together in TOGETHER:
            if together.filters >= found.keys() and "recurring" not in filters.group:
                rolled_up = {name: one for name, one in found.items() if name != "hours"}
                source = f"({facts.of(together.rollup)[together.rollup.name]})"
                _count(cursor, counts, together, asked, rolled_up, source, added="sum(errors)::BIGINT")
            else:
                _count(cursor, counts, together, asked, found, "errors")
    else:
        since = _count_searched(cursor, counts, asked, found, words, span, deadline)
    text = (query.contains or "").lower()
    return Facets(
        **{name: _most_frequent(values, text) for name, values in counts.items()},
        searched_since=isoformat(since) if since else None,
    )


def _count_searched(
    cursor: Cursor,
    counts: Counts,
    asked: Collection[FacetName],
    found: Conditions,
    words: Words,
    span: Span,
    deadline: float,
) -> dt.datetime | None:
    """Counts the errors that have a text, the newest first, until `deadline`. Returns the time since which all are
    counted; None: the whole time range."""
    wide = any_of(all_of(_others(found, [name])) for name in asked)
    uncertain = words._replace(certain=NOTHING, unread=f"({words.unread} AND NOT ({words.certain}))")
    read = search.find(cursor, uncertain, wide, deadline=deadline)
    having = (
        f"(SELECT * FROM errors WHERE {words.certain} UNION ALL "
        f"SELECT * FROM errors WHERE rowid IN (SELECT unnest($rowids::BIGINT[])))"
    )
    until: list[str] = []
    for since in _parts(cursor, span, read.end.timestamp if read.end else None):
        part = found | {"since": f"timestamp >= {literal(since)}"} if since else found
        for together in TOGETHER:
            _count(cursor, counts, together, asked, part, having, until, rowids=read.rowids)
        if since and time.monotonic() >= deadline:  # always, if errors are left to be read
            return since
        until = [f"timestamp < {literal(since)}"] if since else []
    return None


def _parts(cursor: Cursor, span: Span, end: dt.datetime | None) -> list[dt.datetime | None]:
    """Returns the starts of the parts of a time range, the latest first. The last part begins at `end`; None: where the
    time range begins."""
    (size,) = rows(cursor, "size")
    width = span.now - max(span.since, size["oldest"] or span.since)
    starts = [span.now - width / part for part in PARTS] if size["errors"] > MANY else []
    return [*(start for start in starts if end is None or start > end), end]


def _count(
    cursor: Cursor,
    counts: Counts,
    together: Together,
    asked: Collection[FacetName],
    found: Conditions,
    source: str,
    more: Iterable[str] = (),
    *,
    added: str = "count(*)",
    **values: Any,
) -> None:
    """Adds to `counts` the errors of `source` that match, by the values of the facets in `asked`."""
    names = [name for name in together.names if name in asked]
    if not names:
        return
    places = {
        "facets": " UNION ALL ".join(_facet(name, _others(found, [name], of=names)) for name in names),
        "columns": ", ".join(names),
        "added": added,
        "source": source,
        "matching": all_of([*_others(found, names), *more]),
    }
    for row in rows(cursor, "facets", values, places):
        counts[row["facet"]][row["value"]] += row["errors"]


def _facet(name: FacetName, matching: Iterable[str]) -> str:
    """Returns the query for one facet, from the table `counts`."""
    column, table = COLUMNS[name]
    names = table or "(SELECT unnest([0, 1, 2]) AS id, severity_name(id) AS name)"
    return statement("facet", {"facet": name, "column": column, "names": names, "matching": all_of(matching)})


def _others(found: Conditions, without: Collection[str], of: Collection[str] | None = None) -> list[str]:
    """Returns the conditions of all filters, or only `of` some, without those of the filters `without`."""
    return [one for name, one in found.items() if name not in without and (of is None or name in of)]


def _most_frequent(counts: Counter[str], text: str) -> list[FacetValue]:
    """Returns the most frequent values that contain a text, which is in lower case."""
    found = [(-count, value) for value, count in counts.items() if text in value.lower()]
    return [FacetValue(value, -count) for count, value in heapq.nsmallest(VALUES, found)]
