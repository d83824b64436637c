"""Reads three parts of the overview: workers, hardware types, and the critical errors of the last five minutes."""

import datetime as dt
import heapq
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any, Final

from msgspec.structs import replace

from exporter.events.event import isoformat
from exporter.events.standing import NOWS, STABLE, State
from exporter.store.fields import Status
from exporter.store.read_states import drained_workers
from exporter.store.results import CriticalNow, HardwareMetrics, HardwareTypeStatus, WorkerErrors, WorkerStats
from exporter.store.rollup_tables import KIND, TIME, WORKER
from exporter.store.select import Cursor, Facts, Row, Span, end_of_range, names_of, rows
from exporter.store.standings import Standings, hardware_states, last_critical, last_critical_of_hardware

WORKERS: Final = 1_000
MOST: Final = 10  # of these, chosen by errors alone: the page's chart shows them
HARDWARE_TYPES: Final = 100
NOW: Final = dt.timedelta(minutes=5)
_STATUS: Final[tuple[Status, ...]] = ("stable", "warning", "critical")  # by the greatest severity of an error
_NONE: Final[Row] = {"errors": 0, "critical": 0, "severity": 0}  # of a worker without errors in the time range
_PLACES: Final = 2**20  # places of types that fit into the 20 bits of `most` in the statement `workers`


def critical_now(cursor: Cursor, now: dt.datetime, reset_at: dt.datetime | None) -> CriticalNow:
    """Returns the critical errors of the last five minutes. Times are naive UTC. Raises duckdb.Error."""
    errors = {row["worker"]: row["errors"] for row in _critical_now(cursor, now)}
    most = max(errors.values(), default=0)
    names = names_of(cursor, "workers", [worker for worker, count in errors.items() if count == most])
    return CriticalNow(
        window_seconds=int(NOW.total_seconds()),
        critical_errors=sum(errors.values()),
        workers=len(errors),
        top_worker=min(names.values(), default=None),
        top_worker_errors=most,
        critical_errors_since_reset=_critical_since(cursor, reset_at, now) if reset_at else None,
    )


def worker_errors(
    cursor: Cursor, facts: Facts, standing: Standings, also: Collection[int], now: dt.datetime
) -> WorkerErrors:
    """Returns the workers with errors and those of `also`, none of which are stable; `WORKERS` at most, the one with
    most errors first. Raises duckdb.Error."""
    critical = last_critical(cursor, now)
    types = rows(cursor, "types")  # by name
    places = [0] * (max((row["id"] for row in types), default=0) + 1)
    for place, row in enumerate(types[:_PLACES]):
        places[row["id"] - 1] = place
    given = {"limit": WORKERS, "places": places, "also": list(also)}
    found = rows(cursor, "workers", given, facts.of(WORKER))
    with_errors = found[0]["workers"] if found else 0
    others = set(also) - {row["worker"] for row in found}
    found += [_NONE | {"worker": worker, "last_seen": _newest(standing.of(worker))} for worker in others]
    names = names_of(cursor, "workers", (row["worker"] for row in found))
    drains = drained_workers(cursor)
    found.sort(key=lambda row: (-row["errors"], names[row["worker"]]))
    stats = [
        WorkerStats(
            worker_id=names[row["worker"]],
            error_count=row["errors"],
            critical_errors=row["critical"],
            most_common_error=types[row["most"] % _PLACES]["name"] if row["errors"] else "",
            last_error_time=isoformat(row["last_seen"]),
            status=_STATUS[row["severity"]],
            **_standing(standing.of(row["worker"]), critical.get(row["worker"])),
            drained=drains.get(names[row["worker"]]),
        )
        for row in _bounded(found, standing)
    ]
    return WorkerErrors(stats, with_errors + len(others), with_errors)


def _bounded(found: list[Row], standing: Standings) -> list[Row]:
    """Returns at most `WORKERS` rows in their order, which is by errors: the first `MOST`, then the rows of workers
    that are not stable, the worst first, then the first ones of the others."""
    if len(found) <= WORKERS:
        return found
    ranked = (
        (0 if place < MOST else NOWS.index(standing.of(row["worker"]).now), place) for place, row in enumerate(found)
    )
    return [found[place] for place in sorted(place for _, place in heapq.nsmallest(WORKERS, ranked))]


