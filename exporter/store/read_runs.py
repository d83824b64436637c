"""Answers the reads about runs."""

import datetime as dt
from typing import Any, Final

import msgspec

from exporter.events.cursor import cursor_after
from exporter.events.event import isoformat
from exporter.events.run_summary import OUTCOMES
from exporter.store.chosen import choose
from exporter.store.matching import one_of
from exporter.store.names import Table
from exporter.store.queries import GetRun, ListRuns
from exporter.store.read_rankings import outcomes, workers_of
from exporter.store.rollup_tables import RUN
from exporter.store.run_results import Run, RunDetails, RunList, RunTest, SenderSummary, Summed
from exporter.store.select import Cursor, Facts, Row, integers_of, naive, names_of, rows, texts, tuples

MAX_SUMMARIES: Final = 100  # of one run
EVER: Final = dt.datetime(1970, 1, 1)
_LABELS: Final[dict[str, tuple[str, Table]]] = {
    "job": ("job", "jobs"), "suite": ("suite", "suites"), "branch": ("branch", "branches"),
    "commit": ("revision", "commits"), "user": ("submitter", "users"),
}  # fmt: skip
_COLUMNS: Final = [column for column, _ in _LABELS.values()]
_COUNTS: Final = ("passed", "skipped", "failed", "errors")


def run_list(cursor: Cursor, query: ListRuns) -> RunList:
    """Returns a page of the runs, newest first. Raises duckdb.Error."""
    choice = choose(cursor, query.filters, query.now)
    newest, id_ = query.after or (None, None)
    values: Row = {"newest": newest, "run": id_, "limit": query.limit + 1}
    # With a filter, only runs with such errors: a summary does not say what its tests' errors are.
    places = {"matching": "run IS NOT NULL", "join": "LEFT" if choice.is_filtered else "FULL"}
    found = _rows(cursor, choice.facts, values | {"since": choice.span.since, "until": choice.span.until}, places)
    page = found[: query.limit]
    more = len(found) > len(page)
    return RunList(
        [Run(**fields) for fields in _fields(cursor, page)],
        cursor_after(page[-1]["newest"], page[-1]["run"]) if more else None,
        choice.said,
    )


def run(cursor: Cursor, query: GetRun) -> RunDetails | None:
    """Returns one run; None if no error and no summary has its id. Raises duckdb.Error."""
    known = integers_of(cursor, "runs", [query.id])
    if not known:
        return None
    (id_,) = known
    values: Row = {"newest": None, "run": None, "limit": 1}
    facts = Facts(cursor, EVER, naive(query.now))
    places = {"matching": f"run = {id_}", "join": "FULL"}
    found = _rows(cursor, facts, values | {"since": EVER, "until": None}, places)
    if not found:
        return None
    (fields,) = _fields(cursor, found)
    summaries = rows(cursor, "summaries_of_run", {"run": id_})[:MAX_SUMMARIES]
    tests = _tests(cursor, id_, query)
    page = tests[: query.limit]
    return RunDetails(
        **fields,
        summaries=[SenderSummary(outcomes=_outcomes(one), **texts(one)) for one in summaries],
        tests=page,
        next_after=query.after + len(page) if len(tests) > len(page) else None,
    )


def _rows(cursor: Cursor, facts: Facts, values: Row, places: dict[str, str]) -> list[Row]:
    """Returns rows of the statement `runs`, with the number of workers and the integers of the labels."""
    counted = facts.of(RUN)[RUN.name]
    found = rows(cursor, "runs", values, {"rows": counted, **places})
    ids = [row["run"] for row in found if row["error_count"]]
    if not ids:
        return [row | dict.fromkeys(_COLUMNS) | {"workers": 0} for row in found]
    workers = workers_of(cursor, counted, "run", ids)
    of_these = {"rows": counted, "matching": one_of(cursor, "run", ids)}
    labels = {id_: dict(zip(_COLUMNS, of, strict=True)) for id_, *of in tuples(cursor, "labels_of_runs", {}, of_these)}
    none = dict.fromkeys(_COLUMNS)
    return [row | labels.get(row["run"], none) | {"workers": workers.get(row["run"], 0)} for row in found]


def _fields(cursor: Cursor, found: list[Row]) -> list[dict[str, Any]]:
    """Returns the fields of `Run` for rows of the statement `runs`."""
    names = names_of(cursor, "runs", [row["run"] for row in found])
    labels = {
        name: names_of(cursor, table, [row[column] for row in found if row[column] is not None])
        for name, (column, table) in _LABELS.items()
    }
    fields = []
    for row in found:
        said = msgspec.json.decode(row["details"]) if row["details"] else {}
        of_errors = {name: labels[name].get(row[column]) for name, (column, _) in _LABELS.items()}
        fields.append({
            "id": names[row["run"]], "url": said.get("url"), "error_count": row["error_count"] or 0,
            "critical_errors": row["critical_errors"] or 0, "workers": row["workers"],
            "first_seen": _time(row["first_seen"]), "last_seen": _time(row["last_seen"]),
            "summary": _summed(row) if row["details"] else None,
            **{name: said.get(name) or value for name, value in of_errors.items()},
        })  # fmt: skip
    return fields


def _summed(row: Row) -> Summed:
    times = {name: _time(row[name]) for name in ("received_at", "started_at", "finished_at")}
    return Summed(senders=row["senders"], complete=row["complete"], outcomes=_outcomes(row.copy()), **times)  # type: ignore[arg-type]


def _outcomes(row: Row) -> Any:
    """Takes the counts out of a row, and returns them."""
    return outcomes(*[row.pop(name) for name in _COUNTS])


def _tests(cursor: Cursor, id_: int, query: GetRun) -> list[RunTest]:
    """Returns tests of a run, one more than the page has."""
    codes = [OUTCOMES.index(one) for one in query.outcome] or list(range(len(OUTCOMES)))
    values: Row = {"run": id_, "outcomes": codes, "limit": query.limit + 1, "after": query.after}
    found = rows(cursor, "tests_of_run", values)
    ids = [row.pop("id") for row in found]
    errors = dict(tuples(cursor, "errors_of_tests", {"run": id_, "ids": ids})) if ids else {}
    return [
        RunTest(error_count=errors.get(test, 0), **row | {"outcome": OUTCOMES[row["outcome"]]})
        for test, row in zip(ids, found, strict=True)
    ]


def _time(moment: dt.datetime | None) -> str | None:
    return None if moment is None else isoformat(moment)
