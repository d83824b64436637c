"""The workers whose newest report is critical: they may have crashed. In bounded memory."""

import datetime as dt
from typing import Final

from exporter.judgement.situation import SILENT_FOR_SECONDS, SILENT_SECONDS, Silent
from exporter.judgement.tally import MAX_WORKERS
from exporter.store.watched import Newest

SILENT: Final = dt.timedelta(seconds=SILENT_SECONDS)
SILENT_FOR: Final = dt.timedelta(seconds=SILENT_FOR_SECONDS)
_NEVER: Final = (dt.datetime.min.replace(tzinfo=dt.UTC), 0)
_Report = tuple[dt.datetime, int]  # time and id, by which reports are ordered


class Suspects:
    """Knows of each worker its newest critical report and its newest other one. Of more than `MAX_WORKERS` suspects,
    those that came first are kept, and of other workers those that reported last."""

    def __init__(self) -> None:
        self._critical: dict[str, _Report] = {}  # of the suspects
        self._other: dict[str, _Report] = {}
        self._found: tuple[Silent, ...] | None = None  # at `_found_at`, and until `_found_until`
        self._found_at = self._found_until = _NEVER[0]

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
            self._found = None

    def _suspect(self, worker: str, report: _Report) -> None:
        if worker not in self._critical and len(self._critical) >= MAX_WORKERS:
            return
        self._critical[worker] = report
        self._found = None

    def restore(self, newest: Newest) -> None:
        """Notes the newest reports of a worker."""
        if newest.other is not None:
            self.note(newest.worker_id, newest.other, newest.other_id, is_critical=False)
        if newest.critical is not None:
            self.note(newest.worker_id, newest.critical, newest.critical_id, is_critical=True)

    def forget(self, until: dt.datetime) -> None:
        """Forgets the suspects whose critical report is not after `until`."""
        self._critical = {worker: report for worker, report in self._critical.items() if report[0] > until}
        self._found = None

    def at(self, now: dt.datetime) -> tuple[Silent, ...]:
        """Returns those who are silent, in the order of their times, and the one that will be silent next. Those that
        count for nothing any more are forgotten."""
        if self._found is None or now < self._found_at or now >= self._found_until:
            self._find(now)
        return self._found or ()

    def _find(self, now: dt.datetime) -> None:
        silent: list[tuple[dt.datetime, str]] = []
        following: tuple[dt.datetime, str] | None = None
        end, start = now - SILENT, now - SILENT_FOR
        for worker, (at, _) in self._critical.items():
            if at <= end:
                silent.append((at, worker))
            elif following is None or (at, worker) < following:
                following = (at, worker)
        silent.sort()
        if silent and silent[0][0] <= start:
            self.forget(start)
            silent = [one for one in silent if one[0] > start]
        changes = [silent[0][0] + SILENT_FOR] if silent else []
        if following:
            changes.append(following[0] + SILENT)
        self._found = tuple(Silent(worker, at) for at, worker in (*silent, *((following,) if following else ())))
        self._found_at = now
        self._found_until = min(changes, default=now + SILENT)  # none of them changes by time alone
