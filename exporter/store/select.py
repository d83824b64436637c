"""Runs the statements of `read.sql` and returns their rows. For the threads that read."""

import datetime as dt
from typing import Any, Final, NamedTuple, TypeVar

import duckdb

from exporter.events.event import isoformat
from exporter.events.groups import BY_PREFIX, GROUPS, PREFIXES, GroupName
from exporter.store.sql import named

MAX_BUCKETS: Final = 96  # of a time series; one more where the time range begins within a bucket
BUCKETS: Final = (60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400, 604_800)  # seconds
_ORIGIN: Final = dt.datetime(2000, 1, 3)  # a Monday: DuckDB's time_bucket counts from it
Cursor = duckdb.DuckDBPyConnection
Row = dict[str, Any]
T = TypeVar("T")


class Span(NamedTuple):
    """A time range. Times are naive UTC, as the database keeps them. `whole` is the first full minute, from which the
    rollup counts; `bucket` is the width of a bucket of its time series, in seconds."""

    since: dt.datetime
    whole: dt.datetime
    bucket: int
    now: dt.datetime

    @classmethod
    def of(cls, hours: int, now: dt.datetime) -> "Span":
        now = naive(now)
        since = now - dt.timedelta(hours=hours)
        minute = since.replace(second=0, microsecond=0)
        whole = minute if minute == since else minute + dt.timedelta(minutes=1)
        return cls(since, whole, bucket_seconds(hours), now)

    def values(self, **more: Any) -> Row:
        """Returns the parameters of a statement that reads `facts($since, $whole)`, and others."""
        return {"since": self.since, "whole": self.whole, **more}

    def buckets(self) -> list[dt.datetime]:
        """Returns the start of each bucket, oldest first."""
        step = dt.timedelta(seconds=self.bucket)
        first = _ORIGIN + (self.since - _ORIGIN) // step * step
        return [first + i * step for i in range(int((self.now - first) / step) + 1)]


def bucket_seconds(hours: int) -> int:
    """Returns the smallest width of `BUCKETS` that divides so many hours into at most 96 buckets, or a week."""
    return next((width for width in BUCKETS if hours * 3600 / width <= MAX_BUCKETS), BUCKETS[-1])


def naive(moment: dt.datetime) -> dt.datetime:
    """Returns an aware `moment` as naive UTC."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None)


def rows(cursor: Cursor, name: str, values: Row) -> list[Row]:
    """Runs the statement `name` and returns its rows by column name. Raises duckdb.Error."""
    return run(cursor, _SQL[name], values)


def structs(cursor: Cursor, kind: type[T], name: str, values: Row) -> list[T]:
    """Runs the statement `name` and returns its rows as structs of a type, whose fields are the columns. Raises
    duckdb.Error."""
    return [kind(**texts(row)) for row in rows(cursor, name, values)]


def run(cursor: Cursor, statement: str, values: Row) -> list[Row]:
    """Runs a statement and returns its rows by column name. Raises duckdb.Error."""
    answer = cursor.execute(statement, values)
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def resolve(cursor: Cursor, id_: str) -> tuple[str, list[str]] | None:
    """Returns the current id and the sorted members of the pattern that `id_` leads to; None if there is no such
    pattern. `id_` may be a current pattern id, a past one, or a fingerprint. Raises duckdb.Error."""
    found = rows(cursor, "resolve", {"id": id_})
    return (found[0]["pattern_id"], [row["fingerprint"] for row in found]) if found else None


def members_of(cursor: Cursor, id_: str) -> tuple[str, list[str]]:
    """As `resolve`; an unknown id is taken for a fingerprint."""
    return resolve(cursor, id_) or (id_, [id_])


def texts(row: Row) -> Row:
    """Returns `row` with its times as ISO 8601."""
    return {name: isoformat(value) if isinstance(value, dt.datetime) else value for name, value in row.items()}


def facet_statement(column: str) -> str:
    """Returns the statement that counts the values of a column of `errors`."""
    return _SQL["facet"].replace("{column}", column)


def _condition(group: GroupName) -> str:
    """Returns the SQL condition by which a row of `errors` belongs to a group."""
    if group == "hardware":
        return "hardware_error"
    if group == "recurring":
        return "is_recurring"
    return f"starts_with(error_category, '{PREFIXES[group]}')"


def _statements() -> dict[str, str]:
    """Returns the statements of `read.sql` by name, with what stands in braces filled in, except `{column}`."""
    statements = named("read.sql") | named("read_patterns.sql") | named("assign.sql")
    filled = {f"{{{name}}}": _condition(name) for name in BY_PREFIX}
    filled["{any_group}"] = " OR ".join(f"(list_contains($group, '{name}') AND {_condition(name)})" for name in GROUPS)
    filled = {"{matching}": statements["matching"]} | filled
    for place, text in filled.items():
        statements = {name: statement.replace(place, text) for name, statement in statements.items()}
    return statements


_SQL: Final = _statements()
