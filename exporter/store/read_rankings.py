"""Answers the read of the rankings: the tests, runs, devices and so on with most errors."""

from collections.abc import Collection, Sequence
from typing import Final

from exporter.store.chosen import Choice, choose
from exporter.store.matching import one_of
from exporter.store.names import Table
from exporter.store.parameters import Ranked
from exporter.store.queries import GetRankings
from exporter.store.rollup_tables import DEVICE, RUN, TEST, Rollup
from exporter.store.run_results import Outcomes, RankedValue, Ranking, Rankings
from exporter.store.select import Cursor, Row, Span, names_of, rows, texts, tuples

# The rollup, its column, and the table with the names of its integers.
_SOURCES: Final[dict[Ranked, tuple[Rollup, str, Table]]] = {
    "test": (TEST, "test", "tests"), "run": (RUN, "run", "runs"), "device": (DEVICE, "devices", "device_sets"),
    "job": (RUN, "job", "jobs"), "suite": (RUN, "suite", "suites"), "branch": (RUN, "branch", "branches"),
    "commit": (RUN, "revision", "commits"), "user": (RUN, "submitter", "users"),
}  # fmt: skip


def rankings(cursor: Cursor, query: GetRankings) -> Rankings:
    """Returns the values with most errors. Raises duckdb.Error."""
    choice = choose(cursor, query.filters, query.now)
    return Rankings(
        by=query.by, values=_ranked(cursor, choice, query.by, query.limit), searched_since=choice.said,
        also=[Ranking(by=by, values=_ranked(cursor, choice, by, query.limit)) for by in query.also],
    )  # fmt: skip


def _ranked(cursor: Cursor, choice: Choice, by: Ranked, limit: int) -> list[RankedValue]:
    rollup, column, table = _SOURCES[by]
    counted = choice.facts.of(rollup)[rollup.name]
    if by == "device":
        found = rows(cursor, "ranked_devices", {"limit": limit}, {"rows": counted})
        return [RankedValue(**texts(row), outcomes=None) for row in found]
    critical = "critical" if rollup is TEST else "CASE severity WHEN 2 THEN errors ELSE 0 END"
    places = {"key": column, "rows": counted, "critical": critical}
    found = rows(cursor, "ranking", {"limit": limit}, places)
    ids = [row.pop("id") for row in found]
    names = names_of(cursor, table, ids)
    workers = workers_of(cursor, counted, column, ids)
    said = _outcomes(cursor, by, ids, choice.span)
    return [
        RankedValue(name=names[id_], workers=workers[id_], outcomes=said.get(id_), **texts(row))
        for id_, row in zip(ids, found, strict=True)
    ]


def workers_of(cursor: Cursor, counted: str, column: str, ids: Sequence[int]) -> dict[int, int]:
    """Returns how many workers had the errors of each value of a column. `counted` is the query for the rows of a
    rollup with this column. Raises duckdb.Error."""
    if not ids:
        return {}
    places = {"key": column, "rows": counted, "matching": one_of(cursor, column, ids)}
    return dict(tuples(cursor, "ranked_workers", {}, places))


def _outcomes(cursor: Cursor, by: Ranked, ids: Collection[int], span: Span) -> dict[int, Outcomes]:
    """Returns what the summaries say of runs or tests, by their integers."""
    if by not in ("run", "test") or not ids:
        return {}
    values: Row = {"ids": list(ids)}
    if by == "run":
        found = tuples(cursor, "tests_of_runs", values)
    else:
        found = tuples(cursor, "outcomes_of_tests", values | {"since": span.since, "until": span.until})
    return {id_: outcomes(*counts) for id_, *counts in found}


def outcomes(passed: int, skipped: int, failed: int, errors: int) -> Outcomes:
    """Returns counts with the rate of failures."""
    ran = passed + failed + errors
    rate = (failed + errors) / ran if ran else None
    return Outcomes(passed=passed, failed=failed, skipped=skipped, errors=errors, failure_rate=rate)
