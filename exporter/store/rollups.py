"""Keeps the rollups and the counters up to date, in the background and in small steps.

roll    adds the errors after the id `rolled` to the finest levels and the counters; adds an error whose hour or day is
        sealed already to that level, too
seal    fills the levels hour and day with the spans that are over, from the next finer level
merge   replaces the rows of each key by one row in the newest spans, because each roll adds another row

A step is one transaction that also updates `rolled_up`, so a crash neither loses nor doubles an error.
"""

import datetime as dt
from typing import Any, Final, NamedTuple

import duckdb

from exporter.store.database import Database
from exporter.store.rollup_tables import LEVELS, ROLLUPS, floor, merging, rolling, sealing
from exporter.store.sql import named

ROLL_AT_ONCE: Final = 131_072  # errors
GRACE: Final = dt.timedelta(minutes=5)  # between the end of a span and its seal, for reports that come a little late
MERGE_AFTER: Final = 16  # steps of `roll`
_WRITE: Final = named("write.sql")
_HOUR: Final = dt.timedelta(hours=1)
_SEALED: Final = tuple(level for level in LEVELS if level.sealed)


class RolledUp(NamedTuple):
    """The row of the table `rolled_up`: the id up to which the rollups have all errors, and the time up to which each
    coarser level is filled, by its column."""

    rolled: int
    sealed: dict[str, dt.datetime]


def rolled_up(db: duckdb.DuckDBPyConnection) -> RolledUp:
    """Reads the table `rolled_up`. Raises duckdb.Error."""
    ((rolled, hours, days),) = db.execute("SELECT rolled, sealed_hours, sealed_days FROM rolled_up").fetchall()
    return RolledUp(rolled, {"sealed_hours": hours, "sealed_days": days})


class Rollups:
    """Rolls up the errors of `database`. The caller must hold `database.writing`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._steps = 0  # of `roll`, since the last merge

    def step(self, at_least: int) -> bool:
        """Rolls up `ROLL_AT_ONCE` errors or fewer, if `at_least` so many wait. Returns whether more may wait. Raises
        `StoreError` and duckdb.Error."""
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
            condition = "id > $above AND id <= $upto"
            for rollup in ROLLUPS:
                for level in rollup.levels:
                    if level is rollup.levels[0]:
                        self._run(rolling(rollup, level, condition), bounds)
                    elif oldest < state.sealed[level.sealed]:
                        late = bounds | {"sealed": state.sealed[level.sealed]}
                        self._run(rolling(rollup, level, f"{condition} AND timestamp < $sealed"), late)
            self._run(_WRITE["roll_counters"], bounds)
        self._run(_WRITE["set_rolled"], {"upto": upto})
        if newest is not None:
            if upto == self._database.position:  # else the errors that wait would come after the seal
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
