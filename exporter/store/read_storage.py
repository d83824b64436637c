"""Answers the read about what is stored and how full it is."""

import datetime as dt

from exporter.events.event import isoformat
from exporter.store.queries import GetStorage
from exporter.store.select import Cursor, rows
from exporter.store.storage_results import Storage


def storage(cursor: Cursor, query: GetStorage) -> Storage:
    """Returns what is stored. Raises duckdb.Error."""
    (size,) = rows(cursor, "size")
    (files,) = rows(cursor, "database_size")
    (pins,) = rows(cursor, "pins")
    oldest: dt.datetime | None = size["oldest"]
    return Storage(
        errors=size["errors"],
        oldest=isoformat(oldest) if oldest else None,
        retention_seconds=query.retention_seconds,
        database_bytes=query.database_bytes + query.wal_bytes,
        used_bytes=files["used"] + query.wal_bytes,
        max_bytes=query.max_bytes,
        log_bytes=query.log_bytes,
        disk_bytes=query.disk_bytes,
        disk_free_bytes=query.disk_free_bytes,
        min_free_bytes=query.min_free_bytes,
        pinned_errors=pins["errors"],
        pinned_patterns=pins["patterns"],
    )
