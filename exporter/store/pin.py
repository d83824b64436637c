"""Pins errors and patterns, so that retention and deletions keep them."""

import datetime as dt
from typing import Any, Final

from exporter.store.database import Database
from exporter.store.deletions import Pin
from exporter.store.select import Cursor, resolve
from exporter.store.sql import named, number

_SQL: Final = named("delete.sql")


def pin(database: Database, asked: Pin, now: dt.datetime) -> bool:
    """Pins or unpins an error or a pattern. Returns false if there is no such error or pattern. `now` is naive UTC. The
    caller must hold `database.writing`. Raises `StoreError` and duckdb.Error."""
    db = database.db
    if asked.error is not None:
        values: dict[str, Any] = {"id": asked.error}
        found, name = number(db, "SELECT count(*) FROM errors WHERE id = $id", values) > 0, "error"
    else:
        assert asked.pattern is not None
        pattern = resolve(db, asked.pattern)
        values = {"members": pattern[1] if pattern else []}
        found, name = pattern is not None, "pattern"

    def write() -> None:
        db.execute(_SQL[f"unpin_{name}"], values)
        if asked.pinned:
            db.execute(_SQL[f"pin_{name}"], values | {"at": now})

    if found:
        database.transact(write)
    return found


def is_error_pinned(cursor: Cursor, id_: int) -> bool:
    """Returns whether an error itself is pinned. Raises duckdb.Error."""
    return number(cursor, "SELECT count(*) FROM pinned_errors WHERE id = $id", {"id": id_}) > 0


def is_pattern_pinned(cursor: Cursor, members: list[str]) -> bool:
    """Returns whether a pattern with these fingerprints is pinned. Raises duckdb.Error."""
    statement = "SELECT count(*) FROM pinned_fingerprints WHERE fingerprint IN (SELECT unnest($members::VARCHAR[]))"
    return number(cursor, statement, {"members": members}) > 0
