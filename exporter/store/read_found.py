"""Answers the part of the read of the facets that is looked for by a text: runs, tests, devices, commits, patterns and
groups. There may be any number of them, so that the page does not list them; it finds them while somebody types.

Names are looked up first, in the table of a column's names. Then a rollup has the errors of each, so that the time of a
read depends on the number of names, not of errors. With a filter on a column that the rollup lacks, errors are read.
"""

import datetime as dt
import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, get_args

from msgspec.structs import replace

from exporter.events.groups import GROUPS, groups_of
from exporter.ingest.origin import SEPARATOR
from exporter.store.chosen import choose
from exporter.store.matching import MANY, named_like, one_of
from exporter.store.parameters import Filters, FoundFacet
from exporter.store.results import FacetValue
from exporter.store.rollup_tables import DEVICE, PATTERN, RUN, TEST, TIME
from exporter.store.select import Cursor, Facts, names_of, tuples

FOUND: Final[tuple[FoundFacet, ...]] = get_args(FoundFacet)
_ROLLUPS: Final = {"run": RUN, "commit": RUN, "test": TEST}


class Values(NamedTuple):
    """The most frequent values, most frequent first, and how many there are."""

    values: list[FacetValue]
    found: int


class Answered(NamedTuple):
    """The values of each facet. Only errors since `searched_since` (naive UTC) were counted; None: all."""

    facets: dict[FoundFacet, Values]
    searched_since: dt.datetime | None


def find(
    cursor: Cursor,
    filters: Filters,
    now: dt.datetime,
    asked: Sequence[FoundFacet],
    text: str,
    limit: int,
    deadline: float,
) -> Answered:
    """Returns the `limit` most frequent values of each facet that contain a text, which is in lower case. The filter on
    the facet itself is not in force. `deadline` is that of `choose`. Raises duckdb.Error."""
    together: dict[Filters, list[FoundFacet]] = {}
    for name in asked:
        together.setdefault(replace(filters, **{name: None if name == "pattern" else ()}), []).append(name)
    found: dict[FoundFacet, Values] = {}
    since: list[dt.datetime] = []
    for others, names in together.items():
        choice = choose(cursor, others, now, deadline)  # before the next one: each makes the table `searched` anew
        since += [choice.searched_since] if choice.searched_since else []
        for name in names:
            found[name] = _values(cursor, choice.facts, name, text, limit)
    return Answered(found, max(since, default=None))


def _values(cursor: Cursor, facts: Facts, name: FoundFacet, text: str, limit: int) -> Values:
    if name == "device":
        return _most(_devices(cursor, facts, text), limit)
    if name == "group":
        return _most(_groups(cursor, facts, text), limit)
    if name == "pattern":
        return _patterns(cursor, facts, text, limit)
    column, names = MANY[name]
    ids = named_like(cursor, column, text)
    if not ids:
        return Values([], 0)
    rollup = _ROLLUPS[name]
    places = {
        "key": column,
        "rows": facts.of(rollup)[rollup.name],
        "matching": one_of(cursor, column, ids),
        "names": names,
    }
    found = tuples(cursor, "found_values", {"limit": limit}, places)
    return Values([FacetValue(value, count) for value, count, _ in found], found[0][2] if found else 0)


def _devices(cursor: Cursor, facts: Facts, text: str) -> dict[str, int]:
    sets = named_like(cursor, "devices", text)  # also those whose text is the end of a name and the start of the next
    if not sets or SEPARATOR in text:
        return {}
    places = {"rows": facts.of(DEVICE)[DEVICE.name], "matching": one_of(cursor, "devices", sets)}
    return {name: count for name, count in tuples(cursor, "found_devices", {}, places) if text in name.lower()}


def _groups(cursor: Cursor, facts: Facts, text: str) -> dict[str, int]:
    wanted = [name for name in GROUPS if text in name]
    found = tuples(cursor, "found_groups", {}, facts.of(TIME)) if wanted else []
    categories = names_of(cursor, "categories", [category for category, *_ in found]) if found else {}
    counts: Counter[str] = Counter()
    for category, hardware_error, errors, recurring in found:
        counts["recurring"] += recurring
        for group in groups_of(categories[category], hardware_error=hardware_error, recurring=False):
            counts[group] += errors
    return {name: counts[name] for name in wanted if counts[name]}


def _patterns(cursor: Cursor, facts: Facts, text: str, limit: int) -> Values:
    """Returns the patterns whose text contains each word, and the one whose id is the text."""
    words = text.split()
    if text and not words:
        return Values([], 0)
    like = [f"(length(text) < strlen(text) OR contains(lower(text), $word{i}))" for i in range(len(words))]
    places = facts.of(PATTERN) | {"like": " AND ".join(like) or "true"}
    values = {f"word{i}": word for i, word in enumerate(words)} | {"id": text}
    found = {
        id_: (template, count)
        for id_, template, count in tuples(cursor, "found_patterns", values, places)
        if id_ == text or _has_all(template, words)
    }
    best = _most({id_: count for id_, (_, count) in found.items()}, limit)
    for one in best.values:
        one.text = found[one.value][0]
    return best


def _has_all(text: str, words: Iterable[str]) -> bool:
    lower = text.lower()
    return all(word in lower for word in words)


def _most(counts: dict[str, int], limit: int) -> Values:
    best = heapq.nsmallest(limit, ((-count, value) for value, count in counts.items()))
    return Values([FacetValue(value, -count) for count, value in best], len(counts))
