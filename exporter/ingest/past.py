"""State of ingest that is restored from the database at startup."""

import datetime as dt
from array import array
from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct, field

from exporter.patterns.families import Family


class NewestIds(Struct):
    """The ids of the newest accepted events, oldest first: the position in the log by the joined key, and the times of
    the events in the same order, epoch seconds as the bytes of an array of doubles."""

    positions: dict[str, int] = {}
    moments: bytes = b""


def joined(worker_id: str, event_id: str) -> str:
    """Returns the key of deduplication as one text. Its first character is the length of `worker_id`, at most
    `MAX_LABEL`, so the text is unambiguous, whatever the two contain."""
    return f"{chr(len(worker_id))}{worker_id}{event_id}"


def worker_of(key: str) -> str:
    """Returns the worker of a joined key."""
    return key[1 : 1 + ord(key[0])]


def newest_ids(events: Iterable[tuple[str, str, int, float]]) -> NewestIds:
    """Returns the ids of `events`: worker, event id, position and time of each, oldest first. Of two with the same key,
    the later one counts."""
    positions: dict[str, int] = {}
    moments: dict[str, float] = {}
    for worker_id, event_id, position, moment in events:
        key = joined(worker_id, event_id)
        positions[key], moments[key] = position, moment
    return NewestIds(positions, array("d", moments.values()).tobytes())


class Past(Struct):
    """Times of errors are aware and in UTC."""

    recurrences: dict[str, list[dt.datetime]] = {}  # pattern id → times of the last six hours, oldest first
    known_ids: NewestIds = field(default_factory=NewestIds)
    known_ids_since: float | None = None  # epoch seconds; other events are not later; None if there are no other events
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
