"""Answers the reads of an export, one part after another.

Nothing stays open between two parts, so an export of hours holds back neither a checkpoint nor a deletion. A part ends
when its reports have `MAX_BYTES`, and takes some hundredths of a second, in which it has one of the two threads that
read.
"""

from typing import Any, Final

import msgspec

from exporter.exported.error import Columns, exported
from exporter.exported.part import encoded_part
from exporter.ingest.origin import SEPARATOR
from exporter.store import search
from exporter.store.matching import all_of, any_of, of_all_times, since
from exporter.store.names import Table
from exporter.store.queries import ExportErrors
from exporter.store.reports import PER_BLOCK, fetch_first
from exporter.store.select import Cursor, names_of, tuples
from exporter.store.texts import text_of

MAX_BYTES: Final = 2**21  # of reports in a part, which may have twice as many at most, or a single report
MAX_ERRORS: Final = 4_000  # in a part
MAX_IDS: Final = 1_000_000  # that are searched for a part
FIRST: Final = 22  # the place of the first column in `exported` with the integer of a name in `ORIGINS`
ORIGINS: Final[tuple[Table, ...]] = (
    "runs", "jobs", "suites", "branches", "commits", "users", "tests", "device_sets",
)  # fmt: skip
_encode = msgspec.json.Encoder().encode


def export(cursor: Cursor, query: ExportErrors) -> bytes:
    """Returns the next part of an export."""
    wanted = search.words(cursor, query.filters.q)
    end = min(query.until, query.after + MAX_IDS)
    times = [] if query.hours is None else [since(query.hours, query.now)]
    condition = all_of((any_of((wanted.certain, wanted.unread)), *of_all_times(cursor, query.filters).values(), *times))
    places = {"certain": wanted.certain, "matching": condition}
    found = tuples(cursor, "exported_ids", {"after": query.after, "end": end, "limit": MAX_ERRORS}, places)
    position = end if len(found) < MAX_ERRORS else found[-1][0]
    reports: dict[int, str] = {}
    read = size = 0
    while read < len(found):
        some = dict(found[read : read + _portion(read, size)])
        for id_, report in fetch_first(cursor, list(some), MAX_BYTES).items():
            read += 1
            size += len(report)
            if some[id_] or wanted.text in text_of(report).lower():  # it has the text for certain, or if its report has
                reports[id_] = report
        if size >= MAX_BYTES and read < len(found):
            position = found[read - 1][0]
            break
    errors = [exported(one, reports[one.id]) for one in _columns(cursor, list(reports))]
    return encoded_part(position, errors, is_last=position >= query.until, format_=query.format)


def _portion(read: int, size: int) -> int:
    """Returns how many reports to read next: as many as probably fit, after so many with so many characters."""
    if not read:
        return PER_BLOCK
    return max(PER_BLOCK, (MAX_BYTES - size) * read // max(size, 1))


def _columns(cursor: Cursor, ids: list[int]) -> list[Columns]:
    """Returns the columns of errors in the order of their ids. Names are looked up afterwards: in one statement with
    six joins, DuckDB takes three times as long."""
    if not ids:
        return []
    first, last = ids[0], ids[-1]
    listed = "id IN (SELECT unnest($ids))" if len(ids) <= last - first else "len($ids) > 0"
    found = tuples(cursor, "exported", {"first": first, "last": last, "ids": ids}, {"listed": listed})
    workers = names_of(cursor, "workers", [row[3] for row in found])
    types = names_of(cursor, "types", [row[5] for row in found])
    categories = names_of(cursor, "categories", [row[6] for row in found])
    hardware = names_of(cursor, "hardware_types", [row[9] for row in found if row[9] is not None])
    wanted = {"ids": list({row[10] for row in found})}
    columns = []
    origins = _origins(cursor, found)
    patterns = {id_: names for id_, *names in tuples(cursor, "exported_patterns", wanted)}
    for row in found:  # see `exported` for the order
        names = workers[row[3]], row[4], types[row[5]], categories[row[6]], *row[7:9], hardware.get(row[9])
        come_from = [None if id_ is None else of[id_] for id_, of in zip(row[FIRST:], origins, strict=True)]
        columns.append(Columns._make((*row[:3], *names, *patterns[row[10]], *row[11:FIRST], *come_from)))
    return columns


def _origins(cursor: Cursor, found: list[tuple[Any, ...]]) -> list[dict[int, str]]:
    """Returns the names of run, test and devices for each of their columns."""
    origins = []
    for place, table in enumerate(ORIGINS, FIRST):
        names = names_of(cursor, table, [row[place] for row in found if row[place] is not None])
        if table == "device_sets":
            names = {id_: _encode(name.split(SEPARATOR)).decode() for id_, name in names.items()}
        origins.append(names)
    return origins
