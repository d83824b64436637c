"""Answers the read of the list of workers.

rollup ─► counts of each worker in the time range ─┐
newest reports ─► what each worker is now ─────────┼─► sorted ─► one page ─► its patterns and last critical errors
last critical errors, if they are sorted by ───────┘
"""

import datetime as dt
import heapq
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from exporter.events.cursor import Place, place_cursor
from exporter.events.event import isoformat
from exporter.events.standing import NOWS, reason_of
from exporter.store.chosen import choose
from exporter.store.matching import one_of
from exporter.store.parameters import WorkerSort
from exporter.store.queries import ListWorkers
from exporter.store.read_states import drained_workers
from exporter.store.rollup_tables import WORKER, Column, Rollup
from exporter.store.select import Cursor, Facts, names_of
from exporter.store.standings import Standings, last_critical, run, standings, unstable
from exporter.store.states import Drained
from exporter.store.worker_results import WorkerList, WorkerRow

# No table: the errors themselves, whatever the filters are.
_SINGLE: Final = Rollup("single", (), (Column("worker", "worker"), Column("fingerprint", "fingerprint")))
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_EPOCH: Final = dt.datetime(1970, 1, 1)


class Counted(NamedTuple):
    """A worker's errors in the time range."""

    errors: int = 0
    critical: int = 0
    warning: int = 0
    last: dt.datetime | None = None


class Found(NamedTuple):
    """What is known of the workers, by their integers. `last_critical` is of all workers, or of those of one page."""

    names: Mapping[int, str]
    counted: Mapping[int, Counted]
    standings: Standings
    last_critical: Mapping[int, dt.datetime]
    drains: Mapping[str, Drained]


# The value by which a worker is sorted; None: it has none. Those with equal values are sorted by name.
_VALUES: Final[dict[WorkerSort, Callable[[Found, int], int | None]]] = {
    "errors": lambda found, worker: found.counted[worker].errors,
    "critical": lambda found, worker: found.counted[worker].critical,
    "last_error": lambda found, worker: _micros(found.counted[worker].last),
    "last_critical": lambda found, worker: _micros(found.last_critical.get(worker)),
    "silent_since": lambda found, worker: _micros(found.standings.of(worker).silent_since),
    "now": lambda found, worker: -NOWS.index(found.standings.of(worker).now),
    "worker": lambda *_: 0,
}


def worker_list(cursor: Cursor, query: ListWorkers) -> WorkerList:
    """Returns a page of the workers. Raises duckdb.Error."""
    choice = choose(cursor, query.filters, query.now)
    now = choice.span.now
    standing = standings(cursor, now)
    counted = _counted(cursor, choice.facts)
    for worker in unstable(cursor, query.filters, choice.span, standing):
        counted.setdefault(worker, Counted())
    critical = last_critical(cursor, now) if query.sort == "last_critical" else {}
    found = Found(names_of(cursor, "workers", counted), counted, standing, critical, drained_workers(cursor))
    first = _first(found, query)
    workers = [worker for *_, worker in first[: query.limit]]
    if workers and query.sort != "last_critical":
        found = found._replace(last_critical=last_critical(cursor, now, workers))
    patterns = _patterns(cursor, choice.facts, workers)
    return WorkerList(
        workers=[WorkerRow(**fields(found, one, now), patterns=patterns.get(one, 0)) for one in workers],
        next_cursor=_cursor(found, query, workers[-1]) if len(first) > len(workers) else None,
        total=len(counted),
        searched_since=choice.said,
    )


def fields(found: Found, worker: int, now: dt.datetime) -> dict[str, Any]:
    """Returns the fields of `WorkerState`."""
    state, counted = found.standings.of(worker), found.counted.get(worker, Counted())
    return {
        "worker_id": found.names[worker],
        "now": state.now,
        "reason": reason_of(state, now),
        "errors": counted.errors,
        "critical": counted.critical,
        "warning": counted.warning,
        "last_error_at": _text(counted.last),
        "last_critical_at": _text(found.last_critical.get(worker)),
        "silent_since": _text(state.silent_since),
        "drained": found.drains.get(found.names[worker]),
    }


def _counted(cursor: Cursor, facts: Facts) -> dict[int, Counted]:
    return {worker: Counted(*counts) for worker, *counts in run(cursor, "counted_workers", {}, facts.of(WORKER))}


def _first(found: Found, query: ListWorkers) -> list[tuple[bool, int, str, int]]:
    """Returns the workers of the page and the one that follows, in their order, each after what it is sorted by."""
    value, sign = _VALUES[query.sort], 1 if query.ascending else -1
    names = found.names
    keys = [(*_key(value(found, worker), sign), names[worker], worker) for worker in found.counted]
    backwards = query.sort == "worker" and not query.ascending
    if query.after is not None:
        last = (*_key(query.after.value, sign), query.after.worker)
        keys = [key for key in keys if (key[:3] < last if backwards else key[:3] > last)]
    return (heapq.nlargest if backwards else heapq.nsmallest)(query.limit + 1, keys)


def _cursor(found: Found, query: ListWorkers, worker: int) -> str:
    return place_cursor(Place(_VALUES[query.sort](found, worker), found.names[worker]))


def _key(value: int | None, sign: int) -> tuple[bool, int]:
    return (True, 0) if value is None else (False, sign * value)


def _patterns(cursor: Cursor, facts: Facts, workers: list[int]) -> dict[int, int]:
    if not workers:
        return {}
    places = facts.of(_SINGLE) | {"matching": one_of(cursor, "worker", workers)}
    return dict(run(cursor, "patterns_by_worker", {}, places))


def _micros(moment: dt.datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def _text(moment: dt.datetime | None) -> str | None:
    return None if moment is None else isoformat(moment)
