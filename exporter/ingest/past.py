"""State of ingest that is restored from the database at startup."""

import datetime as dt
from typing import NamedTuple

from msgspec import Struct, field

from exporter.patterns.families import Family


class KnownId(NamedTuple):
    """An accepted event: the key of deduplication, its position in the log, and its time in epoch seconds."""

    worker_id: str
    event_id: str
    id: int
    moment: float


class Past(Struct):
    """Times of errors are aware and in UTC."""

    recurrences: dict[str, list[dt.datetime]]  # pattern id → times of the last six hours, oldest first
    known_ids: list[KnownId]  # of the newest events, oldest first
    known_ids_since: float | None  # epoch seconds; other events are not later; None if there are no other events
    seen_once: int = 0  # how many of `assigned.known`, from the first, were seen once; the others were seen again
    old_patterns: list[str] = []  # fingerprints of version 1
    assigned: "Reassigned" = field(default_factory=lambda: Reassigned([], {}, True))
    known_ids_ahead: dict[str, float] = {}  # workers with other events that are later → the time of the latest


class KnownFamily(NamedTuple):
    """A family, with as many members as `KnownFamilies` needs, and the pattern id of the fingerprints that fit it."""

    family: Family
    pattern_id: str


class Reassigned(Struct):
    """Changed pattern ids: pairs of fingerprint and pattern id, and all families of each scope that changed.

    `complete`: these are the ids and families of all fingerprints in `known`, a bounded number, ordered by their last
    error. The pattern id of one that is not in `ids` is the fingerprint."""

    ids: list[tuple[str, str]]
    families: dict[str, list[KnownFamily]]
    complete: bool = False
    known: list[str] = []
