"""Which errors a read counts: those of a time range that match its filters, with a text looked for."""

import datetime as dt
import time
from typing import Final, NamedTuple

from exporter.events.event import isoformat
from exporter.store import search
from exporter.store.matching import NOTHING, all_of, columns_of, of_all_times
from exporter.store.parameters import Filters
from exporter.store.select import Chosen, Cursor, Facts, Span

# Dropped when the transaction of the read ends.
_SEARCHED: Final = "CREATE OR REPLACE TEMP TABLE searched AS SELECT unnest($rowids::BIGINT[]) AS row"


class Choice(NamedTuple):
    """The chosen errors: their time range, queries that count them, and the condition that they meet, without a text.
    `searched_since` (naive UTC): the time was over before all errors were searched for the text, and only those since
    this moment count; None: all count."""

    span: Span
    facts: Facts
    matching: str
    is_filtered: bool
    searched_since: dt.datetime | None

    @property
    def said(self) -> str | None:
        return isoformat(self.searched_since) if self.searched_since else None


def choose(cursor: Cursor, filters: Filters, now: dt.datetime, deadline: float | None = None) -> Choice:
    """Returns what a read counts. Reads the reports that decide whether an error has a text until `deadline`, by the
    monotonic clock, at most; None: for `search.SECONDS`. Raises duckdb.Error."""
    deadline = time.monotonic() + search.SECONDS if deadline is None else deadline
    span = Span.of(filters, now)
    found = of_all_times(cursor, filters)
    matching = all_of((span.condition, *found.values()))
    words = search.words(cursor, filters.q)
    if words is search.ANYTHING:
        chosen = Chosen(all_of(found.values()), columns_of(found)) if found else None
        return Choice(span, Facts.in_span(cursor, span, chosen), matching, bool(found), None)
    uncertain = words._replace(certain=NOTHING, unread=f"({words.unread} AND NOT ({words.certain}))")
    read = search.find(cursor, uncertain, matching, deadline=deadline)
    cursor.execute(_SEARCHED, {"rowids": read.rowids})
    found["text"] = words.certain
    since = read.end.timestamp if read.end else None
    counted = span._replace(since=since) if since else span
    chosen = Chosen(all_of(found.values()), columns_of(found), searched=bool(read.rowids))
    return Choice(span, Facts.in_span(cursor, counted, chosen), matching, True, since)
