"""Which reports are stored already, by the `event_id` that their sender gave them."""

import datetime as dt
from collections.abc import Mapping
from typing import Final

from exporter.events.report import FUTURE_TOLERANCE

REMEMBERED: Final = 100_000


class Seen:
    """The newest event ids: what each is stored as, and when it was received. What had to be forgotten can be looked
    up in the store, which is only worth it for a report from that time. `since` is None while nothing was forgotten."""

    def __init__(self, known: Mapping[str, tuple[int, dt.datetime]], since: dt.datetime | None) -> None:
        self._ids = dict(known)
        self._since = since

    def get(self, event_id: str) -> int | None:
        known = self._ids.get(event_id)
        return known[0] if known else None

    def add(self, event_id: str, id_: int, received_at: dt.datetime) -> None:
        self._ids[event_id] = (id_, received_at)
        if len(self._ids) > REMEMBERED:
            _, self._since = self._ids.pop(next(iter(self._ids)))

    def may_have_forgotten(self, moment: dt.datetime) -> bool:
        """Whether a report of an unknown id that happened at `moment` can be one that was forgotten."""
        return self._since is not None and moment <= self._since + FUTURE_TOLERANCE
