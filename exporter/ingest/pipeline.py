"""The way of error reports: parse, fingerprint, classify, commit. Many requests, one transaction.

Runs in the one thread that owns the store's writes, so that two reports of one id cannot pass each other. Whoever is
to hear of an event gets it from what `take` returns: after the commit, in the order of the ids.
"""

import datetime as dt
import itertools
import logging
import secrets
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from exporter.events.event import MAX_MESSAGE, ErrorEvent
from exporter.events.report import (
    MAX_EVENT_ID,
    MAX_LABEL,
    UNKNOWN_CATEGORY,
    ErrorReport,
    ReportError,
    event_time,
    parse_report,
)
from exporter.ingest.deduplication import Seen
from exporter.ingest.fingerprint import fingerprint
from exporter.ingest.recurrence import Recurrences
from exporter.ingest.severity import Thresholds, classify, facts
from exporter.store import Outcome, State, Store, StoreError

_PROCESS = secrets.token_hex(8)  # makes the ids given here differ from those of every other run
_numbers = itertools.count(1)
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)


class Submission(NamedTuple):
    """One report as it came: its JSON, the receipt in epoch seconds, and the request's `Idempotency-Key`."""

    body: bytes
    received: float
    key: str | None


class Refusal(NamedTuple):
    """Why a report was not stored: as `ReportError` says it, or, with the reason `store_failed`, as the store does."""

    message: str
    field: str
    reason: str


class Taken(Struct):
    """What became of submissions: for each, in order, the stored event's `Outcome` as JSON, or a refusal; the new
    events, and which submission each was; how many were stored before; why the store failed, and how many seconds the
    transaction took."""

    results: list[bytes | Refusal]
    events: list[ErrorEvent]
    places: list[int]
    duplicates: int
    failure: str
    seconds: float

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpack, (_pack(self),)  # between the processes: several times faster than field by field


_pack = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Taken).decode


def _unpack(packed: bytes) -> Taken:
    return _decode(packed)


