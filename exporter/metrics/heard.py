"""When machines that have no errors sent their last heartbeat, for the gauges of as many as there is room for."""

from collections.abc import Collection, Mapping

from exporter.metrics.hardware_reports import STALE_SECONDS


class Heard:
    """The machines by name, with the epoch seconds of their last heartbeats. Workers with errors have their own state
    (`workers.py`), and together they are at most `limit`. When the limit is reached, new machines get no gauges, so a
    larger fleet keeps those of the same machines."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: dict[str, float] = {}

    def note(self, machine: str, moment: float, with_errors: int) -> bool:
        """Notes a heartbeat. Returns whether the machine has gauges. `with_errors` is how many workers have errors."""
        if machine not in self._seen and with_errors + len(self._seen) >= self._limit:
            return False
        self._seen[machine] = moment
        return True

    def forget(self, machine: str) -> None:
        self._seen.pop(machine, None)

    def snapshot(self, with_errors: Collection[str], now: float) -> Mapping[str, float]:
        """Returns a copy, after it has forgotten the workers with errors, and machines not heard for an hour."""
        seen = {
            name: at for name, at in self._seen.items() if name not in with_errors and now - at < STALE_SECONDS
        }  # in the order in which they came
        self._seen = dict(list(seen.items())[: max(0, self._limit - len(with_errors))])
        return self._seen.copy()
