"""Label values with a limit: a sender must not be able to fill Prometheus."""

from typing import Final

OTHER: Final = "other"


class LabelLimit:
    """Keeps the first `limit` values of a label; any later one is `other`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: set[str] = set()

    def fold(self, value: str) -> str:
        if value not in self._kept:
            if len(self._kept) >= self._limit:
                return OTHER
            self._kept.add(value)
        return value
