"""The state of the workers that have gauges of their own, which is as many as the worker limit allows."""

from collections.abc import Iterable
from typing import Final

from exporter.events.report import FUTURE_TOLERANCE

HOUR: Final = 3600
AHEAD: Final = FUTURE_TOLERANCE.total_seconds()  # errors further ahead of now are of a clock that was wrong


def later(known: float, moment: float, now: float) -> float:
    """Returns the later of two times, or `moment` if `known` is ahead of `now`: it is of a clock that was wrong."""
    return moment if known < moment or known > now + AHEAD else known


def is_of_last_hour(moment: float, now: float) -> bool:
    return now - HOUR < moment <= now + AHEAD


class WorkerState:
    """When a worker last had an error, a critical error and a warning, and when an error of it was last received, in
    epoch seconds; 0 for never. `active` is when its last error was counted, in monotonic seconds."""

    __slots__ = ("active", "critical", "last", "seen", "warning")

    def __init__(self) -> None:
        self.last = self.critical = self.warning = self.seen = self.active = 0.0

    def note(self, severity: str, moment: float, now: float) -> None:
        self.last = later(self.last, moment, now)
        if severity == "critical":
            self.critical = later(self.critical, moment, now)
        elif severity == "warning":
            self.warning = later(self.warning, moment, now)

    def status(self, now: float) -> int:
        """Returns the status by the errors of the last hour: 2 critical, 1 warning, 0 stable."""
        return 2 if is_of_last_hour(self.critical, now) else 1 if is_of_last_hour(self.warning, now) else 0


class Workers:
    """The states by worker. `others` is the common state of all workers that have none of their own."""

    def __init__(self) -> None:
        self.by_name: dict[str, WorkerState] = {}
        self.others = WorkerState()

    def add(self, worker: str) -> WorkerState:
        """Returns the state of a worker, a new one if it has none."""
        state = self.by_name.get(worker)
        if state is None:
            state = self.by_name[worker] = WorkerState()
        return state

    def drop(self, worker: str) -> None:
        state = self.by_name.pop(worker)
        self.others.critical = max(self.others.critical, state.critical)

    def longest_idle(self, now: float, most: int) -> list[str]:
        """Returns up to `most` workers without an error in the last hour, the longest idle first. `now` is in monotonic
        seconds."""
        idle = [(state.active, worker) for worker, state in self.by_name.items() if now - state.active > HOUR]
        return [worker for _, worker in sorted(idle)[:most]]

    def last_critical(self, now: float) -> float:
        """Returns when the last critical error happened, 0 for never."""
        moments: Iterable[float] = (state.critical for state in (self.others, *self.by_name.values()))
        return max((moment for moment in moments if moment <= now + AHEAD), default=0.0)
