"""Reads three parts of the overview: workers, hardware types, and the critical errors of the last five minutes."""

import datetime as dt
from collections import defaultdict
from typing import Final

from exporter.events.event import isoformat
from exporter.store.fields import Status
from exporter.store.read_states import drained_workers
from exporter.store.results import CriticalNow, HardwareMetrics, HardwareTypeStatus, WorkerStats
from exporter.store.rollup_tables import KIND, TIME, WORKER
from exporter.store.select import Cursor, Facts, Row, end_of_range, names_of, rows

WORKERS: Final = 1_000
HARDWARE_TYPES: Final = 100
NOW: Final = dt.timedelta(minutes=5)
_STATUS: Final[tuple[Status, ...]] = ("stable", "warning", "critical")  # by the greatest severity of an error
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


def worker_stats(cursor: Cursor, facts: Facts) -> list[WorkerStats]:
    """Returns the workers with most errors, the one with most first. Raises duckdb.Error."""
    types = rows(cursor, "types")  # by name
    places = [0] * (max((row["id"] for row in types), default=0) + 1)
    for place, row in enumerate(types[:_PLACES]):
        places[row["id"] - 1] = place
    found = rows(cursor, "workers", {"limit": WORKERS, "places": places}, facts.of(WORKER))
    names = names_of(cursor, "workers", (row["worker"] for row in found))
    drains = drained_workers(cursor)
    found.sort(key=lambda row: (-row["errors"], names[row["worker"]]))
    return [
        WorkerStats(
            worker_id=names[row["worker"]],
            error_count=row["errors"],
            critical_errors=row["critical"],
            most_common_error=types[row["most"] % _PLACES]["name"],
            last_error_time=isoformat(row["last_seen"]),
            status=_STATUS[row["severity"]],
            drained=drains.get(names[row["worker"]]),
        )
        for row in found[:WORKERS]
    ]


def hardware_status(cursor: Cursor, facts: Facts, hours: float) -> dict[str, HardwareTypeStatus]:
    """Returns the hardware types with most errors in so many hours, by name. Raises duckdb.Error."""
    found = rows(cursor, "hardware", {}, facts.of(KIND))
    types = names_of(cursor, "types", (row["type"] for row in found))
    names = names_of(cursor, "hardware_types", (row["hardware"] for row in found))
    by_hardware: dict[int, list[Row]] = defaultdict(list)
    for row in found:
        by_hardware[row["hardware"]].append(row)
    status = {names[hardware]: _hardware_status(some, types, hours) for hardware, some in by_hardware.items()}
    ordered = sorted(status.items(), key=lambda item: (-item[1].error_count, item[0]))
    return dict(ordered[:HARDWARE_TYPES])


def _hardware_status(by_type: list[Row], types: dict[int, str], hours: float) -> HardwareTypeStatus:
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
