"""Answers the reads. Runs in the threads that read, in the process of the database."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from exporter.store import queries
from exporter.store.database import Database
from exporter.store.delete import count, deletions
from exporter.store.queries import Read
from exporter.store.read_errors import (
    critical_after,
    error,
    error_page,
    recent_critical,
)
from exporter.store.read_export import export
from exporter.store.read_facets import facets
from exporter.store.read_history import history
from exporter.store.read_outcomes import find_outcomes
from exporter.store.read_overview import counts, kinds, overview, overview_of
from exporter.store.read_pattern import decisions, pattern
from exporter.store.read_patterns import pattern_list
from exporter.store.read_rankings import rankings
from exporter.store.read_runs import run, run_list
from exporter.store.read_states import audit, state_of_pattern
from exporter.store.read_storage import storage
from exporter.store.read_usual import usual
from exporter.store.read_watched import watched
from exporter.store.read_worker import worker
from exporter.store.read_worker_list import worker_list
from exporter.store.select import Cursor

R = TypeVar("R")

# Each entry is checked for its own types; the table has a looser one, since Python cannot express "of the same R".
ANSWERS: Final[dict[type[Read[Any]], Callable[[Cursor, Any], Any]]] = dict(
    (
        queries.GetOverview.answered_by(overview),
        queries.ListErrors.answered_by(error_page),
        queries.GetFacets.answered_by(facets),
        queries.GetError.answered_by(error),
        queries.ListPatterns.answered_by(pattern_list),
        queries.GetPattern.answered_by(pattern),
        queries.GetRecentCritical.answered_by(recent_critical),
        queries.GetCriticalAfter.answered_by(critical_after),
        queries.FindOutcomes.answered_by(find_outcomes),
        queries.ListDecisions.answered_by(decisions),
        queries.GetPatternState.answered_by(state_of_pattern),
        queries.ListAudit.answered_by(audit),
        queries.CountErrors.answered_by(count),
        queries.ListDeletions.answered_by(deletions),
        queries.GetStorage.answered_by(storage),
        queries.GetHistory.answered_by(history),
        queries.GetRankings.answered_by(rankings),
        queries.ListRuns.answered_by(run_list),
        queries.GetRun.answered_by(run),
        queries.ExportErrors.answered_by(export),
        queries.GetWatched.answered_by(watched),
        queries.GetUsual.answered_by(usual),
        queries.ListWorkers.answered_by(worker_list),
        queries.GetWorker.answered_by(worker),
    )
)


def answer(cursor: Cursor, query: Read[R]) -> R:
    """Returns the answer to a read. The cursor is in a transaction, so that the numbers of one answer agree. Raises
    duckdb.Error."""
    answered: R = ANSWERS[type(query)](cursor, query)
    return answered


def answer_from(database: Database, query: Read[Any]) -> Any:
    """Returns the answer to a read from one snapshot of the database. The two halves of an overview are read at the
    same time: most of their time goes into planning many short statements. Raises `StoreError`."""
    if isinstance(query, queries.GetOverview) and query.filters.q is None:
        return overview_of(
            query, *database.read_together(lambda cursor: counts(cursor, query), lambda cursor: kinds(cursor, query))
        )
    return database.read(lambda cursor: answer(cursor, query))
