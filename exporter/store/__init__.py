"""The database: a DuckDB file in a process of its own, which reads the log from its own position and answers reads.

The HTTP process uses `client.py`; everything behind `server.py` runs in the database's process, which may be slow, dead
or restarting without any effect on what is accepted. Depends on the log, on events, and on the types of ingest.
"""

import datetime as dt
from typing import NamedTuple

from msgspec import Struct

from exporter.events.outcome import UnavailableError
from exporter.ingest.past import Past
from exporter.store.states import StatesChanged


class StoreError(UnavailableError):
    """The database cannot answer now. What was accepted is in the log and is not affected."""


class DiskFullError(StoreError):
    """The database cannot write. It goes on by itself when there is room."""

    def __init__(self) -> None:
        super().__init__("the disk is full")


class DamagedError(StoreError):
    """A part of the file cannot be read."""

    def __init__(self) -> None:
        super().__init__(
            "a part of the database is damaged and cannot be read: stop the service and run "
            "`error-visualization repair`"
        )


class Counted(NamedTuple):
    """How many errors of one key there were. Times are epoch seconds, which take less time to read than datetimes: each
    start reads up to 100,000 keys."""

    worker_id: str
    type: str
    category: str
    severity: str
    hardware_type: str | None
    errors: int
    first_seen: float
    last_seen: float


class State(Struct):
    """State that the HTTP process restores at startup, as of the log position `position`. `…_seconds` map each epoch
    second of the last hour to its number of errors."""

    position: int
    past: Past
    counters: list[Counted]  # of keys that have series; see `Totals`. In the order in which the keys first appeared
    critical_seconds: dict[int, int]  # by the time of the error
    received_seconds: dict[int, int]  # by the receipt
    reset_at: dt.datetime | None
    behind: str = ""  # why the state lacks the newest events of the log
    others: list[Counted] = []  # of all other keys, added up by severity and hardware type
    resting: dict[int, int] = {}  # errors of these keys, by `hash_of` the worker, type and category
    types: dict[int, float] = {}  # epoch seconds of the first error of each type, by `hash_of` the type
    states: StatesChanged | None = None  # all of them


class DatabaseInfo(Struct):
    """The log that a database is bound to. `complete`: it was closed by a clean stop. `last_event_id` is the event_id
    at `position`."""

    identity: str
    position: int
    complete: bool
    last_event_id: str | None
