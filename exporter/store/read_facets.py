"""Answers the read of the facets: the values to filter by."""

import datetime as dt
import heapq
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec import UNSET

from exporter.events.event import isoformat
from exporter.store import read_found, search
from exporter.store.matching import COLUMNS, NOTHING, all_of, any_of, columns_of, conditions
from exporter.store.parameters import FacetName, Filters, FoundFacet
from exporter.store.queries import GetFacets
from exporter.store.read_found import FOUND
from exporter.store.results import Facets, FacetValue
from exporter.store.rollup_tables import FACET, KIND, RUN, WORKER, Rollup, literal, single
from exporter.store.rows import SEVERITY_CODES
from exporter.store.search import Words
from exporter.store.select import Cursor, Facts, Span, names_of, tuples

VALUES: Final = 100  # of each field
VALUES_OF_ONE: Final = 1_000  # of a single field that contain a text
Conditions = dict[str, str]  # by the name of the filter
Counts = dict[FacetName, Counter[int]]  # by the integer of the value
Names = Sequence[FacetName]


class Together(NamedTuple):
    """Facets of which the errors of each combination of values are counted first, and then the filters on them applied.
    `rollup` is the smallest that has them."""

    names: tuple[FacetName, ...]
    rollup: Rollup


_KINDS: Final[tuple[FacetName, ...]] = ("severity", "category", "type", "hardware")
_RUNS: Final[tuple[FacetName, ...]] = ("job", "suite", "branch", "user")
TOGETHER: Final = (
    Together(_KINDS, KIND),
    Together(("worker",), WORKER),
    Together(_RUNS, RUN),
)


class Found(NamedTuple):
    """The errors to count: since a moment, with a `condition` for each filter. With a text, also those with `rowids`,
    whose reports have it."""

    since: dt.datetime
    conditions: Conditions
    rowids: list[int]


class Source(NamedTuple):
    """What is counted: rows of a table or query that match, with `values` as its parameters. `added` is the number of
    errors of several rows."""

    rows: str
    matching: Conditions
    added: str
    values: dict[str, Any]


def facets(cursor: Cursor, query: GetFacets) -> Facets:
    """Returns the values to filter by."""
    deadline = time.monotonic() + search.SECONDS
    text = (query.contains or "").lower()
    limit = query.limit or (VALUES_OF_ONE if query.facet and query.contains else VALUES)
    asked = _used(cursor, [name for name in COLUMNS if query.facet in (name, None)])
    wanted = [one._replace(names=some) for one in TOGETHER if (some := tuple(n for n in one.names if n in asked))]
    span = Span.of(query.filters, query.now)
    found = Found(span.since, conditions(cursor, query.filters, query.now), [])
    words = search.words(cursor, query.filters.q)
    end = None
    if wanted and words is not search.ANYTHING:
        found, end = _searched(cursor, found, words, [name for one in wanted for name in one.names], deadline)
    sets: dict[Rollup | None, list[Names]] = {}
    for one in wanted:
        sets.setdefault(_rollup(one, found, query.filters), []).append(one.names)
    counts: Counts = {name: Counter() for name in COLUMNS}
    facts = Facts(cursor, found.since, span.now, span.until)
    for rollup, names in sets.items():
        _count_sets(cursor, counts, names, _source(facts, rollup, found))
    values = {name: _containing(_named(cursor, name, of), text) for name, of in counts.items()}
    more = read_found.find(cursor, query.filters, query.now, _looked_for(query), text, limit, deadline)
    end = max((one for one in (end, more.searched_since) if one), default=None)
    sizes = {name: len(of) for name, of in values.items()} | {name: of.found for name, of in more.facets.items()}
    return Facets(
        **{name: _most_frequent(some, limit) for name, some in values.items()},
        searched_since=isoformat(end) if end else None,
        found=sizes[query.facet] if query.facet else UNSET,
        **{name: of.values for name, of in more.facets.items()},
    )


def _looked_for(query: GetFacets) -> Sequence[FoundFacet]:
    """Returns those facets with any number of values that are asked for."""
    if query.facet is None:
        return FOUND if query.contains else ()
    return [name for name in FOUND if name == query.facet]


def _used(cursor: Cursor, asked: Names) -> Collection[FacetName]:
    """Returns those facets that can have values: where no report ever had a job, none is looked for. Raises
    duckdb.Error."""
    return [
        name for name in asked
        if name not in _RUNS or cursor.execute(f"SELECT 1 FROM {COLUMNS[name][1]} LIMIT 1").fetchone()
    ]  # fmt: skip


