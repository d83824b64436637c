"""Answers what became of reports that were sent before."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from exporter.events.outcome import Outcome
from exporter.store.queries import FindOutcomes
from exporter.store.select import Cursor, naive, rows, tuples


def find_outcomes(cursor: Cursor, query: FindOutcomes) -> list[Outcome | None]:
    """Returns the outcomes of events; None for those that there are not."""
    ids: dict[int, int] = {place: event for place, event in enumerate(query.events) if isinstance(event, int)}
    repeats = [(place, *event) for place, event in enumerate(query.events) if not isinstance(event, int)]
    if repeats:
        ids |= _by_time(cursor, repeats)
        reported = [repeat for repeat in repeats if repeat[0] not in ids and repeat[4] is not None]
        if reported:
            ids |= _by_reported(cursor, reported)
    outcomes = _outcomes(cursor, set(ids.values()))
    return [outcomes.get(ids.get(place, 0)) for place in range(len(query.events))]


def _by_time(cursor: Cursor, repeats: Sequence[Any]) -> dict[int, int]:
    """Returns the ids of the events that reports repeat, by the place of the report."""
    places, workers, event_ids, said, _ = zip(*repeats, strict=True)
    times = [naive(time) for time in said]
    values = {"places": places, "workers": workers, "event_ids": event_ids, "times": times,
              "first": min(times), "last": max(times)}  # fmt: skip
    return dict(tuples(cursor, "repeats", values))


def _by_reported(cursor: Cursor, repeats: Sequence[Any]) -> dict[int, int]:
    """Likewise, for timestamps that are not believed."""
    places, workers, event_ids, _, reported = zip(*repeats, strict=True)
    values = {"places": places, "workers": workers, "event_ids": event_ids, "reported": reported}
    return dict(tuples(cursor, "repeats_reported", values))


def _outcomes(cursor: Cursor, ids: Iterable[int]) -> dict[int, Outcome]:
    ids = sorted(ids)
    if not ids:
        return {}
    matching = f"id >= {ids[0]} AND id <= {ids[-1]} AND id IN (SELECT unnest($ids))"
    outcomes = {}
    for row in rows(cursor, "outcomes", {"ids": ids}, {"matching": matching}):
        lists = {name: tuple(msgspec.json.decode(row[name])) for name in ("reasons", "warnings")}
        outcomes[row["id"]] = Outcome(**row | lists)
    return outcomes
