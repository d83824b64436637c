"""Runs the statements of `read.sql` and returns their rows. For the threads that read."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import duckdb

from exporter.events.event import isoformat
from exporter.events.report import FUTURE_TOLERANCE
from exporter.store.names import Table
from exporter.store.parameters import Ranged
from exporter.store.rollup_tables import Level, Rollup, facts, floor, literal, single, tiles
from exporter.store.rollups import rolled_up
from exporter.store.sql import filled, named

MAX_BUCKETS: Final = 96  # of a time series; one more where the time range begins within a bucket
BUCKETS: Final = (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400, 604_800)  # seconds
NEAR: Final = (
    8  # names are read with those between them, up to so many for each: a list of integers takes longer to plan
)
Cursor = duckdb.DuckDBPyConnection
Row = dict[str, Any]
T = TypeVar("T")
MAX_KNOWN: Final = 10_000  # names of one table that are kept for one cursor; with more, all are forgotten
_known: "Final[WeakKeyDictionary[Cursor, dict[Table, dict[int, str]]]]" = WeakKeyDictionary()
_NO_PLACES: Final[Mapping[str, str]] = MappingProxyType({})


class Span(NamedTuple):
    """A time range. Times are naive UTC, as the database keeps them. `bucket` is the width of a bucket of its time
    series, in seconds. `until` is None for a range that ends now; its errors may be up to 5 minutes ahead."""

    since: dt.datetime
    bucket: int
    now: dt.datetime
    until: dt.datetime | None = None

    @classmethod
    def of(cls, asked: Ranged, now: dt.datetime) -> "Span":
        now = naive(now)
        until = naive(asked.until) if asked.until else None
        if until is not None and until >= end_of_range(now):
            until = None
        end = until or now
        since = naive(asked.since) if asked.since else end - dt.timedelta(hours=asked.hours)
        return cls(since, bucket_seconds((end - since).total_seconds()), now, until)

    @property
    def end(self) -> dt.datetime:
        return self.until or self.now

    @property
    def hours(self) -> float:
        return max((self.end - self.since).total_seconds(), 1.0) / 3600

    @property
    def condition(self) -> str:
        """The SQL condition that an error is in the range."""
        end = self.until or end_of_range(self.now)
        return f"timestamp >= {literal(self.since)} AND timestamp < {literal(end)}"

    def buckets(self) -> list[dt.datetime]:
        """Returns the start of each bucket, oldest first."""
        step = dt.timedelta(seconds=self.bucket)
        first = floor(self.since, step)
        last = self.now if self.until is None else self.until - dt.timedelta(microseconds=1)
        return [first + i * step for i in range(int((last - first) / step) + 1)]


def bucket_seconds(seconds: float) -> int:
    """Returns the smallest width of `BUCKETS` that divides so many seconds into at most 96 buckets, or a week."""
    return next((width for width in BUCKETS if seconds / width <= MAX_BUCKETS), BUCKETS[-1])


def naive(moment: dt.datetime) -> dt.datetime:
    """Returns an aware `moment` as naive UTC."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None)


def end_of_range(now: dt.datetime) -> dt.datetime:
    """Returns the end of every time range that ends now. Errors from it on are in none: they were accepted while the
    service's clock was ahead. `now` and the result are naive UTC."""
    return now + FUTURE_TOLERANCE + dt.timedelta(microseconds=1)


class Chosen(NamedTuple):
    """Which errors count: those that meet `condition`, which compares `columns` of `errors`, and those whose rowids the
    temporary table `searched` has, if `searched` is true."""

    condition: str
    columns: frozenset[str]
    searched: bool = False


class Facts:
    """Queries for the rows of rollups that together count every chosen error since a moment once, except those ahead of
    `now`: see `end_of_range`. For one snapshot of the database.

    Where a rollup lacks a column of the condition, the errors themselves are counted."""

    def __init__(
        self,
        cursor: Cursor,
        since: dt.datetime,
        now: dt.datetime,
        until: dt.datetime | None = None,
        chosen: Chosen | None = None,
    ) -> None:
        """Times are naive UTC. Raises duckdb.Error."""
        self._since, self._until, self._chosen = since, until, chosen
        self._end = until or end_of_range(now)
        if until is None:
            # Usually no error is ahead. Then the range needs no end, which could cut through spans of the rollups.
            statement = f"SELECT 1 FROM errors WHERE timestamp >= {literal(self._end)} LIMIT 1"
            self._until = self._end if cursor.execute(statement).fetchone() else None
        self._rolled_up = rolled_up(cursor)

    @classmethod
    def in_span(cls, cursor: Cursor, span: Span, chosen: Chosen | None = None) -> "Facts":
        """Returns the facts of a time range. Raises duckdb.Error."""
        return cls(cursor, span.since, span.now, span.until, chosen)

    def of(self, *rollups: Rollup) -> dict[str, str]:
        """Returns the query for the rows of each rollup, by the placeholder of a statement that it replaces."""
        return {rollup.name: self._query(rollup, rollup.levels) for rollup in rollups}

    def by_time(self, rollup: Rollup, bucket: int) -> dict[str, str]:
        """Returns the same for one rollup, with the column `t`. Uses only levels whose spans fit into buckets of so
        many seconds."""
        levels = [level for level in rollup.levels if bucket % level.step.total_seconds() == 0]
        return {rollup.name: self._query(rollup, levels, with_time=True)}

    def _query(self, rollup: Rollup, levels: Sequence[Level], *, with_time: bool = False) -> str:
        if self._chosen is None:
            return self._stored(rollup, levels, "true", with_time=with_time)
        condition, columns, searched = self._chosen
        if columns <= rollup.keys:
            parts = [self._stored(rollup, levels, condition, with_time=with_time)]
        else:
            times = f"timestamp >= {literal(self._since)} AND timestamp < {literal(self._end)}"
            parts = [f"{self._one_by_one(rollup, with_time=with_time)} WHERE {times} AND {condition}"]
        if searched:
            parts.append(f"{self._one_by_one(rollup, with_time=with_time)} WHERE rowid IN (SELECT row FROM searched)")
        return " UNION ALL ".join(parts)

    def _stored(self, rollup: Rollup, levels: Sequence[Level], condition: str, *, with_time: bool) -> str:
        rolled, sealed = self._rolled_up
        found = tiles(levels, sealed, self._since, self._until)
        return facts(rollup, found, rolled, self._since, self._until, condition, with_time=with_time)

    @staticmethod
    def _one_by_one(rollup: Rollup, *, with_time: bool) -> str:
        return f"SELECT {'timestamp AS t, ' if with_time else ''}{single(rollup)} FROM errors"