def _searched(
    cursor: Cursor, found: Found, words: Words, names: Names, deadline: float
) -> tuple[Found, dt.datetime | None]:
    """Adds to what is found the condition of a text. Reads the reports that decide, the newest first, until `deadline`.
    Also returns the time since which all were read; None: the whole time range."""
    wide = any_of(all_of(_others(found.conditions, [name])) for name in names)
    uncertain = words._replace(certain=NOTHING, unread=f"({words.unread} AND NOT ({words.certain}))")
    read = search.find(cursor, uncertain, wide, deadline=deadline)
    with_text = found.conditions | {"text": words.certain}
    if read.end is None:
        return Found(found.since, with_text, read.rowids), None
    since = read.end.timestamp
    hours = f"{with_text['hours']} AND timestamp >= {literal(since)}"
    return Found(since, with_text | {"hours": hours}, read.rowids), since


def _rollup(one: Together, found: Found, filters: Filters) -> Rollup | None:
    """Returns the smallest rollup that has the columns of all filters; None: only `errors` has them."""
    compared = columns_of(found.conditions.keys() - {"hours"})
    if "recurring" not in (*filters.group, *filters.not_group):
        compared -= {"is_recurring"}
    if compared <= one.rollup.keys:
        return one.rollup
    return FACET if compared <= FACET.keys and not {*one.names} & {*_RUNS} else None


def _source(facts: Facts, rollup: Rollup | None, found: Found) -> Source:
    """Returns what is counted; `rollup` is None for the rows of `errors`."""
    matching = found.conditions
    if rollup is None:
        every, columns, added = "errors", "*", "count(*)"
    else:
        every, columns, added = f"({facts.of(rollup)[rollup.name]})", single(rollup), "sum(errors)::BIGINT"
        matching = {name: condition for name, condition in matching.items() if name != "hours"}
    if not found.rowids:
        return Source(every, matching, added, {})
    matching = dict(matching)
    having = (
        f"(SELECT * FROM {every} WHERE {matching.pop('text')} UNION ALL "
        f"SELECT {columns} FROM errors WHERE rowid IN (SELECT unnest($rowids::BIGINT[])))"
    )
    return Source(having, matching, added, {"rowids": found.rowids})


def _count_sets(cursor: Cursor, counts: Counts, sets: Sequence[Names], source: Source) -> None:
    """Adds to `counts` the errors that match, for the facets of each set. Without filters on their values, all sets
    have the same conditions, and one statement reads the rows once."""
    if source.matching.keys() & COLUMNS.keys():
        for names in sets:
            _count(cursor, counts, [names], source)
    else:
        _count(cursor, counts, sets, source)


def _count(cursor: Cursor, counts: Counts, sets: Sequence[Names], source: Source) -> None:
    """Adds to `counts` the errors that match, for the facets of each set."""
    names = [name for some in sets for name in some]
    places = {
        "facets": ", ".join(f"'{name}'" for name in names),
        "ids": ", ".join(_counted(name, _others(source.matching, [name], of=names)) for name in names),
        "columns": ", ".join(COLUMNS[name][0] for name in names),
        "added": source.added,
        "source": source.rows,
        "matching": all_of(_others(source.matching, names)),
        "combinations": ", ".join(f"({', '.join(COLUMNS[name][0] for name in some)})" for some in sets),
    }
    for facet, id_, errors in tuples(cursor, "facets", source.values, places):
        counts[facet][id_] += errors


def _counted(name: FacetName, matching: Sequence[str]) -> str:
    """Returns the expression for the value of a facet; NULL where an error is not counted."""
    column = COLUMNS[name][0]
    return f"CASE WHEN {all_of(matching)} THEN {column} END" if matching else column


def _others(found: Conditions, without: Collection[str], of: Collection[str] | None = None) -> list[str]:
    """Returns the conditions of all filters, or only `of` some, without those of the filters `without`."""
    return [one for name, one in found.items() if name not in without and (of is None or name in of)]


def _named(cursor: Cursor, name: FacetName, counts: Counter[int]) -> dict[str, int]:
    """Returns counts by the values' names. Raises duckdb.Error."""
    table = COLUMNS[name][1]
    names = names_of(cursor, table, counts) if table else {code: word for word, code in SEVERITY_CODES.items()}
    return {names[id_]: count for id_, count in counts.items()}


def _containing(counts: dict[str, int], text: str) -> dict[str, int]:
    """Returns the values that contain a text, which is in lower case."""
    return {value: count for value, count in counts.items() if text in value.lower()} if text else counts


def _most_frequent(counts: Mapping[str, int], limit: int) -> list[FacetValue]:
    """Returns the most frequent values."""
    found = heapq.nsmallest(limit, ((-count, value) for value, count in counts.items()))
    return [FacetValue(value, -count) for count, value in found]
