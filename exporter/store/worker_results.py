"""The answers to the reads about workers, as the API returns them."""

from msgspec import Struct

from exporter.events.error_object import Timestamp
from exporter.events.heartbeat import Machine
from exporter.store.fields import Celsius, Count, Percent, StateNow
from exporter.store.states import Drained


class WorkerState(Struct, kw_only=True):
    """A worker: what it is now, why, and its errors in the time range. `now`, `reason`, `silent_since` and
    `last_critical_at` depend neither on the time range nor on filters. `reason` has ages as of the answer.
    `silent_since` is null unless `now` is `silent`; `drained`, unless somebody took the worker out of service."""

    worker_id: str
    now: StateNow
    reason: str
    errors: Count
    critical: Count
    warning: Count
    last_error_at: Timestamp | None
    last_critical_at: Timestamp | None
    silent_since: Timestamp | None
    drained: Drained | None


class WorkerRow(WorkerState, kw_only=True):
    """A worker of the list. `patterns` is how many patterns its errors have."""

    patterns: Count


class WorkerList(Struct, kw_only=True):
    """A page of the workers with errors in the time range that match the filters. Where the time range ends now and no
    filter but `worker` is in force, also workers that are not stable now, without errors. `total` is the number of
    workers on all pages; `next_cursor` starts the next page, null on the last one. `searched_since` as in
    `Overview`."""

    workers: list[WorkerRow]
    next_cursor: str | None
    total: Count
    searched_since: Timestamp | None


class WorkerPattern(Struct, kw_only=True):
    """A pattern of a worker's errors, with the times of the first and the last of them."""

    pattern_id: str
    text: str
    errors: Count
    critical: Count
    first: Timestamp
    last: Timestamp


class WorkerValue(Struct, kw_only=True):
    """A device, test or run of a worker's errors, and the time of the last of them."""

    value: str
    errors: Count
    last: Timestamp


class WorkerMeasurement(Struct, kw_only=True):
    """What a report measured: GPU memory and temperature are those of the GPU with most. Null: it has no such
    measurement."""

    at: Timestamp
    cpu: Percent | None
    memory: Percent | None
    disk: Percent | None
    gpu_memory: Percent | None
    gpu_temperature: Celsius | None


class WorkerDetails(WorkerState, kw_only=True):
    """One worker: the 100 patterns, devices, tests and runs with most of its errors in the time range, the newest 200
    measurements of them, oldest first, and what its heartbeats say; null if it sends none. `first_seen` is the time of
    its first error of all, null if it has none."""

    patterns: list[WorkerPattern]
    devices: list[WorkerValue]
    tests: list[WorkerValue]
    runs: list[WorkerValue]
    measurements: list[WorkerMeasurement]
    heartbeat: Machine | None
    first_seen: Timestamp | None
