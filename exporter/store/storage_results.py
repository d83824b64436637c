"""The answers to the reads about storage: how full it is, and what was there before."""

from typing import Annotated

from msgspec import Meta, Struct

from exporter.events.error_object import Timestamp
from exporter.store.fields import Count
from exporter.store.parameters import By

Bytes = Annotated[int, Meta(ge=0, description="bytes")]


class Storage(Struct, kw_only=True):
    """What is stored, and how full it is.

    `errors` is the number of stored errors, `oldest` the time of the oldest. Errors older than `retention_seconds` are
    deleted; null: they are kept for ever. `database_bytes` is the size of the database's files. `used_bytes` excludes
    free blocks, which DuckDB uses again. If it exceeds `max_bytes`, the oldest errors are deleted; null: there is no
    limit. `log_bytes` is the size of the log. The disk has `disk_bytes`, of which `disk_free_bytes` are free; if fewer
    than `min_free_bytes` are, `/-/ready` is 503. Pinned errors, and errors of pinned patterns, are kept."""

    errors: Count
    oldest: Timestamp | None
    retention_seconds: Annotated[float, Meta(gt=0)] | None
    database_bytes: Bytes
    used_bytes: Bytes
    max_bytes: Bytes | None
    log_bytes: Bytes
    disk_bytes: Bytes
    disk_free_bytes: Bytes
    min_free_bytes: Bytes
    pinned_errors: Count
    pinned_patterns: Count


class HistoryRow(Struct, kw_only=True):
    """The errors of a day, in UTC; of the worker or the pattern `value`, null if the history is by severity only."""

    day: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d$")]
    value: str | None
    critical: Count
    warning: Count
    info: Count


class History(Struct, kw_only=True):
    """Errors by day, oldest day first; only days with errors. Errors that retention has deleted are counted, for a
    year; those that were deleted on request are not. If it is `by` worker or pattern, it has the 100 with most errors.
    """

    by: By
    days: list[HistoryRow]
