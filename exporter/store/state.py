"""Reads from the database what the HTTP process needs at startup."""

import datetime as dt
from typing import Final

import duckdb

from exporter.ingest.deduplication import MAX_KNOWN
from exporter.ingest.past import KnownId, Past, Reassigned
from exporter.store import Counted, DatabaseInfo, State
from exporter.store.assignments import known_families
from exporter.store.database import Database
from exporter.store.sql import named

_READ: Final = named("read.sql")
_ASSIGN: Final = named("assign.sql")


def database_info(database: Database) -> DatabaseInfo:
    """Returns the log that the database is bound to, and its position in it. Raises `StoreError`."""

    def query(cursor: duckdb.DuckDBPyConnection) -> DatabaseInfo:
        ((identity, position, complete),) = cursor.execute(_READ["log_position"]).fetchall()
        last = cursor.execute(_READ["event_id"], {"id": position}).fetchone()
        return DatabaseInfo(identity, position, complete, last[0] if last else None)

    return database.read(query)


def load_state(database: Database, recurrence_times: int) -> State:
    """Reads the `State` as of the database's log position, with the newest `recurrence_times` error times of each
    pattern in the last six hours. Raises `StoreError`."""
    return database.read(lambda cursor: _state(cursor, recurrence_times))


def _state(cursor: duckdb.DuckDBPyConnection, recurrence_times: int) -> State:
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    hour, six = now - dt.timedelta(hours=1), now - dt.timedelta(hours=6)
    ((_, position, _),) = cursor.execute(_READ["log_position"]).fetchall()
    above = max(0, position - MAX_KNOWN)
    known = list(map(KnownId._make, cursor.execute(_READ["recent_event_ids"], {"above": above}).fetchall()))
    (reset_at,) = cursor.execute(_READ["reset_at"]).fetchall()[0]
    return State(
        position=position,
        counters=list(map(Counted._make, cursor.execute(_READ["counters"]).fetchall())),
        past=Past(
            recurrences={
                pattern_id: [_utc(time) for time in times]
                for pattern_id, times in cursor.execute(
                    _READ["recurrences"], {"since": six, "times": recurrence_times}
                ).fetchall()
            },
            known_ids=known,
            known_ids_since=known[0].received_at if above and known else None,
            known_patterns=[fingerprint for (fingerprint,) in cursor.execute(_READ["known_patterns"]).fetchall()],
            old_patterns=[fingerprint for (fingerprint,) in cursor.execute(_READ["old_patterns"]).fetchall()],
            assigned=Reassigned(
                cursor.execute(_ASSIGN["not_alone"]).fetchall(),
                known_families(cursor.execute(_ASSIGN["known_families"], {"scopes": None}).fetchall()),
                complete=True,
            ),
        ),
        critical_seconds=dict(
            cursor.execute(_READ["seconds"], {"since": max(hour, reset_at) if reset_at else hour}).fetchall()
        ),
        received_seconds=dict(cursor.execute(_READ["received_seconds"], {"since": hour}).fetchall()),
        reset_at=_utc(reset_at) if reset_at else None,
    )


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC)
