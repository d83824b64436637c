"""Finds the outcomes of reports that repeat an earlier one, or may do so: those of a request all at once.

The log knows the newest events by their position. The database is asked for the others, and for reports whose ids are
too old to be in memory. During an import, that is every report.
"""

import datetime as dt
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from exporter.events.event import decode_events
from exporter.events.outcome import Outcome, outcome_of
from exporter.ingest.pipeline import Parsed
from exporter.log import Log, LogError

Repeat = tuple[str, str, dt.datetime, str | None]  # worker_id, event_id, what the timestamp says, `reported_at`
# Asks the database for the outcomes of events, by position or as a `Repeat`: None where there is none. It has to have
# all events up to a position. Raises `UnavailableError`.
Lookup = Callable[[Sequence[int | Repeat], int], Awaitable[Sequence[Outcome | None]]]
_log = logging.getLogger(__name__)


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
