"""Answers the read of one worker."""

import datetime as dt
from typing import Final

import msgspec
from msgspec.structs import replace

from exporter.events.event import isoformat
from exporter.events.heartbeat import Machine
from exporter.events.report import Device
from exporter.ingest.measurements import RANGES
from exporter.store import reports
from exporter.store.chosen import Choice, choose
from exporter.store.names import Table
from exporter.store.parameters import Filters
from exporter.store.queries import GetWorker
from exporter.store.read_patterns import error_patterns
from exporter.store.read_states import drained_workers
from exporter.store.read_worker_list import Counted, Found, fields
from exporter.store.rollup_tables import DEVICE, RUN, TEST, WORKER, Rollup
from exporter.store.select import Cursor, integers_of, naive, names_of, rows
from exporter.store.standings import Standings, last_critical, run, standings
from exporter.store.worker_results import WorkerDetails, WorkerMeasurement, WorkerPattern, WorkerValue

VALUES: Final = 100  # patterns, devices, tests and runs
MEASUREMENTS: Final = 200
_POSSIBLE: Final = RANGES[Device]["memory_utilization"]


class _Gpu(msgspec.Struct):
    memory_utilization: float | None = None


class _Gpus(msgspec.Struct):
    devices: list[_Gpu] | None = None


class _System(msgspec.Struct):
    gpu_metrics: _Gpus | None = None


class _Report(msgspec.Struct):
    system_context: _System | None = None


_decode: Final = msgspec.json.Decoder(_Report, strict=False).decode


def worker(cursor: Cursor, query: GetWorker) -> WorkerDetails | None:
    """Returns one worker; None if nothing is known of it. Raises duckdb.Error."""
    known = integers_of(cursor, "workers", [query.id])
    first = run(cursor, "first_of_worker", {"worker": known[0]}, {})[0][0] if known else None
    if first is None and query.machine is None:
        return None
    id_ = known[0] if known else 0
    now = naive(query.now)
    given = query.range
    asked = Filters(hours=given.hours, since=given.since, until=given.until, worker=(query.id,))
    choice = choose(cursor, asked, query.now)
    counted = {one: Counted(*counts) for one, *counts in run(cursor, "counted_workers", {}, choice.facts.of(WORKER))}
    standing = standings(cursor, now, id_) if known else Standings({})
    found = Found({id_: query.id}, counted, standing, last_critical(cursor, now, known), drained_workers(cursor))
    has_errors = bool(counted)
    return WorkerDetails(
        **fields(found, id_, now),
        patterns=_patterns(cursor, choice) if has_errors else [],
        devices=_devices(cursor, choice) if has_errors else [],
        tests=_values(cursor, choice, TEST, "test", "tests") if has_errors else [],
        runs=_values(cursor, choice, RUN, "run", "runs") if has_errors else [],
        measurements=_measurements(cursor, choice) if has_errors else [],
        heartbeat=_heartbeat(query),
        first_seen=isoformat(first) if first else None,
    )


def _heartbeat(query: GetWorker) -> Machine | None:
    if query.machine is None or query.heartbeat is None:
        return query.machine
    return replace(query.machine, heartbeat=msgspec.Raw(query.heartbeat.encode()))


def _patterns(cursor: Cursor, choice: Choice) -> list[WorkerPattern]:
    found = error_patterns(cursor, choice.span, choice.facts, VALUES, 1).top_patterns
    return [
        WorkerPattern(
            pattern_id=one.pattern_id, text=one.pattern, errors=one.occurrences, critical=one.critical,
            first=one.first_seen, last=one.last_seen,
        )
        for one in found
    ]  # fmt: skip


def _devices(cursor: Cursor, choice: Choice) -> list[WorkerValue]:
    counted = choice.facts.of(DEVICE)[DEVICE.name]
    found = rows(cursor, "ranked_devices", {"limit": VALUES}, {"rows": counted})
    return [_value(row["name"], row["error_count"], row["last_seen"]) for row in found]


def _values(cursor: Cursor, choice: Choice, rollup: Rollup, column: str, table: Table) -> list[WorkerValue]:
    counted = choice.facts.of(rollup)[rollup.name]
    found = rows(cursor, "ranking", {"limit": VALUES}, {"key": column, "rows": counted, "critical": "0"})
    names = names_of(cursor, table, [row["id"] for row in found])
    return [_value(names[row["id"]], row["error_count"], row["last_seen"]) for row in found]


def _value(name: str, errors: int, last: dt.datetime) -> WorkerValue:
    return WorkerValue(value=name, errors=errors, last=isoformat(last))


def _measurements(cursor: Cursor, choice: Choice) -> list[WorkerMeasurement]:
    """Returns the newest measurements, oldest first."""
    found = run(cursor, "measured", {"limit": MEASUREMENTS}, {"matching": choice.matching})
    # One after the other, because a report may have a MiB.
    in_use = {id_: _gpu_memory(report) for id_, report in reports.each(cursor, [id_ for id_, *_ in found])}
    measured = []
    for id_, at, *values in reversed(found):
        *percents, celsius = values
        gpu_memory = in_use[id_]
        if any(value is not None for value in (*values, gpu_memory)):
            cpu, memory, disk = percents
            measured.append(
                WorkerMeasurement(
                    at=isoformat(at), cpu=cpu, memory=memory, disk=disk, gpu_memory=gpu_memory, gpu_temperature=celsius
                )
            )
    return measured


def _gpu_memory(report: str) -> float | None:
    """Returns the memory in use, in percent, of the GPU with most; None if the report does not say it as documented."""
    try:
        system = _decode(report).system_context
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    devices = (system and system.gpu_metrics and system.gpu_metrics.devices) or []
    values = [one.memory_utilization for one in devices if one.memory_utilization is not None]
    return max((one for one in values if _POSSIBLE.least <= one <= _POSSIBLE.most), default=None)
