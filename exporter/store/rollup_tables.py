"""The rollups: counts of errors by key and span of time. Their columns and levels, and the SQL that fills and reads
them. Pure.

    rollup    counts errors by                                          is read for
    time      severity, category                                        summary, categories, charts
    kind      severity, category, type, hardware; with measurements     hardware, facets
    worker    worker, type, severity                                    workers, facet of workers
    pattern   fingerprint, type, category, severity                     patterns, trends
    seen      fingerprint; which workers, not how many errors           number of workers of a pattern
    facet     as kind, and is_recurring, text, worker                   facets with other filters or a text
    run       run, job, suite, branch, commit, user, severity           rankings of these, their facets, list of runs
    test      test; which workers                                       ranking of tests
    device    set of devices; which workers                             ranking of devices

A rollup has levels: tables with spans of different widths. The finest level has every error. A coarser level has only
spans that are over ("sealed"); finer levels have these, too. The count of a key is the sum of its rows, so an error
that comes after its span was sealed is one more row in each level.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Final, NamedTuple

MINUTE: Final = dt.timedelta(minutes=1)
_ORIGIN: Final = dt.datetime(2000, 1, 3)  # a Monday: DuckDB's `time_bucket` counts from it


class Level(NamedTuple):
    """A width of spans. `sealed` is the column of `rolled_up` with the time up to which the level is filled; "" for a
    level that is the finest in each rollup that has it."""

    name: str
    step: dt.timedelta
    sealed: str


LEVELS: Final = (
    Level("minute", MINUTE, ""),
    Level("quarter", 15 * MINUTE, ""),
    Level("hour", 60 * MINUTE, "sealed_hours"),
    Level("day", 1440 * MINUTE, "sealed_days"),
)
_BY_NAME: Final = {level.name: level for level in LEVELS}


class Column(NamedTuple):
    """A column of a rollup. `one` is its expression for one row of `errors`, `add` the aggregate of several; "" for a
    key. `exact` is false for a sum whose last digits depend on the order of addition."""

    name: str
    one: str
    add: str = ""
    exact: bool = True


class Rollup(NamedTuple):
    """A rollup; `levels` from the finest to the coarsest. Its tables have the column `t`, then `columns`."""

    name: str
    levels: tuple[Level, ...]
    columns: tuple[Column, ...]

    @property
    def keys(self) -> frozenset[str]:
        """The columns of `errors` that the rollup has as they are."""
        return frozenset(one.name for one in self.columns if one.one == one.name)

    def table(self, level: Level) -> str:
        return f"{self.name}_{level.name}"


def _rollup(name: str, levels: str, keys: str, *columns: Column) -> Rollup:
    by_key = [Column(key, key) for key in keys.split()]
    return Rollup(name, tuple(_BY_NAME[level] for level in levels.split()), (*by_key, *columns))


_ERRORS: Final = Column("errors", "1::BIGINT", "sum")
_RECURRING: Final = Column("recurring", "is_recurring::BIGINT", "sum")
TIME: Final = _rollup("time", "minute hour day", "severity category hardware_error", _ERRORS, _RECURRING)
KIND: Final = _rollup(
    "kind", "hour day", "severity category type hardware hardware_error", _ERRORS,
    Column("cpu", "cpu_percent", "sum", exact=False),
    Column("cpu_reports", "(cpu_percent IS NOT NULL)::BIGINT", "sum"),
    Column("memory", "memory_percent", "sum", exact=False),
    Column("memory_reports", "(memory_percent IS NOT NULL)::BIGINT", "sum"),
    Column("disk", "disk_percent", "sum", exact=False),
    Column("disk_reports", "(disk_percent IS NOT NULL)::BIGINT", "sum"),
    Column("gpu_celsius", "gpu_celsius", "max"), Column("overheating", "(conditions & 1)::BIGINT", "sum"),
    Column("memory_pressure", "(conditions // 2 & 1)::BIGINT", "sum"),
    Column("throttling", "(conditions // 4 & 1)::BIGINT", "sum"),
)  # fmt: skip
WORKER: Final = _rollup("worker", "hour day", "worker type severity", _ERRORS, Column("last_seen", "timestamp", "max"))
PATTERN: Final = _rollup(
    "pattern", "quarter hour day", "fingerprint type category severity", _ERRORS, _RECURRING,
    Column("first_seen", "timestamp", "min"), Column("last_seen", "timestamp", "max"),
)  # fmt: skip
SEEN: Final = _rollup(
    "seen", "hour day", "fingerprint", Column("chunk", "worker // 64"),
    Column("workers", "1::UBIGINT << (worker % 64)::UBIGINT", "bit_or"),
)  # fmt: skip
FACET: Final = _rollup(
    "facet", "hour day", "severity category type hardware hardware_error is_recurring text worker", _ERRORS
)
_CHUNK: Final = Column("chunk", "worker // 64")
_CRITICAL: Final = Column("critical", "(severity = 2)::BIGINT", "sum")
_WORKERS: Final = (
    Column("workers", "1::UBIGINT << (worker % 64)::UBIGINT", "bit_or"),
    Column("first_seen", "timestamp", "min"), Column("last_seen", "timestamp", "max"),
)  # fmt: skip
RUN: Final = _rollup("run", "hour day", "run job suite branch revision submitter severity", _CHUNK, _ERRORS, *_WORKERS)
TEST: Final = _rollup("test", "hour day", "test", _CHUNK, _ERRORS, _CRITICAL, *_WORKERS)
DEVICE: Final = _rollup("device", "hour day", "devices", _CHUNK, _ERRORS, _CRITICAL, *_WORKERS)
ROLLUPS: Final = (TIME, KIND, WORKER, PATTERN, SEEN, FACET, RUN, TEST, DEVICE)


def rolling(rollup: Rollup, level: Level, condition: str) -> str:
    """Returns the statement that adds to a level the errors that meet `condition`."""
    return _insert(rollup, level, _start("timestamp", level), _parts(rollup), f"errors WHERE {condition}")


def sealing(rollup: Rollup, level: Level) -> str:
    """Returns the statement that fills a level from the next finer one, with rows from $from to before $to."""
    finer = rollup.levels[rollup.levels.index(level) - 1]
    return _insert(
        rollup, level, _start("t", level), _sums(rollup), f"{rollup.table(finer)} WHERE t >= $from AND t < $to"
    )


def merging(rollup: Rollup, level: Level) -> list[str]:
    """Returns the statements that replace the rows of each key in a level by one row, for spans from $from on."""
    table = rollup.table(level)
    sums = ", ".join(_sums(rollup))
    return [
        f"CREATE OR REPLACE TEMP TABLE merged AS SELECT t, {sums} FROM {table} WHERE t >= $from GROUP BY ALL",
        f"DELETE FROM {table} WHERE t >= $from",
        f"INSERT INTO {table} SELECT * FROM merged ORDER BY ALL",
    ]


def comparing(rollup: Rollup, level: Level, condition: str = "true") -> str:
    """Returns the query for the number of keys whose row sums in a level differ from the errors up to the id $rolled
    and, unless it is NULL, before the time $before. Sums that are not exact are not compared, and only keys
    that meet the condition are."""
    columns = [one for one in rollup.columns if one.exact]
    stored = rollup._replace(columns=tuple(columns))
    errors = f"errors WHERE id <= $rolled AND ($before IS NULL OR timestamp < $before) AND {condition}"
    keys = ", ".join(("t", *(one.name for one in columns if not one.add)))
    return f"""
