"""Finds workers whose times without an offset are wrong by whole or half hours, because they are in another zone.

The service believes such times although they are wrong. The times of a worker in another zone differ from their
receipts by the same number of half hours in every report, while the delay of late reports varies. So a worker is named
after several reports that agree, until a report has the right time, or one that
depends on no zone, or no wrong time came for a day. The times are not corrected.
"""

import datetime as dt
import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

STEP: Final = 1_800  # seconds; zones differ by multiples of half an hour (zones with quarter hours are not found)
TOLERANCE: Final = 300  # seconds by which a time may differ from its receipt plus the offset
MOST: Final = 26 * 3_600  # seconds between the zones that are furthest apart
REPORTS: Final = 5  # that have to agree before a worker is named
DOUBT_SECONDS: Final = 600.0  # that these reports have to span if the worker was right before: a backlog spans less
GONE: Final = dt.timedelta(days=1)  # after this time without a wrong time a worker is not named any more
MAX_WORKERS: Final = 10_000  # with times without an offset; beyond that, the least recently used one is evicted
_log = logging.getLogger(__name__)


class _Worker(Struct):
    """The latest reports of a worker that agree. `offset` is their offset in seconds, `reports` their number, `since`
    and `until` the receipts of the first and the last. `was_right`: a report before them had the right time. `logged`:
    the log has named the worker."""

    offset: int = 0
    reports: int = 0
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    was_right: bool = False
    logged: bool = False


class ClockOffsets:
    """`found` maps each worker in a wrong zone to its offset in seconds, which is negative if its times are in the
    past. Only the event loop may use it."""

    def __init__(self) -> None:
        self.found: dict[str, int] = {}
        self._workers: OrderedDict[str, _Worker] = OrderedDict()

    def named(self, now: dt.datetime) -> Mapping[str, int]:
        """Returns `found`, without the workers whose last wrong time was received more than `GONE` ago."""
        for worker in [one for one in self.found if self._is_gone(self._workers[one], now)]:
            del self.found[worker]
        return self.found

    def note_right(self, worker: str) -> None:
        """Records a report whose time, without an offset, agrees with its receipt. The worker is then no longer
        named."""
        state = self._workers.get(worker)
        if state is not None and state.was_right and not state.offset:  # fast path: nothing to change
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
        """Records a report whose time, without an offset, was read as `moment`. Returns the known offset of the worker
        in seconds, as in `found`; 0 if it has none."""
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
        if received_at != state.until:  # reports of one batch, which are equally late, count as one
            state.reports += 1
            state.until = received_at
        if state.reports >= REPORTS and self._is_no_delay(state, received_at):
            self._find(worker, state)
        return self.found.get(worker, 0)

    def _is_gone(self, state: _Worker, now: dt.datetime) -> bool:
        return state.until is None or now - state.until > GONE

    def _is_no_delay(self, state: _Worker, received_at: dt.datetime) -> bool:
        """Returns whether reports that agree cannot be a backlog that was sent after an outage, one report after the
        other."""
        assert state.since is not None
        return not state.was_right or (received_at - state.since).total_seconds() >= DOUBT_SECONDS

    def _find(self, worker: str, state: _Worker) -> None:
        self.found[worker] = state.offset
        if not state.logged:
            state.logged = True
            _log.warning("%s", advice(worker, state.offset))

    def _state(self, worker: str) -> _Worker:
        """Returns the state of a worker, which becomes the most recently used one."""
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
    """Returns the warning about a worker whose times are wrong by `offset` seconds."""
    hours = f"{abs(offset) / 3600:g} h {'behind' if offset < 0 else 'ahead'}"
    return f"{worker} sends times without an offset that are {hours}: set its time zone, or the setting timezone"