class Ingest:
    """Takes reports into `store`; `state` is its past."""

    def __init__(self, store: Store, state: State, *, thresholds: Thresholds, zone: dt.tzinfo | None) -> None:
        self._store = store
        self._thresholds = thresholds
        self._zone = zone
        self._recurrences = Recurrences(thresholds, state.recurrences)
        self._seen = Seen(state.event_ids, state.event_ids_since)
        self._failure = ""  # of the store, while a group is taken

    def take(self, submissions: Sequence[Submission]) -> Taken:
        """Takes error reports the whole way; nobody hears of one before it is stored.

        A bad report is refused and the others are taken. A report whose `event_id` is known, from before or from this
        very group, gets the outcome of the first.
        """
        events: list[ErrorEvent] = []
        here: dict[str, ErrorEvent] = {}
        places: list[int] = []
        found: list[ErrorEvent | int | Refusal] = []
        for place, one in enumerate(submissions):
            found.append(self._find(one, events, here))
            if len(places) < len(events):
                places.append(place)
        self._failure = ""
        began = time.perf_counter()
        failed = self._commit(events) if events else {}
        seconds = time.perf_counter() - began
        if failed:
            kept = [(event, place) for event, place in zip(events, places, strict=True) if event.id not in failed]
            stored, places = [event for event, _ in kept], [place for _, place in kept]
        else:
            stored = events
        outcomes = self._outcomes([one for one in found if isinstance(one, int)])
        results = [_result(one, outcomes, failed) for one in found]
        repeats = len(found) - len(events) - sum(isinstance(one, Refusal) for one in found)
        return Taken(results, stored, places, repeats, self._failure, seconds)

    def _outcomes(self, ids: Sequence[int]) -> dict[int, Outcome]:
        """What became of earlier reports. Empty when the store cannot tell: then their senders try again, but what was
        just committed is told all the same."""
        try:
            return {outcome.id: outcome for outcome in self._store.outcomes(ids)} if ids else {}
        except StoreError as error:
            self._failure = str(error)
            return {}

    def _find(
        self, one: Submission, events: list[ErrorEvent], here: dict[str, ErrorEvent]
    ) -> ErrorEvent | int | Refusal:
        """The event that a submission is, new or of this group; the id it is stored under; or why it is refused."""
        try:
            report, body = parse_report(one.body)
            if one.key is not None and report.event_id is None:
                if not (0 < len(one.key) <= MAX_EVENT_ID and one.key.isprintable()):
                    raise ReportError(f"expected 1 to {MAX_EVENT_ID} printable characters", field="Idempotency-Key")
                report.event_id = one.key
            received_at = dt.datetime.fromtimestamp(one.received, dt.UTC)
            moment = event_time(report.timestamp, received_at, self._zone)
        except ReportError as error:
            return Refusal(str(error), error.field, error.reason)
        if report.event_id is not None:
            try:
                known = here.get(report.event_id) or self._known(report.event_id, moment)
            except StoreError as error:
                return Refusal(str(error), "", "store_failed")
            if known is not None:
                return known
        event = self._event(report, body, moment, received_at)
        if report.event_id is not None:
            here[report.event_id] = event
        events.append(event)
        return event

    def _known(self, event_id: str, moment: dt.datetime) -> int | None:
        known = self._seen.get(event_id)
        if known is None and self._seen.may_have_forgotten(moment):
            known = self._store.find_event(event_id, moment)
        return known

    def _event(self, report: ErrorReport, body: str, moment: dt.datetime, received_at: dt.datetime) -> ErrorEvent:
        type_ = (report.type or "UnknownError")[:MAX_LABEL]
        message = report.message or ""
        pattern = fingerprint(type_, message, report.traceback)
        recurs = self._recurrences.recurs(pattern.fingerprint, moment)
        judged = classify(facts(report, recurring=recurs), self._thresholds)
        hardware = report.hardware_context
        return ErrorEvent(
            id=0,
            event_id=report.event_id or f"{_PROCESS}-{next(_numbers):x}",
            timestamp=moment,
            received_at=received_at,
            worker_id=(report.worker_id or "")[:MAX_LABEL],
            type=type_,
            category=(report.error_category or UNKNOWN_CATEGORY)[:MAX_LABEL],
            message=message[:MAX_MESSAGE],
            severity=judged.severity,
            reasons=judged.reasons,
            fingerprint=pattern.fingerprint,
            pattern=pattern.text,
            is_recurring=judged.is_recurring,
            is_system_critical=judged.is_system_critical,
            hardware_type=(hardware.hardware_type or "")[:MAX_LABEL] or None if hardware else None,
            hardware_error=judged.hardware_error,
            body=body,
            parsed=report,
        )

    def _commit(self, events: Sequence[ErrorEvent]) -> dict[int, str]:
        """Stores the events and gives them their ids. An event that could not be stored gets an id below 0, under
        which the answer says why; what it did to the memory of recurrences is taken back."""
        try:
            first = self._store.commit(events)
        except StoreError as error:
            self._failure = str(error)
            return self._give_up(events, error)
        except Exception as error:
            if len(events) == 1:
                _log.exception("a report cannot be stored")
                return self._give_up(events, error)
            # Something in one of them cannot be stored: it must not take its neighbours with it.
            middle = len(events) // 2
            return self._commit(events[:middle]) | self._commit(events[middle:])
        for id_, event in enumerate(events, first):
            event.id = id_
            if event.report.event_id is not None:
                self._seen.add(event.event_id, id_, event.received_at)
        return {}

    def _give_up(self, events: Sequence[ErrorEvent], error: Exception) -> dict[int, str]:
        for event in events:
            event.id = -next(_numbers)
            self._recurrences.forget(event.fingerprint, event.timestamp)
        return {event.id: str(error) for event in events}


def _result(one: ErrorEvent | int | Refusal, outcomes: dict[int, Outcome], failed: dict[int, str]) -> bytes | Refusal:
    if isinstance(one, Refusal):
        return one
    if isinstance(one, int):
        known = outcomes.get(one)
        return _encode(known._asdict()) if known else Refusal("it is stored, but cannot be read", "", "store_failed")
    if one.id in failed:
        return Refusal(failed[one.id], "", "store_failed")
    return _encode(
        {
            "id": one.id,
            "event_id": one.event_id,
            "severity": one.severity,
            "reasons": one.reasons,
            "fingerprint": one.fingerprint,
        }
    )
