"""Finds the outcomes of reports that repeat an earlier one, or may do so: those of a request all at once.

The log knows the newest events by their position. The database is asked for the others, and for reports whose ids are
too old to be in memory. During an import, that is every report.
"""

import asyncio
import datetime as dt
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from typing import Final

from exporter.events.event import decode_events
from exporter.events.outcome import Outcome, outcome_of
from exporter.ingest.pipeline import Parsed
from exporter.log import Log, LogError

Repeat = tuple[str, str, dt.datetime, str | None]  # worker_id, event_id, what the timestamp says, `reported_at`
# Asks the database for the outcomes of events, by position or as a `Repeat`: None where there is none. It has to have
# all events up to a position. Raises `UnavailableError`.
Lookup = Callable[[Sequence[int | Repeat], int], Awaitable[Sequence[Outcome | None]]]
MOST_AT_ONCE: Final = 20_000  # reports in one question to the database, unless one request has more
_log = logging.getLogger(__name__)


class Repeats:
    """Finds the outcomes for many requests at once: those that come while the database is being asked wait, and are
    asked together. `evicted` returns the position of the newest event whose id is not in memory."""

    def __init__(self, log: Log, lookup: Lookup, evicted: Callable[[], int]) -> None:
        self._log = log
        self._lookup = lookup
        self._evicted = evicted
        self._waiting: deque[tuple[Sequence[int | Parsed], asyncio.Future[list[Outcome | None]]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def outcomes(self, items: Sequence[int | Parsed]) -> list[Outcome | None]:
        """As `find_outcomes`."""
        future: asyncio.Future[list[Outcome | None]] = asyncio.get_running_loop().create_future()
        self._waiting.append((items, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            asked = [self._waiting.popleft()]
            size = len(asked[0][0])
            while self._waiting and (size := size + len(self._waiting[0][0])) <= MOST_AT_ONCE:
                asked.append(self._waiting.popleft())
            together = [item for items, _ in asked for item in items]
            try:
                found = iter(await find_outcomes(self._log, self._lookup, together, self._evicted()))
            except Exception as error:
                for _, future in asked:
                    if not future.done():
                        future.set_exception(error)
                continue
            for items, future in asked:
                outcomes = list(islice(found, len(items)))
                if not future.done():  # the request may have been cancelled
                    future.set_result(outcomes)


async def find_outcomes(log: Log, lookup: Lookup, items: Sequence[int | Parsed], evicted: int) -> list[Outcome | None]:
    """Returns the outcome of each event, given by its position, or of the event that a report repeats; None if there is
    none. The database has to have all events up to `evicted`, and those that the log cannot give. Raises
    `UnavailableError`."""
    logged = _logged(log, sorted({item for item in items if isinstance(item, int)}))
    found = [logged.get(item) if isinstance(item, int) else None for item in items]
    missing = [place for place, outcome in enumerate(found) if outcome is None]
    if missing:
        asked = [_asked(items[place]) for place in missing]
        at = max([evicted, *[item for item in asked if isinstance(item, int)]])
        for place, outcome in zip(missing, await lookup(asked, at), strict=True):
            found[place] = outcome
    return found


def _asked(item: int | Parsed) -> int | Repeat:
    if isinstance(item, int):
        return item
    assert item.key is not None
    return (*item.key, item.time.said, item.time.reported_at)


def _logged(log: Log, ids: Iterable[int]) -> dict[int, Outcome]:
    """Returns the outcomes of those events that the log still holds. `ids` are sorted. Each batch is decoded once."""
    found: dict[int, Outcome] = {}
    wanted = [id_ for id_ in ids if log.first <= id_ <= log.last]
    while wanted:
        try:
            (record, *_) = log.read(wanted[0], 1)
        except LogError as error:
            _log.warning("the outcome of error %d is read from the database: %s", wanted[0], error)
            wanted = wanted[1:]
            continue
        here = [id_ for id_ in wanted if id_ <= record.last]
        found |= {event.id: outcome_of(event) for event in decode_events(record.payload, record.first, here)}
        wanted = wanted[len(here) :]
    return found
