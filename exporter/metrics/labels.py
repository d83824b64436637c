"""Limits the number of values per label, so that senders cannot create unlimited series in Prometheus."""

from typing import Final

OTHER: Final = "other"


class LabelLimit:
    """Keeps the first `limit` values of a label; `fold` returns `other` for any further value."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: set[str] = set()

    def fold(self, value: str) -> str:
        if value not in self._kept:
            if len(self._kept) >= self._limit:
                return OTHER
            self._kept.add(value)
        return value
