"""Answers the read of the facets: the values to filter by."""

import datetime as dt
import heapq
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from exporter.events.event import isoformat
from exporter.store import search
from exporter.store.matching import COLUMNS, NOTHING, all_of, any_of, conditions
from exporter.store.parameters import FacetName
from exporter.store.queries import GetFacets
from exporter.store.results import Facets, FacetValue
from exporter.store.rollup_tables import KIND, WORKER, Rollup, literal
from exporter.store.rows import SEVERITY_CODES
from exporter.store.search import Words
from exporter.store.select import Cursor, Facts, Span, names_of, rows, tuples

VALUES: Final = 100
AT_ONCE: Final = 6_000_000  # errors: with a text, first so many are searched, then twice as many, and so on
Conditions = dict[str, str]  # by the name of the filter
Counts = dict[FacetName, Counter[int]]  # by the integer of the value


class Together(NamedTuple):
    """Facets of which the errors of each combination of values are counted first, and then the filters on them applied.
    They are counted in the `rollup` if that has the columns of all filters in force, which are among `filters`; else in
    `errors`."""

    names: tuple[FacetName, ...]
    rollup: Rollup
    filters: frozenset[str]


_KINDS: Final[tuple[FacetName, ...]] = ("severity", "category", "type", "hardware")
TOGETHER: Final = (
    Together(_KINDS, KIND, frozenset({"hours", "group", *_KINDS})),
    Together(("worker",), WORKER, frozenset({"hours", "worker", "severity", "type"})),
)


class Source(NamedTuple):
    """What is counted: rows of a table or query that match, with `values` as its parameters. `added` is the number of
    errors of several rows."""

    rows: str
    matching: Conditions
    added: str = "count(*)"
    values: dict[str, Any] = {}  # noqa: RUF012


def facets(cursor: Cursor, query: GetFacets) -> Facets:
    """Returns the values to filter by."""
    deadline = time.monotonic() + search.SECONDS
    filters = query.filters
    found = conditions(cursor, filters, query.now)
    asked: Collection[FacetName] = [query.facet] if query.facet else COLUMNS.keys()
    wanted = [one._replace(names=some) for one in TOGETHER if (some := tuple(n for n in one.names if n in asked))]
    counts: Counts = {name: Counter() for name in COLUMNS}
    words = search.words(cursor, filters.q)
    span = Span.of(filters.hours, query.now)
    since = None
    if words is search.ANYTHING:
        facts = Facts(cursor, span.since)
        single = []
        for one in wanted:
            if one.filters >= found.keys() and "recurring" not in filters.group:
                matching = {name: condition for name, condition in found.items() if name != "hours"}
                source = Source(f"({facts.of(one.rollup)[one.rollup.name]})", matching, "sum(errors)::BIGINT")
                _count(cursor, counts, [one.names], source)
            else:
                single.append(one.names)
        _count_errors(cursor, counts, single, Source("errors", found))
    else:
        since = _count_searched(cursor, counts, [one.names for one in wanted], found, words, span, deadline)
    text = (query.contains or "").lower()
    return Facets(
        **{name: _most_frequent(_named(cursor, name, of), text) for name, of in counts.items()},
        searched_since=isoformat(since) if since else None,
    )


def _count_searched(
    cursor: Cursor,
    counts: Counts,
    sets: Sequence[Sequence[FacetName]],
    found: Conditions,
    words: Words,
    span: Span,
    deadline: float,
) -> dt.datetime | None:
    """Counts the errors that have a text, the newest first, until `deadline`. Returns the time since which all are
    counted; None: the whole time range."""
    wide = any_of(all_of(_others(found, [name])) for names in sets for name in names)
    uncertain = words._replace(certain=NOTHING, unread=f"({words.unread} AND NOT ({words.certain}))")
    read = search.find(cursor, uncertain, wide, deadline=deadline)
    source = Source("errors", found | {"text": words.certain})
    if read.rowids:
        having = (
            f"(SELECT * FROM errors WHERE {words.certain} UNION ALL "
            f"SELECT * FROM errors WHERE rowid IN (SELECT unnest($rowids::BIGINT[])))"
        )
        source = Source(having, found, values={"rowids": read.rowids})
    until: Conditions = {}
    for since in _parts(cursor, span, read.end.timestamp if read.end else None):
        part = until | ({"since": f"timestamp >= {literal(since)}"} if since else {})
        _count_errors(cursor, counts, sets, source._replace(matching=source.matching | part))
        if since and time.monotonic() >= deadline:  # always, if errors are left to be read
            return since
        until = {"until": f"timestamp < {literal(since)}"} if since else {}
    return None


def _parts(cursor: Cursor, span: Span, end: dt.datetime | None) -> list[dt.datetime | None]:
    """Returns the starts of the parts of a time range, the latest first. The last part begins at `end`; None: where the
    time range begins."""
    (size,) = rows(cursor, "size")
    width = span.now - max(span.since, size["oldest"] or span.since)
    starts = []
    many = AT_ONCE
    while many < size["errors"]:
        starts.append(span.now - width * (many / size["errors"]))
        many *= 2
    return [*(start for start in starts if end is None or start > end), end]


def _count_errors(cursor: Cursor, counts: Counts, sets: Sequence[Sequence[FacetName]], source: Source) -> None:
    """Adds to `counts` the errors that match, for the facets of each set. Without filters on their values, all sets
    have the same conditions, and one statement reads the errors once."""
    if source.matching.keys() & COLUMNS.keys():
        for names in sets:
            _count(cursor, counts, [names], source)
    elif sets:
        _count(cursor, counts, sets, source)


def _count(cursor: Cursor, counts: Counts, sets: Sequence[Sequence[FacetName]], source: Source) -> None:
    """Adds to `counts` the errors that match, for the facets of each set."""
    names = [name for some in sets for name in some]
    places = {
        "facets": ", ".join(f"'{name}'" for name in names),
        "ids": ", ".join(_counted(name, _others(source.matching, [name], of=names)) for name in names),
        "columns": ", ".join(names),
        "added": source.added,
        "source": source.rows,
        "matching": all_of(_others(source.matching, names)),
        "combinations": ", ".join(f"({', '.join(some)})" for some in sets),
    }
    for facet, id_, errors in tuples(cursor, "facets", source.values, places):
        counts[facet][id_] += errors


def _counted(name: FacetName, matching: Sequence[str]) -> str:
    """Returns the expression for the value of a facet; NULL where an error is not counted."""
    return f"CASE WHEN {all_of(matching)} THEN {name} END" if matching else name


def _others(found: Conditions, without: Collection[str], of: Collection[str] | None = None) -> list[str]:
    """Returns the conditions of all filters, or only `of` some, without those of the filters `without`."""
    return [one for name, one in found.items() if name not in without and (of is None or name in of)]


def _named(cursor: Cursor, name: FacetName, counts: Counter[int]) -> dict[str, int]:
    """Returns counts by the values' names. Raises duckdb.Error."""
    table = COLUMNS[name][1]
    names = names_of(cursor, table, counts) if table else {code: word for word, code in SEVERITY_CODES.items()}
    return {names[id_]: count for id_, count in counts.items()}


def _most_frequent(counts: Mapping[str, int], text: str) -> list[FacetValue]:
    """Returns the most frequent values that contain a text, which is in lower case."""
    found = [(-count, value) for value, count in counts.items() if text in value.lower()]
    return [FacetValue(value, -count) for count, value in heapq.nsmallest(VALUES, found)]