def rows(cursor: Cursor, name: str, values: Row | None = None, places: Mapping[str, str] = _NO_PLACES) -> list[Row]:
    """Runs the statement `name`, its placeholders replaced by `places`, and returns its rows by column name. Raises
    duckdb.Error."""
    answer = cursor.execute(statement(name, places), values)
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def tuples(cursor: Cursor, name: str, values: Row | None = None, places: Mapping[str, str] = _NO_PLACES) -> list[Any]:
    """As `rows`, but each row is a tuple, which takes less time for many rows."""
    return cursor.execute(statement(name, places), values).fetchall()


def statement(name: str, places: Mapping[str, str]) -> str:
    """Returns the statement `name` with each placeholder `{place}` replaced by its SQL in `places`."""
    return filled(_SQL[name], places)


def structs(
    cursor: Cursor, kind: type[T], name: str, values: Row | None = None, places: Mapping[str, str] = _NO_PLACES
) -> list[T]:
    """Runs the statement `name` and returns its rows as structs of a type, whose fields are the columns. Raises
    duckdb.Error."""
    return [kind(**texts(row)) for row in rows(cursor, name, values, places)]


def resolve(cursor: Cursor, id_: str) -> tuple[str, list[str]] | None:
    """Returns the current id and the sorted members of the pattern that `id_` leads to; None if there is no such
    pattern. `id_` may be a current pattern id, a past one, or a fingerprint. Raises duckdb.Error."""
    for way in ("current_pattern", "past_pattern"):
        found = rows(cursor, way, {"id": id_})
        if found:
            pattern_id: str = found[0]["pattern_id"]
            return pattern_id, [row["fingerprint"] for row in rows(cursor, "members_of", {"pattern_id": pattern_id})]
    return None


def members_of(cursor: Cursor, id_: str) -> tuple[str, list[str]]:
    """As `resolve`; an unknown id is taken for a fingerprint."""
    return resolve(cursor, id_) or (id_, [id_])


def integers_of(cursor: Cursor, table: Table, names: Sequence[str]) -> list[int]:
    """Returns the integers of those names that an error has. Raises duckdb.Error."""
    statement = f"SELECT id FROM {table} WHERE name IN (SELECT unnest($names::VARCHAR[]))"
    return [id_ for (id_,) in cursor.execute(statement, {"names": list(names)}).fetchall()]


def names_of(cursor: Cursor, table: Table, ids: Iterable[int]) -> dict[int, str]:
    """Returns the names that stand for integers. Keeps them for the next read with this cursor: an integer always
    stands for the same name. Raises duckdb.Error."""
    wanted = set(ids)
    if len(wanted) > MAX_KNOWN:
        return _names_of(cursor, table, wanted)
    known = _known.setdefault(cursor, {}).setdefault(table, {})
    missing = wanted - known.keys()
    if len(known) + len(missing) > MAX_KNOWN:
        known.clear()
        missing = wanted
    if missing:
        known.update(_names_of(cursor, table, missing))
    return {id_: known[id_] for id_ in wanted & known.keys()}


def _names_of(cursor: Cursor, table: Table, wanted: set[int]) -> dict[int, str]:
    first, last = min(wanted), max(wanted)
    if last - first > NEAR * len(wanted):
        statement = f"SELECT id, name FROM {table} WHERE id IN (SELECT unnest($ids::INTEGER[]))"
        return dict(cursor.execute(statement, {"ids": list(wanted)}).fetchall())
    found = cursor.execute(f"SELECT id, name FROM {table} WHERE id BETWEEN {first} AND {last}").fetchall()
    return {id_: name for id_, name in found if id_ in wanted}


def texts(row: Row) -> Row:
    """Returns `row` with its times as ISO 8601."""
    return {name: isoformat(value) if isinstance(value, dt.datetime) else value for name, value in row.items()}


_SQL: Final = named("read.sql") | named("read_patterns.sql") | named("assign.sql") | named("states.sql")
