"""Answers the read of the history: errors by day, also those that retention has deleted."""

import datetime as dt
from typing import Final

from exporter.store.deleting import DAY
from exporter.store.parameters import By
from exporter.store.queries import GetHistory
from exporter.store.rollup_tables import PATTERN, WORKER, Rollup, floor
from exporter.store.select import Cursor, Facts, Row, members_of, naive, rows
from exporter.store.storage_results import History, HistoryRow

VALUES: Final = 100
# By: the rollup, its column with the integer of the value, and the query for the values of these integers.
_SOURCES: Final[dict[By, tuple[Rollup, str, str]]] = {
    "severity": (WORKER, "worker", "(SELECT 0 AS id, NULL AS value WHERE false)"),
    "worker": (WORKER, "worker", "(SELECT id, name AS value FROM workers)"),
    "pattern": (
        PATTERN, "fingerprint",
        "(SELECT id, coalesce(pattern_id, name) value FROM fingerprints LEFT JOIN assignments ON fingerprint = name)",
    ),
}  # fmt: skip


def history(cursor: Cursor, query: GetHistory) -> History:
    """Returns the history. Raises duckdb.Error."""
    since = floor(naive(query.now), DAY) - (query.days - 1) * DAY
    rollup, column, names = _SOURCES[query.by]
    value = members_of(cursor, query.value)[0] if query.by == "pattern" and query.value else query.value
    stored = Facts(cursor, since, naive(query.now)).by_time(rollup, int(DAY.total_seconds()))[rollup.name]
    places = {"key": column, "table": f"history_{rollup.name}", "stored": stored, "names": names}
    values: Row = {"since": since, "value": value, "limit": VALUES}
    return History(by=query.by, days=[_row(row) for row in rows(cursor, "history", values, places)])


def _row(row: Row) -> HistoryRow:
    day: dt.datetime = row.pop("day")
    return HistoryRow(day=f"{day:%Y-%m-%d}", **row)
