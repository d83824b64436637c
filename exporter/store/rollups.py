"""Keeps the rollups and the counters up to date, in the background and in small steps.

roll    adds the errors after `rolled` to the finest levels and the counters, and late ones to the coarser levels
seal    fills the hours and days that are over from the next finer level
merge   makes one row of the rows of a key, where frequent steps left many

A crash between two steps costs nothing: each is one transaction, and `rolled_up` says how far they came.
"""

import datetime as dt
from typing import Any, Final, NamedTuple

import duckdb

from exporter.store.database import Database
from exporter.store.rollup_tables import LEVELS, ROLLUPS, floor, merging, rolling, sealing
from exporter.store.sql import named

ROLL_AT_ONCE: Final = 131_072  # errors
GRACE: Final = dt.timedelta(minutes=5)  # after the end of an hour or a day, for reports on their way
MERGE_AFTER: Final = 16  # steps of `roll`
_WRITE: Final = named("write.sql")
_HOUR: Final = dt.timedelta(hours=1)
_SEALED: Final = tuple(level for level in LEVELS if level.sealed)


class RolledUp(NamedTuple):
    """How far the rollups are: the id up to which they hold all errors, and up to when each coarser level is filled, by
    its column."""

    rolled: int
    sealed: dict[str, dt.datetime]


def rolled_up(db: duckdb.DuckDBPyConnection) -> RolledUp:
    """Returns how far the rollups are. Raises duckdb.Error."""
    ((rolled, hours, days),) = db.execute("SELECT rolled, sealed_hours, sealed_days FROM rolled_up").fetchall()
    return RolledUp(rolled, {"sealed_hours": hours, "sealed_days": days})


class Rollups:
    """Rolls up the errors of `database`. The caller must hold `database.writing`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._steps = 0  # of `roll`, since the last merge

    def step(self, at_least: int) -> bool:
        """Rolls up some errors, if so many wait. Returns whether there may be more to do. Raises `StoreError` and
        duckdb.Error."""
        state = rolled_up(self._database.db)
        waiting = self._database.position - state.rolled
        if waiting < max(at_least, 1):
            return False
        upto = min(self._database.position, state.rolled + ROLL_AT_ONCE)
        self._database.transact(lambda: self._roll(state, upto))
        return True

    def _roll(self, state: RolledUp, upto: int) -> None:
        bounds = {"above": state.rolled, "upto": upto}
        ((oldest, newest),) = self._run(_WRITE["rolled_times"], bounds).fetchall()
        if oldest is not None:
            for rollup in ROLLUPS:
                for level in rollup.levels:
                    condition = "id > $above AND id <= $upto"
                    if level is rollup.levels[0]:
                        self._run(rolling(rollup, level, condition), bounds)
                    elif oldest < state.sealed[level.sealed]:
                        late = bounds | {"sealed": state.sealed[level.sealed]}
                        self._run(rolling(rollup, level, f"{condition} AND timestamp < $sealed"), late)
            self._run(_WRITE["roll_counters"], bounds)
        self._run(_WRITE["set_rolled"], {"upto": upto})
        if newest is not None:
            if upto == self._database.position:  # else what follows would be late, and go into each level row by row
                self._seal(state, newest - GRACE)
            self._merge(newest)

    def _seal(self, state: RolledUp, until: dt.datetime) -> None:
        """Fills the coarser levels with the hours and days that ended before `until`."""
        for level in _SEALED:
            end = floor(until, level.step)
            if end > state.sealed[level.sealed]:
                for rollup in ROLLUPS:
                    if level in rollup.levels[1:]:
                        self._run(sealing(rollup, level), {"from": state.sealed[level.sealed], "to": end})
                self._run(f"UPDATE rolled_up SET {level.sealed} = $end", {"end": end})

    def _merge(self, newest: dt.datetime) -> None:
        self._steps += 1
        if self._steps >= MERGE_AFTER:
            self._steps = 0
            for rollup in ROLLUPS:
                for level in rollup.levels:
                    since = {"from": floor(newest, level.step) - max(level.step, _HOUR)}
                    create, delete, insert = merging(rollup, level)
                    self._run(create, since)
                    self._run(delete, since)
                    self._run(insert)
            self._run(_WRITE["merge_counters"])

    def _run(self, statement: str, values: Any = None) -> duckdb.DuckDBPyConnection:
        return self._database.db.execute(statement, values)
