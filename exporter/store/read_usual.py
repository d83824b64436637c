"""Reads how many errors are usual at this time of day."""

import datetime as dt
from collections import defaultdict
from statistics import median

from exporter.store.queries import GetUsual
from exporter.store.rollup_tables import TIME, floor
from exporter.store.select import Cursor, Facts, naive, tuples
from exporter.store.watched import UsualRates

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def usual(cursor: Cursor, query: GetUsual) -> UsualRates:
    """Returns the medians of the same hour of up to `days` earlier days: those since the first error. Raises
    duckdb.Error."""
    hour = floor(naive(query.now), HOUR)
    facts = Facts(cursor, hour - query.days * DAY, naive(query.now))
    counted: dict[dt.datetime, list[int]] = defaultdict(lambda: [0, 0, 0])
    for start, _, _, _, critical, warning, info in tuples(
        cursor, "over_time", {"bucket": 3_600}, facts.by_time(TIME, 3_600)
    ):
        for place, errors in enumerate((critical, warning, critical + warning + info)):
            counted[start][place] += errors
    ((first,),) = cursor.execute(_FIRST).fetchall()
    hours = [
        hour - day * DAY for day in range(1, query.days + 1) if first is not None and first < hour - day * DAY + HOUR
    ]
    if not hours:
        return UsualRates(0, 0, 0, 0)
    return UsualRates(len(hours), *(median(counted[one][place] for one in hours) for place in range(3)))


_FIRST = """
SELECT min(t) FROM (
    SELECT min(t) AS t FROM time_minute
    UNION ALL SELECT min(timestamp) FROM errors WHERE id > (SELECT rolled FROM rolled_up)
)"""
