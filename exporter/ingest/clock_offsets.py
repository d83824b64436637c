"""Finds workers whose times without an offset are off by whole or half hours: they write another zone's times.

Without an offset, the times of a worker in the wrong zone are believed, and wrong. Each of its reports is off by the
same number of half hours. A report that is only late is off by any time, so a worker is named after several reports
that agree. Nothing is corrected; one report with the right time ends it, and one whose
time does not depend on a zone.
"""

import datetime as dt
import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

STEP: Final = 1_800  # seconds; zones differ by half hours (those that differ by a quarter are not found)
TOLERANCE: Final = 300  # seconds between a time and its receipt, besides the offset
MOST: Final = 26 * 3_600  # seconds between the zones that are furthest apart
REPORTS: Final = 5  # that agree
DOUBT_SECONDS: Final = 600.0  # that the reports of a worker that was right before span; else they may only be late
GONE: Final = dt.timedelta(days=1)  # after the last wrong time of a worker, which may exist no more
MAX_WORKERS: Final = 10_000  # with times without an offset; beyond that the one not heard for longest is evicted
_log = logging.getLogger(__name__)


class _Worker(Struct):
    """The latest reports that agree: their `offset` in seconds, their number, and the receipts of the first and the
    last. `was_right`: a report before them had the right time. `logged`: the log has named the worker."""

    offset: int = 0
    reports: int = 0
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    was_right: bool = False
    logged: bool = False


class ClockOffsets:
    """`found` has the offset in seconds of each worker that is off; negative: its times are in the past. Only the event
    loop may use it."""

    def __init__(self) -> None:
        self.found: dict[str, int] = {}
        self._workers: OrderedDict[str, _Worker] = OrderedDict()

    def named(self, now: dt.datetime) -> Mapping[str, int]:
        """Returns `found`, without the workers whose last wrong time was received more than `GONE` ago."""
        for worker in [one for one in self.found if self._is_gone(self._workers[one], now)]:
            del self.found[worker]
        return self.found

    def note_right(self, worker: str) -> None:
        """Notes a report whose time, without an offset, agrees with its receipt. Ends a wrong offset."""
        state = self._workers.get(worker)
        if state is not None and state.was_right and not state.offset:  # as nearly always
            self._workers.move_to_end(worker)
            return
        state = self._state(worker)
        state.offset, state.reports, state.was_right = 0, 0, True
        self.found.pop(worker, None)

    def note_independent(self, worker: str) -> None:
        """Notes a report whose time does not depend on a zone. A worker that was off is not named any more, until it
        sends the next wrong time: another of its programs may still do so."""
        self.found.pop(worker, None)

    def note(self, worker: str, moment: dt.datetime, received_at: dt.datetime) -> int:
        """Notes a report whose time, without an offset, was read as `moment`. Returns by how many seconds the worker is
        known to be off; 0 if it is not."""
        seconds = (moment - received_at).total_seconds()
        offset = STEP * round(seconds / STEP) if abs(seconds) < MOST + TOLERANCE else 0
        state = self._state(worker)
        if abs(seconds - offset) > TOLERANCE:  # late, or another fault
            return self.found.get(worker, 0)
        if offset == 0:
            self.note_right(worker)
            return 0
        if offset != state.offset:
            state.offset, state.reports, state.since, state.until = offset, 0, received_at, None
        if received_at != state.until:  # the reports of one batch may be late together
            state.reports += 1
            state.until = received_at
        if state.reports >= REPORTS and self._is_no_delay(state, received_at):
            self._find(worker, state)
        return self.found.get(worker, 0)

    def _is_gone(self, state: _Worker, now: dt.datetime) -> bool:
        return state.until is None or now - state.until > GONE

    def _is_no_delay(self, state: _Worker, received_at: dt.datetime) -> bool:
        """Whether reports that agree cannot be those of an outage that were sent late, one right after the other."""
        assert state.since is not None
        return not state.was_right or (received_at - state.since).total_seconds() >= DOUBT_SECONDS

    def _find(self, worker: str, state: _Worker) -> None:
        self.found[worker] = state.offset
        if not state.logged:
            state.logged = True
            _log.warning("%s", advice(worker, state.offset))

    def _state(self, worker: str) -> _Worker:
        """Returns the state of a worker, as the one that was heard last."""
        state = self._workers.get(worker)
        if state is None:
            state = self._workers[worker] = _Worker()
            if len(self._workers) > MAX_WORKERS:
                evicted, _ = self._workers.popitem(last=False)
                self.found.pop(evicted, None)
        else:
            self._workers.move_to_end(worker)
        return state


def advice(worker: str, offset: int) -> str:
    """Returns the sentence that names a worker which is off by `offset` seconds."""
    hours = f"{abs(offset) / 3600:g} h {'behind' if offset < 0 else 'ahead'}"
    return f"{worker} sends times without an offset that are {hours}: set its time zone, or the setting timezone"
