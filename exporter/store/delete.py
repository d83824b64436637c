"""Deletes errors on request, in the database process, in small steps. Each step is one request, so that reads and new
errors are handled in between; what a crash interrupts can be asked for again."""

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

import duckdb
import msgspec

from exporter.events.event import isoformat
from exporter.store import search
from exporter.store.database import Database
from exporter.store.deleting import Chosen, delete_span, trim_reports, unpinned
from exporter.store.deletions import Begin, Counted, Delete, DeletionList, Matching, PastDeletion, Step, noted
from exporter.store.insert import Inserter
from exporter.store.matching import ahead, all_of, of_all_times, since
from exporter.store.queries import CountErrors, ListDeletions
from exporter.store.rollup_tables import MINUTE, floor
from exporter.store.rollups import Rollups, rolled_up
from exporter.store.select import Cursor, naive
from exporter.store.sql import named, number

STEP_SECONDS: Final = 0.2
AT_ONCE: Final = 4_096  # errors with a text that one step looks for
MOST: Final = 131_072  # stored errors in the minutes of a step, unless one minute has more
LISTED: Final = 100
HOUR: Final = 60 * MINUTE
_SQL: Final = named("delete.sql")


def begin(database: Database, asked: Begin) -> int:
    """Notes a deletion, and returns its number. The caller must hold `database.writing`. Raises `StoreError`."""
    found: list[int] = []
    values = {
        "at": naive(asked.matching.now),
        "address": asked.address,
        "request": msgspec.json.encode(noted(asked.matching.request)).decode(),
    }
    database.transact(lambda: found.extend(database.db.execute(_SQL["begin"], values).fetchall()[0]))
    return found[0]


def step(database: Database, rollups: Rollups, inserter: Inserter, asked: Delete) -> Step:
    """Deletes some of the errors that match. The caller must hold `database.writing`. Raises `StoreError` and
    duckdb.Error."""
    db = database.db
    if rolled_up(db).rolled < asked.matching.upto:  # errors must be counted before they are deleted
        rollups.step(1)
        return Step(0, asked.after, done=False)
    until = time.monotonic() + STEP_SECONDS
    condition = all_of((_matching(db, asked.matching), unpinned(db)))
    words = search.words(db, asked.matching.request.q)
    if words is search.ANYTHING:
        chosen, end = _newest(db, condition), None
    else:
        found = search.find(db, words, condition, limit=AT_ONCE, after=asked.after, deadline=until)
        chosen, end = list(_by_hour(db, found.rowids)), found.end
    deleted = 0
    try:
        for one in chosen:
            if deleted and time.monotonic() > until:
                return Step(deleted, asked.after, done=False)
            deleted += delete_span(database, one, add_history=False, deletion=asked.number)
    finally:
        inserter.templates_were_deleted()
    if chosen or end:
        return Step(deleted, end or asked.after, done=False)
    if trim_reports(database):
        return Step(0, asked.after, done=False)
    inserter.forget_unused_texts()
    inserter.forget_unused_names()
    at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    database.transact(lambda: db.execute(_SQL["end"], {"number": asked.number, "at": at}))
    return Step(0, None, done=True)


def count(cursor: Cursor, query: CountErrors) -> Counted:
    """Counts the errors that match, for a short time. Raises duckdb.Error."""
    condition, kept = _matching(cursor, query.matching), unpinned(cursor)
    words = search.words(cursor, query.matching.request.q)
    if words is search.ANYTHING:
        statement = f"SELECT count(*), count(*) FILTER ({kept}) FROM errors WHERE {condition}"
        ((every, deletable),) = cursor.execute(statement).fetchall()
        return Counted(deletable, every - deletable, None)
    deadline = time.monotonic() + search.SECONDS
    found = search.find(cursor, words, condition, after=query.after, deadline=deadline)
    statement = f"SELECT count(*) FROM errors WHERE rowid IN (SELECT unnest($rowids::BIGINT[])) AND {kept}"
    deletable = number(cursor, statement, {"rowids": found.rowids})
    return Counted(deletable, len(found.rowids) - deletable, found.end)


def deletions(cursor: Cursor, _: ListDeletions) -> DeletionList:
    """Returns the last deletions on request. Raises duckdb.Error."""
    return DeletionList([
        PastDeletion(
            number=number, begun_at=isoformat(begun), ended_at=isoformat(ended) if ended else None, address=address,
            request=msgspec.json.decode(request), errors=errors,
        )
        for number, begun, ended, address, request, errors in cursor.execute(_SQL["list"], {"limit": LISTED}).fetchall()
    ])  # fmt: skip


def _matching(db: duckdb.DuckDBPyConnection, matching: Matching) -> str:
    """Returns the condition that an error matches, apart from a text."""
    request = matching.request
    found = [*of_all_times(db, request).values(), f"id <= {matching.upto}"]
    if request.hours is not None:
        found.append(since(request.hours, matching.now))
    if request.ahead:
        found.append(ahead(matching.now))
    if request.ids:
        found.append(f"id IN ({', '.join(map(str, request.ids))})")
    return all_of(found)


def _newest(db: duckdb.DuckDBPyConnection, condition: str) -> list[Chosen]:
    """Returns the newest errors that match: of an hour, or of the last minutes that have `MOST` errors; nothing if
    there are none."""
    ((newest,),) = db.execute(f"SELECT max(timestamp) FROM errors WHERE {condition}").fetchall()
    if newest is None:
        return []
    start, total = floor(newest, MINUTE), 0
    until = start + MINUTE
    for minute, errors in db.execute(_SQL["latest_minutes"], {"since": floor(newest, HOUR), "until": start}).fetchall():
        total += errors
        if total > MOST:
            break
        start = minute
    return [Chosen(start, until, condition)]


def _by_hour(db: duckdb.DuckDBPyConnection, rowids: list[int]) -> Iterator[Chosen]:
    """Yields errors by the hour, the newest hour first."""
    hours: dict[dt.datetime, list[int]] = defaultdict(list)
    for id_, timestamp in db.execute(_SQL["of_rows"], {"rowids": rowids}).fetchall() if rowids else ():
        hours[floor(timestamp, HOUR)].append(id_)
    for hour in sorted(hours, reverse=True):
        values: dict[str, Any] = {"ids": hours[hour]}
        yield Chosen(hour, hour + HOUR, "id IN (SELECT unnest($ids::BIGINT[]))", values)
