"""Reads the facts of the verdict: at start, and after a deletion."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from exporter.store.queries import GetWatched
from exporter.store.rollup_tables import literal
from exporter.store.select import Cursor, naive
from exporter.store.sql import filled, named
from exporter.store.watched import Newest, OfKey, OfLate, OfPattern, Spell, Tallied, Watched

_SQL: Final = named("watched.sql")
_NEVER: Final = dt.datetime(1970, 1, 1)  # naive UTC, as all times here
_MINUTE: Final = dt.timedelta(minutes=1)
_MICROSECOND: Final = dt.timedelta(microseconds=1)


def watched(cursor: Cursor, query: GetWatched) -> Watched:
    """Returns the facts. Raises duckdb.Error."""
    now = naive(query.now)
    reset = naive(query.reset_at) if query.reset_at else _NEVER
    read = _Reader(cursor, query, now - dt.timedelta(seconds=query.memory))
    minutes = read.all("minutes", reset=reset)
    gap = dt.timedelta(seconds=query.gap)
    spells = _spells([(first, last) for *_, first, last in minutes if first is not None], gap)
    ((position,),) = cursor.execute("SELECT position FROM log_position").fetchall()
    ((reports, first, last, received),) = read.all("late", noted=now - dt.timedelta(seconds=query.late_note))
    ((last_critical, last_report),) = read.all("last")
    return Watched(
        position=position,
        minutes=[(minute, critical, warnings) for minute, critical, warnings, *_ in minutes],
        spells=[
            Spell(_utc(first), _utc(last), read.tallied(first, last))
            for first, last in spells[-query.spells :]
            if last > now - 2 * gap
        ],
        recent=read.by_minute([minute for minute, _, warnings, *_ in minutes[-query.recent :] if warnings]),
        workers=[
            Newest(name, _maybe(critical), critical_id, _maybe(other), other_id)
            for name, critical, critical_id, other, other_id in read.all("newest_reports", limit=query.workers)
        ],
        late=OfLate(reports, _utc(first), _utc(last), _utc(received)) if reports else None,
        last_critical=_maybe(last_critical),
        last_report=_maybe(last_report),
        aside=read.aside(now),
    )


class _Reader:
    """Runs the statements. `since` is naive UTC."""

    def __init__(self, cursor: Cursor, query: GetWatched, since: dt.datetime) -> None:
        self._cursor = cursor
        self._query = query
        self._since = since
        left_out = query.left_out
        self._left_out: dict[str, Any] = {} if left_out.is_empty else msgspec.structs.asdict(left_out)

    def all(self, name: str, **values: Any) -> list[Any]:
        """Returns the rows of a statement about all current reports."""
        statement = _SQL[name]
        if "$late" in statement:
            values["late"] = self._query.late
        if "{current}" in statement:
            values |= self._left_out
        filling = {"current": self._current(self._since)}
        return self._cursor.execute(filled(statement, filling), values or None).fetchall()

    def aside(self, now: dt.datetime) -> list[Any]:
        """Returns the errors of the newest minutes that are left out."""
        if not self._left_out:
            return []
        return self.all("aside", start=now - self._query.recent * _MINUTE)

    def by_minute(self, minutes: Sequence[int]) -> list[tuple[int, Tallied]]:
        """Returns the warnings of each of some minutes since the epoch, which are in order."""
        if not minutes:
            return []
        start, end = (_NEVER + minute * _MINUTE for minute in (minutes[0], minutes[-1] + 1))
        return sorted(self._tallied(start, end - _MICROSECOND, 1, "epoch_us(t) // 60_000_000").items())

    def tallied(self, first: dt.datetime, last: dt.datetime) -> Tallied:
        """Returns the critical errors from one moment to another one."""
        return self._tallied(first, last, 2, "0")[0]

    def _tallied(self, first: dt.datetime, last: dt.datetime, severity: int, part: str) -> dict[int, Tallied]:
        """Returns the errors of a severity by the part, which is an expression."""
        condition = f"severity = {severity} AND t >= {literal(first)} AND t <= {literal(last)}"
        some = f"SELECT *, ({part})::BIGINT AS part FROM ({self._current(first)}) WHERE {condition} AND aside = ''"

        def found(name: str, **values: Any) -> Iterator[Any]:
            values |= self._left_out
            yield from self._cursor.execute(filled(_SQL[name], {"some": some}), values or None).fetchall()

        tallied = {one: Tallied(errors, newest, [], [], [], []) for one, errors, newest in found("sums")}
        for one, *row in found("of_workers", limit=self._query.workers + 1):
            tallied[one].workers.append(OfKey(*row))
        for one, *row in found("of_patterns", limit=self._query.patterns + 1):
            tallied[one].patterns.append(OfPattern(*row))
        for one, *row in found("of_hardware", limit=self._query.hardware + 1):
            tallied[one].hardware.append(OfKey(*row))
        for one, *row in found("of_runs", limit=self._query.hardware + 1):
            tallied[one].runs.append(OfKey(*row))
        return tallied

    def _current(self, since: dt.datetime) -> str:
        """Returns the query for the current reports that happened since a moment. An error is never later than its
        `timestamp`, so that bounds both, and DuckDB skips row groups by it."""
        name = "current_left_out" if self._left_out else "current"
        return filled(_SQL[name], {"since": literal(since), "late": str(self._query.late)})


def _spells(
    minutes: Sequence[tuple[dt.datetime, dt.datetime]], gap: dt.timedelta
) -> list[tuple[dt.datetime, dt.datetime]]:
    """Joins minutes with critical errors between which there is less than `gap`."""
    spells: list[tuple[dt.datetime, dt.datetime]] = []
    for first, last in minutes:
        if spells and first < spells[-1][1] + gap:
            spells[-1] = (spells[-1][0], last)
        else:
            spells.append((first, last))
    return spells


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC)


def _maybe(moment: dt.datetime | None) -> dt.datetime | None:
    return _utc(moment) if moment else None
