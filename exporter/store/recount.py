"""Counts the rollups again for a span of time, after errors of it were deleted."""

import datetime as dt

import duckdb

from exporter.store.rollup_tables import ROLLUPS, ceiling, floor, rolling, sealing
from exporter.store.rollups import RolledUp


def recount(db: duckdb.DuckDBPyConnection, state: RolledUp, since: dt.datetime, until: dt.datetime) -> None:
    """Replaces, in each level of each rollup, the rows of the spans that have errors from `since` to before `until`.
    Needs a transaction. Raises duckdb.Error."""
    for rollup in ROLLUPS:
        for level in rollup.levels:
            start, end = floor(since, level.step), ceiling(until, level.step)
            if level is rollup.levels[0]:
                fill, values = rolling(rollup, level, _ROLLED), {"rolled": state.rolled}
            else:
                fill, values = sealing(rollup, level), {}
                end = min(end, state.sealed[level.sealed])
            if start < end:
                bounds = {"from": start, "to": end}
                db.execute(f"DELETE FROM {rollup.table(level)} WHERE t >= $from AND t < $to", bounds)
                db.execute(fill, bounds | values)


_ROLLED = "id <= $rolled AND timestamp >= $from AND timestamp < $to"
