"""Reads from the database what the HTTP process needs at startup."""

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final

import duckdb

from exporter.ingest import deduplication
from exporter.ingest.known_fingerprints import MAX_AGAIN, MAX_ONCE
from exporter.ingest.past import Past, Reassigned, newest_ids
from exporter.ingest.patterns import MAX_FAMILIES
from exporter.ingest.recurrence import MAX_PATTERNS
from exporter.store import Counted, DatabaseInfo, State
from exporter.store.assignments import known_families
from exporter.store.database import Database
from exporter.store.select import end_of_range
from exporter.store.series import LabelLimits, Totals
from exporter.store.sql import named

MAX_OLD_PATTERNS: Final = 100_000
ROWS_AT_ONCE: Final = 10_000  # of a result, as objects of Python
_READ: Final = named("read.sql")
_ASSIGN: Final = named("assign.sql")


def database_info(database: Database) -> DatabaseInfo:
    """Returns the log that the database is bound to, and its position in it. Raises `StoreError`."""

    return database.read(log_position)


def log_position(cursor: duckdb.DuckDBPyConnection) -> DatabaseInfo:
    """As `database_info`, for a database of any schema that has a log. Raises duckdb.Error."""
    ((identity, position, complete),) = cursor.execute(_READ["log_position"]).fetchall()
    last = cursor.execute(_READ["event_id"], {"id": position}).fetchone()
    return DatabaseInfo(identity, position, complete, last[0] if last else None)


def load_state(database: Database, recurrence_times: int, labels: LabelLimits) -> State:
    """Reads the `State` as of the database's log position, with the newest `recurrence_times` error times of each
    pattern in the last six hours. Each list has at most as many items as the HTTP process keeps. Raises
    `StoreError`."""
    return database.read(lambda cursor: _state(cursor, recurrence_times, labels))


def _state(cursor: duckdb.DuckDBPyConnection, recurrence_times: int, labels: LabelLimits) -> State:
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    hour, six = now - dt.timedelta(hours=1), now - dt.timedelta(hours=6)
    end = end_of_range(now)  # later times are those of a clock that was ahead
    ((_, position, _),) = cursor.execute(_READ["log_position"]).fetchall()
    above = max(0, position - deduplication.MAX_KNOWN)
    known = newest_ids(_rows(cursor.execute(_READ["recent_event_ids"], {"above": above})))
    known_since, ahead = _others(cursor, above, now) if above else (None, {})
    patterns = cursor.execute(_READ["recent_patterns"], {"once": MAX_ONCE, "again": MAX_AGAIN}).fetchall()
    totals = Totals(labels)
    since = now - dt.timedelta(seconds=labels.idle) if labels.idle else dt.datetime.min
    counters = cursor.execute(_READ["counters"], {"since": since, "now": now, "workers": labels.workers})
    for *row, is_active in _rows(counters):
        totals.add(Counted._make(row), is_active=is_active)
    (reset_at,) = cursor.execute(_READ["reset_at"], {"end": end}).fetchall()[0]
    return State(
        position=position,
        counters=list(totals.counts.values()),
        others=list(totals.others.values()),
        resting=totals.resting.by_hash,
        types=totals.types.by_hash,
        past=Past(
            recurrences={
                pattern_id: [_utc(time) for time in times]
                for pattern_id, times in cursor.execute(
                    _READ["recurrences"],
                    {"since": six, "end": end, "times": recurrence_times, "patterns": MAX_PATTERNS},
                ).fetchall()
            },
            known_ids=known,
            known_ids_since=known_since,
            known_ids_ahead=ahead,
            seen_once=sum(not again for _, _, again in patterns),
            old_patterns=[
                fingerprint
                for (fingerprint,) in cursor.execute(_READ["old_patterns"], {"limit": MAX_OLD_PATTERNS}).fetchall()
            ],
            assigned=Reassigned(
                [(fingerprint, pattern_id) for fingerprint, pattern_id, _ in patterns if fingerprint != pattern_id],
                known_families(cursor.execute(_ASSIGN["newest_families"], {"limit": MAX_FAMILIES}).fetchall()),
                complete=True,
                known=[fingerprint for fingerprint, _, _ in patterns],
            ),
        ),
        critical_seconds=dict(
            cursor.execute(
                _READ["seconds"], {"since": max(hour, reset_at) if reset_at else hour, "end": end}
            ).fetchall()
        ),
        received_seconds=dict(cursor.execute(_READ["received_seconds"], {"since": hour, "end": end}).fetchall()),
        reset_at=_utc(reset_at) if reset_at else None,
    )


def _rows(result: duckdb.DuckDBPyConnection) -> Iterator[Any]:
    while some := result.fetchmany(ROWS_AT_ONCE):
        yield from some


def _others(cursor: duckdb.DuckDBPyConnection, above: int, now: dt.datetime) -> tuple[float, dict[str, float]]:
    """Returns the receipt of the oldest event with an id above `above` in epoch seconds, and the latest times of the
    workers that have earlier events with a later time."""
    ((since,),) = cursor.execute(_READ["received_since"], {"above": above}).fetchall()
    if since is None:  # the newest errors were deleted
        since = _utc(now).timestamp()
    return since, dict(
        cursor.execute(_READ["ahead"], {"above": above, "since": since, "end": end_of_range(now)}).fetchall()
    )


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC)