WITH held AS (SELECT t, {", ".join(_sums(stored))} FROM {rollup.table(level)} WHERE {condition} GROUP BY ALL),
right_ones AS (SELECT {_start("timestamp", level)} AS t, {", ".join(_parts(stored))} FROM {errors} GROUP BY ALL),
wrong AS ((FROM held EXCEPT FROM right_ones) UNION ALL (FROM right_ones EXCEPT FROM held))
SELECT count(*) FROM (SELECT DISTINCT {keys} FROM wrong)"""


def tiles(
    levels: Sequence[Level], sealed: dict[str, dt.datetime], since: dt.datetime, until: dt.datetime | None = None
) -> "list[Tile]":
    """Divides the time from `since` to before `until` (None: no end) into tiles, each read from the coarsest level that
    has it as whole spans. `levels` are ordered from the finest. A time that no level has as whole spans is a tile
    without a level, read from `errors`. `sealed` are the times up to which the levels are filled."""
    if not levels:
        return [Tile(None, since, until)]
    *finer, level = levels
    start, end = ceiling(since, level.step), until and floor(until, level.step)
    if finer:
        end = sealed[level.sealed] if end is None else min(end, sealed[level.sealed])
    if end is not None and start >= end:
        return tiles(finer, sealed, since, until)
    found = [Tile(level, start, end)]
    if since < start:
        found += tiles(finer, sealed, since, start)
    if end is not None and end != until:
        found += tiles(finer, sealed, end, until)
    return found


class Tile(NamedTuple):
    """A part of a time range, and the level that it is read from; None: from `errors`."""

    level: Level | None
    since: dt.datetime
    until: dt.datetime | None


def floor(moment: dt.datetime, step: dt.timedelta) -> dt.datetime:
    """Returns the last start of a span that is not after `moment`."""
    return _ORIGIN + (moment - _ORIGIN) // step * step


def ceiling(moment: dt.datetime, step: dt.timedelta) -> dt.datetime:
    """Returns the first start of a span that is not before `moment`."""
    return _ORIGIN - (_ORIGIN - moment) // step * step


def facts(
    rollup: Rollup,
    found: Sequence[Tile],
    rolled: int,
    since: dt.datetime,
    until: dt.datetime | None = None,
    condition: str = "true",
    *,
    with_time: bool = False,
) -> str:
    """Returns a query for rows of a rollup that count every error since a moment, and before `until` if it is given,
    once: those of the tiles `found`, and a row for each error after the id `rolled`. Only errors that meet `condition`
    count, which compares keys of the rollup. `with_time`: the rows have the column `t`."""
    time = ("t",) if with_time else ()
    stored = ", ".join((*time, *(one.name for one in rollup.columns)))
    of_one = ", ".join((*("timestamp AS t" for _ in time), single(rollup)))
    before = "" if until is None else f" AND timestamp < {literal(until)}"
    chosen = "" if condition == "true" else f" AND {condition}"
    parts = [f"SELECT {of_one} FROM errors WHERE id > {rolled} AND timestamp >= {literal(since)}{before}{chosen}"]
    for level, start, end in found:
        column = "t" if level else "timestamp"
        bounds = [f"{column} >= {literal(start)}"] + ([f"{column} < {literal(end)}"] if end is not None else [])
        if level is None:
            bounds.append(f"id <= {rolled}")
        source = f"SELECT {stored} FROM {rollup.table(level)}" if level else f"SELECT {of_one} FROM errors"
        parts.append(f"{source} WHERE {' AND '.join(bounds)}{chosen}")
    return " UNION ALL ".join(parts)


def single(rollup: Rollup) -> str:
    """Returns the columns of a rollup for one row of `errors`."""
    return ", ".join(f"{one.one} AS {one.name}" for one in rollup.columns)


def literal(moment: dt.datetime) -> str:
    """Returns a naive moment as SQL."""
    return f"TIMESTAMP '{moment.isoformat(sep=' ')}'"


def _insert(rollup: Rollup, level: Level, start: str, parts: Sequence[str], source: str) -> str:
    columns = ", ".join((f"{start} AS t", *parts))
    return f"INSERT INTO {rollup.table(level)} SELECT {columns} FROM {source} GROUP BY ALL ORDER BY ALL"


def _parts(rollup: Rollup) -> list[str]:
    return [f"{one.add}({one.one}) AS {one.name}" if one.add else f"{one.one} AS {one.name}" for one in rollup.columns]


def _sums(rollup: Rollup) -> list[str]:
    return [f"{one.add}({one.name}) AS {one.name}" if one.add else one.name for one in rollup.columns]


def _start(column: str, level: Level) -> str:
    return f"time_bucket(to_seconds({int(level.step.total_seconds())}), {column})"