def _newest(state: State) -> dt.datetime:
    """Returns the time of the newest report that says what a worker is, which is not stable."""
    critical, other, warning = state.newest
    return max(time for time in (critical and critical[0], other and other[0], warning) if time is not None)


def hardware_status(cursor: Cursor, facts: Facts, span: Span) -> dict[str, HardwareTypeStatus]:
    """Returns the hardware types with most errors in a time range, by name. Raises duckdb.Error."""
    found = rows(cursor, "hardware", {}, facts.of(KIND))
    types = names_of(cursor, "types", (row["type"] for row in found))
    names = names_of(cursor, "hardware_types", (row["hardware"] for row in found))
    states = hardware_states(cursor, span.now)
    critical = last_critical_of_hardware(cursor, span.now)
    by_hardware: dict[int, list[Row]] = defaultdict(list)
    for row in found:
        by_hardware[row["hardware"]].append(row)
    status = {
        names[id_]: _hardware_status(
            some, types, span.hours, _standing(states.get(id_, STABLE), critical.get(id_))
        )
        for id_, some in by_hardware.items()
    }  # fmt: skip
    ordered = sorted(status.items(), key=lambda item: (-item[1].error_count, item[0]))
    return dict(ordered[:HARDWARE_TYPES])


def named_hardware(cursor: Cursor, since: Mapping[int, dt.datetime]) -> dict[str, dt.datetime]:
    """Returns times by the names of hardware types instead of their integers. Raises duckdb.Error."""
    names = names_of(cursor, "hardware_types", since)
    return {names[id_]: moment for id_, moment in since.items()}


def with_silence(
    status: Mapping[str, HardwareTypeStatus], since: Mapping[str, dt.datetime]
) -> dict[str, HardwareTypeStatus]:
    """Returns hardware types, silent those about which a worker reported last before it fell silent `since`; a critical
    one stays critical."""
    return {
        name: replace(one, now="silent", silent_since=isoformat(since[name]))
        if name in since and one.now != "critical" else one
        for name, one in status.items()
    }  # fmt: skip


def _standing(state: State, last_critical: dt.datetime | None) -> dict[str, Any]:
    """Returns the fields that depend neither on the time range nor on filters."""
    return {
        "now": state.now,
        "last_critical_time": isoformat(last_critical) if last_critical else None,
        "silent_since": isoformat(state.silent_since) if state.silent_since else None,
    }


def _hardware_status(
    by_type: list[Row], types: dict[int, str], hours: float, standing: dict[str, Any]
) -> HardwareTypeStatus:
    errors = _sum(by_type, "errors")
    most = max(by_type, key=lambda row: (row["errors"], types[row["type"]]))
    return HardwareTypeStatus(
        error_count=errors,
        critical_errors=_sum(by_type, "critical"),
        most_common_error=types[most["type"]],
        status=_STATUS[max(row["severity"] for row in by_type)],
        error_rate=errors / hours,
        metrics=HardwareMetrics(
            cpu_percent=_mean(by_type, "cpu"),
            memory_percent=_mean(by_type, "memory"),
            disk_percent=_mean(by_type, "disk"),
            max_gpu_celsius=max(
                (row["gpu_celsius"] for row in by_type if row["gpu_celsius"] is not None), default=None
            ),
            overheating=_sum(by_type, "overheating"),
            memory_pressure=_sum(by_type, "memory_pressure"),
            throttling=_sum(by_type, "throttling"),
        ),
        **standing,
    )


def _mean(by_type: list[Row], name: str) -> float | None:
    """Returns the mean of a measurement over the reports that have it."""
    reports = _sum(by_type, f"{name}_reports")
    total: float = sum(row[name] for row in by_type if row[name] is not None)
    return total / reports if reports else None


def _sum(by_type: list[Row], name: str) -> int:
    return sum(row[name] for row in by_type)


def _critical_now(cursor: Cursor, now: dt.datetime) -> list[Row]:
    return rows(cursor, "critical_now", {"since": now - NOW, "end": end_of_range(now)})


def _critical_since(cursor: Cursor, reset_at: dt.datetime, now: dt.datetime) -> int:
    errors: int = rows(cursor, "critical_since", places=Facts(cursor, reset_at, now).of(TIME))[0]["errors"]
    return errors
