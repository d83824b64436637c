"""The workers whose newest report is critical: they may have crashed. In bounded memory."""

import datetime as dt
from operator import attrgetter
from typing import Final

from exporter.judgement.situation import SILENT_FOR_SECONDS, Silent
from exporter.judgement.tally import MAX_WORKERS
from exporter.store.watched import Newest

SILENT_FOR: Final = dt.timedelta(seconds=SILENT_FOR_SECONDS)
_Report = tuple[dt.datetime, int]  # time and id, by which reports are ordered


class Suspects:
    """Knows of each worker its newest critical report and its newest other one. Of more than `MAX_WORKERS` suspects,
    those that came first are kept, and of other workers those that reported last."""

    def __init__(self) -> None:
        self._critical: dict[str, _Report] = {}  # of the suspects
        self._other: dict[str, _Report] = {}
        self._sorted: tuple[Silent, ...] | None = None

    def note(self, worker: str, at: dt.datetime, id_: int, *, is_critical: bool) -> None:
        """Notes a report of a worker."""
        report, critical = (at, id_), self._critical.get(worker)
        if is_critical:
            if (critical is None or report > critical) and report > self._other.get(worker, _NEVER):
                self._suspect(worker, report)
            return
        other = self._other.pop(worker, _NEVER)
        self._other[worker] = max(report, other)
        if len(self._other) > MAX_WORKERS:
            del self._other[next(iter(self._other))]
        if critical is not None and report > critical:
            del self._critical[worker]
            self._sorted = None

    def _suspect(self, worker: str, report: _Report) -> None:
        if worker not in self._critical and len(self._critical) >= MAX_WORKERS:
            return
        self._critical[worker] = report
        self._sorted = None

    def restore(self, newest: Newest) -> None:
        """Notes the newest reports of a worker."""
        if newest.other is not None:
            self.note(newest.worker_id, newest.other, newest.other_id, is_critical=False)
        if newest.critical is not None:
            self.note(newest.worker_id, newest.critical, newest.critical_id, is_critical=True)

    def forget(self, until: dt.datetime) -> None:
        """Forgets the suspects whose critical report is not after `until`."""
        self._critical = {worker: report for worker, report in self._critical.items() if report[0] > until}
        self._sorted = None

    def at(self, now: dt.datetime) -> tuple[Silent, ...]:
        """Returns the suspects in the order of their times, without those that count for nothing any more."""
        if self._sorted is None or (self._sorted and self._sorted[0].since <= now - SILENT_FOR):
            self.forget(now - SILENT_FOR)
            silent = [Silent(worker, at) for worker, (at, _) in self._critical.items()]
            self._sorted = tuple(sorted(silent, key=attrgetter("since", "worker_id")))
        return self._sorted


_NEVER: Final = (dt.datetime.min.replace(tzinfo=dt.UTC), 0)
