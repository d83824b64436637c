"""Answers the reads about single errors."""

import datetime as dt
import time
from typing import Any, Final, NamedTuple

import msgspec

from exporter.events.cursor import cursor_after
from exporter.events.error_object import ErrorObject, derived, error_object
from exporter.events.event import ErrorEvent, isoformat
from exporter.events.listed import CONTEXTS
from exporter.events.plain_text import plain_text
from exporter.events.report import ErrorReport
from exporter.events.stored import known, payload
from exporter.ingest.severity import explain
from exporter.store import search
from exporter.store.matching import ahead, all_of, conditions
from exporter.store.pin import is_error_pinned
from exporter.store.queries import (
    GetCriticalAfter,
    GetError,
    GetRecentCritical,
    ListErrors,
)
from exporter.store.reports import each, fetch
from exporter.store.results import ErrorDetails, ErrorPage
from exporter.store.rollup_tables import literal
from exporter.store.select import Cursor, Row, naive, rows

RECENT_CRITICAL: Final = 2_000
MAX_BODY: Final = 65_536  # bytes of a report that `recent_critical` returns


def error_page(cursor: Cursor, query: ListErrors) -> ErrorPage:
    """Returns a page of errors, newest first."""
    deadline = time.monotonic() + search.SECONDS
    found_by = conditions(cursor, query.filters, query.now)
    matching = all_of((found_by | {"hours": ahead(query.now)} if query.ahead else found_by).values())
    words = search.words(cursor, query.filters.q)
    found = search.find(cursor, words, matching, limit=query.limit + 1, after=query.after, deadline=deadline)
    page = list(_listed(cursor, found.rowids[: query.limit]).values())
    if found.end:
        return ErrorPage(page, cursor_after(*found.end), isoformat(found.end.timestamp))
    return ErrorPage(page, page[-1].cursor if len(found.rowids) > len(page) else None, None)


class Newest(NamedTuple):
    """A request for the newest errors that meet a condition, at most `limit`. `since` (naive UTC): at least `limit`
    such errors are known to be that new, so older ones need not be read; None if that is not known."""

    matching: str
    limit: int
    since: dt.datetime | None = None


def newest(cursor: Cursor, text: str | None, *wanted: Newest) -> list[list[ErrorObject]]:
    """Returns a list of errors, newest first, for each of `wanted`; those with a `text`, if it is given, that are found
    in `search.SECONDS`. Raises duckdb.Error."""
    deadline = time.monotonic() + search.SECONDS
    words = search.words(cursor, text)
    found = []
    for matching, limit, since in wanted:
        new = f"{matching} AND timestamp >= {literal(since)}" if since else matching
        found.append(search.find(cursor, words, new, limit=limit, deadline=deadline).rowids)
    listed = _listed(cursor, list({rowid for rowids in found for rowid in rowids}))
    return [[one for rowid, one in listed.items() if rowid in rowids] for rowids in map(set, found)]


def _listed(cursor: Cursor, rowids: list[int]) -> dict[int, ErrorObject]:
    """Returns errors by their rowid, newest first."""
    found = _errors(cursor, "rowid IN (SELECT unnest($rowids))", {"rowids": rowids}) if rowids else []
    columns_of = {columns["id"]: columns for _, columns in found}
    # One after the other, because reports may be large.
    made = {id_: error_object(columns_of[id_], body) for id_, body in each(cursor, list(columns_of))}
    return {rowid: made[columns["id"]] for rowid, columns in found}


def error(cursor: Cursor, query: GetError) -> ErrorDetails | None:
    """Returns one error with its whole texts; None if there is none with this id."""
    found = _errors(cursor, "id = $id", {"id": query.id})
    if not found:
        return None
    ((_, columns),) = found
    sent = payload(fetch(cursor, [query.id])[query.id])
    read = known(sent)
    columns["message"] = plain_text(read.get("message") or columns["message"])
    contexts: dict[str, Any] = {name: read.get(name) for name in CONTEXTS}
    return ErrorDetails(
        **derived(columns),
        **contexts,
        traceback=read.get("traceback") and plain_text(read["traceback"]),
        report=sent,
        reason_details=explain(columns["reasons"], msgspec.convert(read, ErrorReport), query.thresholds),
        pinned=is_error_pinned(cursor, query.id),
    )


def recent_critical(cursor: Cursor, query: GetRecentCritical) -> list[ErrorEvent]:
    """Returns the newest critical events received since a moment, oldest first."""
    return _critical(cursor, naive(query.since), naive(query.until) if query.until else dt.datetime.max, 0)


def critical_after(cursor: Cursor, query: GetCriticalAfter) -> list[ErrorEvent]:
    """Returns the newest critical events after a log position, oldest first."""
    return _critical(cursor, dt.datetime.min, dt.datetime.max, query.position)


def _critical(cursor: Cursor, since: dt.datetime, end: dt.datetime, above: int) -> list[ErrorEvent]:
    found = rows(cursor, "recent_critical", {"since": since, "end": end, "above": above, "limit": RECENT_CRITICAL})
    short = {id_: report for id_, report in each(cursor, [row["id"] for row in found]) if len(report) <= MAX_BODY}
    for row in found:
        body = short.get(row["id"], "")
        row["body"] = body if len(body.encode()) <= MAX_BODY else ""
        row["reasons"] = tuple(msgspec.json.decode(row["reasons"]))
        for name in ("timestamp", "received_at"):
            row[name] = row[name].replace(tzinfo=dt.UTC)
    return [ErrorEvent(**row) for row in reversed(found)]


def _errors(cursor: Cursor, matching: str, values: Row) -> list[tuple[int, dict[str, Any]]]:
    """Returns the rowid and the columns of `error_object` of each error that matches, newest first."""
    found = rows(cursor, "errors", values, {"matching": matching})
    for row in found:
        for name in ("reasons", "warnings"):
            row[name] = msgspec.json.decode(row[name])
    return [(row.pop("row"), row) for row in found]
