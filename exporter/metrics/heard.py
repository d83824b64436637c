"""When machines that have no errors sent their last heartbeat, for the gauges of as many as there is room for."""

from collections.abc import Collection, Mapping
from typing import Final

HEARD_SECONDS: Final = 3600.0  # after the last heartbeat; then the machine has no gauges any more


class Heard:
    """The machines by name, with the epoch seconds of their last heartbeats. Workers with errors have their own state
    (`workers.py`), and together they are at most `limit`. Those that came last are left out: a fleet that is larger
    than the limit keeps the gauges of the same machines, instead of others at each scrape."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: dict[str, float] = {}

    def note(self, machine: str, moment: float, others: int) -> bool:
        """Notes a heartbeat. Returns whether the machine has gauges. `others` is the number of workers with errors."""
        if machine not in self._seen and others + len(self._seen) >= self._limit:
            return False
        self._seen[machine] = moment
        return True

    def snapshot(self, others: Collection[str], now: float) -> Mapping[str, float]:
        """Returns a copy, after it has forgotten the workers `others`, and machines not heard for an hour."""
        seen = {
            name: at for name, at in self._seen.items() if name not in others and now - at < HEARD_SECONDS
        }  # in the order in which they came
        self._seen = dict(list(seen.items())[: max(0, self._limit - len(others))])
        return self._seen.copy()
