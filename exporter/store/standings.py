"""Reads what workers and hardware types are now: not in a time range, and whatever the filters."""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from exporter.events.standing import (
    LATE_SECONDS,
    RECOVERY_SECONDS,
    SILENT_FOR_SECONDS,
    STABLE,
    WINDOW_SECONDS,
    Newest,
    State,
    state_of,
)
from exporter.store.matching import all_of, columns_of, of_all_times, one_of
from exporter.store.parameters import Filters
from exporter.store.rollup_tables import WORKER, literal
from exporter.store.select import Cursor, Facts, Row, Span, end_of_range, rows
from exporter.store.sql import filled, named

EVER: Final = dt.datetime(1970, 1, 1)  # naive UTC, as all times here
_SQL: Final = named("workers.sql")
_CURRENT: Final = named("watched.sql")["current"]
_SILENT_FOR: Final = dt.timedelta(seconds=SILENT_FOR_SECONDS)
_RECOVERY: Final = dt.timedelta(seconds=RECOVERY_SECONDS)
_WINDOW: Final = dt.timedelta(seconds=WINDOW_SECONDS)


class Standings(NamedTuple):
    """The states of the workers that are not stable, by their integers."""

    workers: dict[int, State]

    def of(self, worker: int) -> State:
        return self.workers.get(worker, STABLE)


def standings(cursor: Cursor, now: dt.datetime, worker: int | None = None) -> Standings:
    """Returns the states of the workers: of all, or of one. Raises duckdb.Error."""
    limits = {"reset": reset_at(cursor, now) or EVER, "recovering": now - _RECOVERY, "warned": now - _WINDOW}
    only = "" if worker is None else f" AND worker = {worker}"
    found = _since(cursor, "newest_by_worker", now - _SILENT_FOR, limits, only)
    ids = _ids(cursor, {worker: critical for worker, critical, other, _ in found if critical == other})
    states: dict[int, State] = {}
    for worker, critical, other, warning in found:
        critical_id, other_id = ids.get(worker, (0, 0))
        newest = Newest((critical, critical_id) if critical else None, (other, other_id) if other else None, warning)
        state = state_of(newest, now)
        if state is not STABLE:
            states[worker] = state
    return Standings(states)


def unstable(cursor: Cursor, filters: Filters, span: Span, standing: Standings) -> Collection[int]:
    """Returns the workers that are not stable now, if a list of workers has them also without errors: the time range
    ends now, and no filter but that on workers is in force. Raises duckdb.Error."""
    if span.until is not None or filters.q is not None or not standing.workers:
        return ()
    asked = of_all_times(cursor, filters)
    if not columns_of(asked) <= {"worker"}:
        return ()
    if not asked:
        return standing.workers
    matching = run(cursor, "workers_matching", {}, {"matching": all_of(asked.values())})
    return standing.workers.keys() & {worker for (worker,) in matching}


def silent_hardware(cursor: Cursor, standing: Standings) -> dict[int, dt.datetime]:
    """Returns, by the integer of a hardware type, the earliest time since which a worker is silent whose last report
    was a critical one about it. Raises duckdb.Error."""
    silent = {worker: state.silent_since for worker, state in standing.workers.items() if state.silent_since}
    if not silent:
        return {}
    return dict(_since(cursor, "hardware_of_silent", min(silent.values()), _places(silent)))


def hardware_states(cursor: Cursor, now: dt.datetime) -> dict[int, State]:
    """Returns what hardware types are by themselves, by their integers: never silent, since they send no reports.
    Raises duckdb.Error."""
    reset = reset_at(cursor, now) or EVER
    found = _since(cursor, "newest_by_hardware", now - max(_RECOVERY, _WINDOW), {"reset": reset})
    heard = (now, 0)
    return {
        hardware: state_of(Newest((critical, 0) if critical else None, heard, warning), now)
        for hardware, critical, warning in found
    }


def last_critical(cursor: Cursor, now: dt.datetime, workers: Collection[int] | None = None) -> dict[int, dt.datetime]:
    """Returns the times of the last critical errors by the integers of the workers: of all, or of some. Raises
    duckdb.Error."""
    places = {"matching": "true" if workers is None else one_of(cursor, "worker", workers)}
    return dict(run(cursor, "last_critical_by_worker", {}, Facts(cursor, EVER, now).of(WORKER) | places))


def last_critical_of_hardware(cursor: Cursor, now: dt.datetime) -> dict[int, dt.datetime]:
    """Returns the times of the last critical errors by the integers of the hardware types. Raises duckdb.Error."""
    return dict(run(cursor, "last_critical_by_hardware", {"end": end_of_range(now)}, {}))


def reset_at(cursor: Cursor, now: dt.datetime) -> dt.datetime | None:
    """Returns the time of the last reset of the counts; times are naive UTC. One that is ahead of `now` does not count:
    the clock was wrong. Raises duckdb.Error."""
    found: dt.datetime | None = rows(cursor, "reset_at", {"end": end_of_range(now)})[0]["reset_at"]
    return found


def run(cursor: Cursor, name: str, values: Mapping[str, Any], places: Mapping[str, str]) -> list[Any]:
    """Returns the rows of a statement of `workers.sql`. Raises duckdb.Error."""
    return cursor.execute(filled(_SQL[name], places), dict(values) or None).fetchall()


def _ids(cursor: Cursor, times: Mapping[int, dt.datetime]) -> dict[int, tuple[int, int]]:
    """Returns the ids of the newest critical and other reports of workers of which both happened at the same time."""
    if not times:
        return {}
    found = _since(cursor, "newest_ids", min(times.values()), _places(times))
    return {worker: (critical, other) for worker, critical, other in found}


def _places(times: Mapping[int, dt.datetime]) -> Row:
    return {"workers": list(times), "times": list(times.values())}


def _since(cursor: Cursor, name: str, since: dt.datetime, values: Row, only: str = "") -> list[Any]:
    """Returns the rows of a statement about the reports since a moment that say something about now, and that meet the
    condition `only`."""
    current = filled(_CURRENT, {"since": literal(since), "late": str(LATE_SECONDS)}) + only
    return run(cursor, name, values, {"current": current})
