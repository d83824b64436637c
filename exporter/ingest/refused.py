"""Counts the reports that the rate limits refuse, exactly, by worker and pattern, with a few samples of their JSON.

    refused ─► counted in the worker's `Flood` ─► once a minute: an event in the log (`flood_reports.py`)
                                                   └─ not stored: counted again with the next ones

A report that is refused again is counted once, as long as its id is among the newest `MAX_REMEMBERED`. One that is
accepted at a later attempt is counted as `accepted_later`. So what is missing for good is `refused` minus
`accepted_later`. Everything is bounded; what exceeds a bound is counted under `other`.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct, field

from exporter.events.event import ErrorEvent
from exporter.ingest.deduplication import Key

MAX_FLOODS: Final = 500  # with a `Flood` of their own
MAX_FLOOD_PATTERNS: Final = 50  # of one `Flood`
MAX_REMEMBERED: Final = 50_000  # ids of refused reports
MAX_SAMPLE_BYTES: Final = 2**23  # of all samples
OTHER: Final = "other"


class RefusedPattern(Struct):
    """Refused reports with one fingerprint. `samples`: the JSON of the first, and of the latest whose number is a power
    of two."""

    fingerprint: str
    pattern: str
    refused: int = 0
    samples: list[str] = []


class Flood(Struct):
    """The refused reports of one worker since the last event about them. `by_token` of them were refused because of the
    limit of their access token. `began` and `latest` are times of receipt, `since` and `until` the same in seconds of
    the monotonic clock."""

    worker: str
    began: dt.datetime
    latest: dt.datetime
    since: float
    until: float
    refused: int = 0
    by_token: int = 0
    accepted_later: int = 0
    patterns: dict[str, RefusedPattern] = field(default_factory=dict)
    other: int = 0  # of patterns beyond `MAX_FLOOD_PATTERNS`


class Refused(Struct):
    """A refused report. `pattern` is the text of its pattern."""

    worker: str
    key: Key | None
    fingerprint: str
    pattern: str
    received_at: dt.datetime
    limit: str


class RefusedReports:
    """Counts refused reports. `counted` are all counts since the start, by worker. Only the event loop may use it."""

    def __init__(self, fold: Callable[[str], str] = lambda worker: worker) -> None:
        """`fold` limits the workers in `counted`: it returns what a worker is counted under."""
        self.counted: dict[str, int] = {}
        self._fold = fold
        self._floods: dict[str, Flood] = {}
        self._remembered: dict[Key, str] = {}  # → the worker whose flood counts it
        self._sample_bytes = 0

    def knows(self, key: Key | None) -> bool:
        """Returns whether a report with this key was counted before, and not accepted since."""
        return key in self._remembered

    def add(self, one: Refused, now: float, sample: Callable[[], str]) -> None:
        """Counts a refused report that is not known. `now` is in monotonic seconds. `sample` is called if its JSON is
        to be kept."""
        if one.key is not None:
            self._remembered[one.key] = one.worker
            if len(self._remembered) > MAX_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
        self._count(one.worker, 1)
        flood = self._flood(one.worker, one.received_at, now)
        flood.refused += 1
        flood.by_token += one.limit == "token"
        known = flood.patterns.get(one.fingerprint)
        if known is None:
            if len(flood.patterns) >= MAX_FLOOD_PATTERNS:
                flood.other += 1
                return
            known = flood.patterns[one.fingerprint] = RefusedPattern(one.fingerprint, one.pattern)
        known.refused += 1
        if known.refused & (known.refused - 1) == 0:
            self._keep(known, sample)

    def stored(self, events: Iterable[ErrorEvent], now: float) -> None:
        """To be called with accepted events that are on disk. Counts those that were refused before."""
        if not self._remembered:
            return
        for event in events:
            worker = self._remembered.pop((event.worker_id, event.event_id), None)
            if worker is not None:
                self._flood(worker, event.received_at, now).accepted_later += 1

    def take(self, is_due: Callable[[Flood], bool]) -> list[Flood]:
        """Removes the floods that are due, and returns them."""
        due = [flood for flood in self._floods.values() if is_due(flood)]
        for flood in due:
            del self._floods[flood.worker]
            self._sample_bytes -= _sample_bytes(flood)
        return due

    def put_back(self, flood: Flood) -> None:
        """Adds a flood whose event could not be stored to what was counted since."""
        later = self._floods.pop(flood.worker, None)
        self._floods[flood.worker] = flood
        self._sample_bytes += _sample_bytes(flood)
        if later is None:
            return
        flood.latest, flood.until = later.latest, later.until
        flood.refused += later.refused
        flood.by_token += later.by_token
        flood.accepted_later += later.accepted_later
        flood.other += later.other
        self._sample_bytes -= _sample_bytes(later)
        for one in later.patterns.values():
            known = flood.patterns.get(one.fingerprint)
            if known is not None:
                known.refused += one.refused
            elif len(flood.patterns) < MAX_FLOOD_PATTERNS:
                flood.patterns[one.fingerprint] = one
                self._sample_bytes += sum(map(len, one.samples))
            else:
                flood.other += one.refused

    def _flood(self, worker: str, received_at: dt.datetime, now: float) -> Flood:
        flood = self._floods.get(worker)
        if flood is None and len(self._floods) >= MAX_FLOODS:
            worker = OTHER
            flood = self._floods.get(worker)
        if flood is None:
            flood = self._floods[worker] = Flood(worker, received_at, received_at, now, now)
        flood.latest, flood.until = received_at, now
        return flood

    def _count(self, worker: str, reports: int) -> None:
        label = self._fold(worker)
        self.counted[label] = self.counted.get(label, 0) + reports

    def _keep(self, known: RefusedPattern, sample: Callable[[], str]) -> None:
        text = sample()
        before = sum(map(len, known.samples[1:]))
        if self._sample_bytes - before + len(text) <= MAX_SAMPLE_BYTES:
            known.samples = [*known.samples[:1], text]
            self._sample_bytes += len(text) - before


def _sample_bytes(flood: Flood) -> int:
    return sum(len(text) for one in flood.patterns.values() for text in one.samples)
