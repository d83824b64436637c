"""Finds errors, newest first, by conditions and by a text.

The text is looked for in worker, type, category, message and traceback; case does not matter. For most errors, the
names and the table `texts` decide whether they have it. The report of an error has to be read if its text is not in the
table, or if the words have digits and the text in the table has them as 0. Reports are read for `SECONDS` at most; the
answer says how far the search came.
"""

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from exporter.events.cursor import Position
from exporter.store.matching import ALL, NOTHING, all_of, any_of, named_like, one_of
from exporter.store.parameters import FacetName
from exporter.store.reports import PER_BLOCK, each
from exporter.store.rollup_tables import literal
from exporter.store.select import Cursor, rows
from exporter.store.texts import NO_TEXT, shape, text_of

SECONDS: Final = 0.15
FIRST: Final = 1_024  # errors that the first statement returns
NEXT: Final = 4_096  # errors that each later one returns; above 5,000, DuckDB sorts all errors that match
NAMES: Final[tuple[FacetName, ...]] = ("type", "category", "worker")  # the names that are searched
MAX_BLOCKS: Final = 128  # blocks of reports that are read before the time is checked again; takes about 10 ms


class Words(NamedTuple):
    """A text to look for, in lower case. An error that meets the condition `certain` has it. For an error that meets
    only `unread`, its report decides. No other error has it."""

    text: str
    certain: str
    unread: str


ANYTHING: Final = Words("", "true", NOTHING)


class Found(NamedTuple):
    """The rowids of matching errors, newest first. `end` is the last error that was searched, if the time was over
    before all were."""

    rowids: list[int]
    end: Position | None


class _Candidate(NamedTuple):
    rowid: int
    id: int
    timestamp: dt.datetime
    is_certain: bool


def words(cursor: Cursor, text: str | None) -> Words:
    """Returns the conditions of a text; those of None hold for each error. Raises duckdb.Error."""
    if text is None:
        return ANYTHING
    text = text.lower()
    certain = []
    for name in NAMES:
        like = named_like(cursor, name, text)
        if like is ALL:
            return ANYTHING
        certain.append(one_of(cursor, name, like))
    with_shape = [row["id"] for row in rows(cursor, "found_texts", {"shape": shape(text)})]
    if any("0" <= one <= "9" for one in text):
        return Words(text, any_of(certain), one_of(cursor, "text", [NO_TEXT, *with_shape]))
    return Words(text, any_of((*certain, one_of(cursor, "text", with_shape))), one_of(cursor, "text", [NO_TEXT]))


def find(
    cursor: Cursor,
    wanted: Words,
    matching: str,
    *,
    limit: int | None = None,
    after: Position | None = None,
    deadline: float | None = None,
) -> Found:
    """Returns the newest errors that match, from the one that follows `after`, at most `limit`. Stops after `deadline`
    (a time of `time.monotonic`), but always searches one part of `_portions`. Raises duckdb.Error."""
    found: list[int] = []
    asked = limit if wanted is ANYTHING and limit is not None else FIRST
    while True:
        older = [_older_than(after)] if after else []
        condition = all_of((any_of((wanted.certain, wanted.unread)), matching, *older))
        places = {"certain": wanted.certain, "matching": condition}
        candidates = [_Candidate(**row) for row in rows(cursor, "newest", {"limit": asked}, places)]
        for some in _portions(candidates):
            unread = [one.id for one in some if not one.is_certain]
            having = _having(cursor, wanted.text, unread)
            found += [one.rowid for one in some if one.is_certain or one.id in having]
            after = Position(some[-1].timestamp, some[-1].id)
            if limit is not None and len(found) >= limit:
                return Found(found[:limit], None)
            is_last = len(candidates) < asked and some[-1] is candidates[-1]
            if unread and not is_last and deadline is not None and time.monotonic() >= deadline:
                return Found(found, after)
        if len(candidates) < asked:
            return Found(found, None)
        asked = NEXT


def _older_than(position: Position) -> str:
    """Returns the condition that an error follows `position` in the order of the list."""
    moment = literal(position.timestamp)
    return f"timestamp <= {moment} AND (timestamp < {moment} OR id < {position.id})"


def _portions(candidates: Sequence[_Candidate]) -> Iterator[Sequence[_Candidate]]:
    """Divides candidates into parts. The reports of the uncertain ones of a part are in at most `MAX_BLOCKS` blocks."""
    start = 0
    blocks: set[int] = set()
    for place, one in enumerate(candidates):
        if not one.is_certain:
            blocks.add(one.id // PER_BLOCK)
        if len(blocks) > MAX_BLOCKS:
            yield candidates[start:place]
            start, blocks = place, {one.id // PER_BLOCK}
    if candidates:
        yield candidates[start:]


def _having(cursor: Cursor, text: str, ids: list[int]) -> set[int]:
    """Reads errors and returns the ids of those whose message or traceback has a text."""
    return {id_ for id_, report in each(cursor, ids) if text in text_of(report).lower()}
