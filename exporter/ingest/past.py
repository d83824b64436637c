"""State of ingest that is restored from the database at startup."""

import datetime as dt
from typing import NamedTuple

from msgspec import Struct


class KnownId(NamedTuple):
    """An accepted event: the key of deduplication, its position in the log, and its receipt."""

    worker_id: str
    event_id: str
    id: int
    received_at: dt.datetime


class Past(Struct):
    """Times are aware and in UTC."""

    recurrences: dict[str, list[dt.datetime]]  # fingerprint → times of the last six hours, oldest first
    known_ids: list[KnownId]  # of the newest events, oldest first
    known_ids_since: dt.datetime | None  # receipt of the oldest of them; None if they are all there are
    known_patterns: list[str]  # fingerprints
