"""The declared reads: how they cross to the database's process, and what their answers decode to."""

import datetime as dt
from typing import get_args

import msgspec
import pytest

from exporter.events.cursor import Place, Position, Rank
from exporter.events.event import ErrorEvent
from exporter.events.heartbeat import Machine
from exporter.ingest.severity import Thresholds
from exporter.store.answers import Answer, Version
from exporter.store.decisions import DecisionList
from exporter.store.deletions import DeleteRequest, Matching
from exporter.store.parameters import MAX_LIMIT, ErrorFilters, Filters, TimeRange
from exporter.store.pattern_results import PatternDetails, PatternList
from exporter.store.queries import (
    POLLED,
    AnyRead,
    CountErrors,
    Encoded,
    ExportErrors,
    FindOutcomes,
    GetCriticalAfter,
    GetError,
    GetFacets,
    GetHistory,
    GetOverview,
    GetPattern,
    GetPatternState,
    GetRankings,
    GetRecentCritical,
    GetRun,
    GetStorage,
    GetUsual,
    GetWatched,
    GetWorker,
    ListAudit,
    ListDecisions,
    ListDeletions,
    ListErrors,
    ListPatterns,
    ListRuns,
    ListWorkers,
    Read,
    decode,
    encode,
    result_type,
)
from exporter.store.read import ANSWERS
from exporter.store.results import ErrorDetails, ErrorPage, Facets, FacetValue, Overview
from exporter.store.run_results import Rankings, RunDetails, RunList
from exporter.store.states import AuditPage, StateOfPattern
from exporter.store.worker_results import WorkerDetails, WorkerList

pytestmark = pytest.mark.dashboard
NOW = dt.datetime(2026, 11, 20, 12, 0, 30, 123456, tzinfo=dt.UTC)
FILTERS = Filters(hours=6, severity=("critical", "info"), group=("hardware",), worker=("w",), q="x", fingerprint="f")
READS: list[Read] = [
    GetOverview(filters=Filters(hours=1), now=NOW),
    ListErrors(filters=FILTERS, now=NOW, after=Position(dt.datetime(2026, 1, 1, 0, 0, 0, 5), 3), limit=10),
    ListErrors(filters=Filters(), now=NOW),
    GetFacets(filters=FILTERS, now=NOW, facet="worker", contains="x"),
    GetFacets(filters=FILTERS, now=NOW, facet="pattern", contains="%_ \\", limit=4),
    GetError(id=2**63 - 1, thresholds=Thresholds(critical_cpu_percent=50)),
    ListPatterns(filters=Filters(hours=24), now=NOW, limit=3),
    ListPatterns(filters=Filters(hours=24), now=NOW, after=Rank(7, dt.datetime(2026, 1, 1, 0, 0, 0, 5), "f" * 16)),
    GetPattern(id="f" * 16, range=TimeRange(hours=168), now=NOW, compare="e" * 16),
    ListDecisions(),
    GetPatternState(id="x", now=NOW),
    ListAudit(before=7, pattern="f", worker="w", limit=2),
    CountErrors(
        matching=Matching(DeleteRequest(ids=(1, 2), q="x"), NOW, 9), after=Position(dt.datetime(2026, 1, 1), 3)
    ),
    ListDeletions(),
    GetStorage(
        retention_seconds=60.0,
        max_bytes=None,
        database_bytes=1,
        wal_bytes=2,
        log_bytes=3,
        disk_bytes=5,
        disk_free_bytes=4,
        min_free_bytes=5,
    ),
    ListWorkers(filters=FILTERS, now=NOW, sort="now", ascending=True, after=Place(None, "w/1"), limit=500),
    GetWorker(
        id="w", range=TimeRange(hours=1), now=NOW, machine=Machine("w", "heard", NOW, 0.5, 60.0, None), heartbeat="{}"
    ),
    GetHistory(days=7, now=NOW, by="worker", value="w"),
    GetRankings(filters=Filters(hours=24), now=NOW, by="device", also=("run",), limit=3),
    ListRuns(filters=Filters(hours=24), now=NOW, after=Position(dt.datetime(2026, 1, 1), 3)),
    GetRun(id="nightly/7", now=NOW, outcome=("failed", "error"), after=100),
    GetRecentCritical(since=NOW),
    GetCriticalAfter(position=7),
    FindOutcomes(events=[7, ("w", "e", NOW, None), ("w", "f", NOW, "0001")]),
    GetWatched(
        now=NOW,
        reset_at=NOW,
        memory=9,
        gap=8,
        late=7,
        late_note=6,
        spells=5,
        recent=4,
        workers=3,
        patterns=2,
        hardware=1,
    ),
    GetUsual(now=NOW, days=7),
    ExportErrors(filters=ErrorFilters(worker=("w",)), hours=None, now=NOW, after=7, until=9, format="csv"),
]


@pytest.mark.parametrize("query", READS, ids=lambda query: type(query).__name__)
def test_a_read_comes_back_as_it_was_sent(query: Read) -> None:
    again = decode(encode(query))
    assert again == query
    assert type(again) is type(query)


def test_every_read_is_answered_and_tested_here() -> None:
    assert set(ANSWERS) == set(get_args(AnyRead)) == {type(query) for query in READS}


def test_an_answer_is_shared_only_where_it_is_polled() -> None:
    """Never what a repeat is compared with, or what alerts are made of."""
    assert {type(query) for query in READS if not isinstance(query, POLLED)} == {
        GetError, ListDecisions, GetPatternState, ListAudit, GetRecentCritical, GetCriticalAfter, FindOutcomes, ExportErrors,
        CountErrors, ListDeletions, GetStorage, GetRun, GetWatched, GetUsual, GetWorker,
    }  # fmt: skip
    assert all(hasattr(query, "now") for query in READS if isinstance(query, POLLED))


@pytest.mark.parametrize(
    "query",
    [
        GetOverview(filters=Filters(hours=0), now=NOW),
        ListErrors(filters=Filters(hours=10**6), now=NOW),
        ListErrors(filters=Filters(severity=("bad",)), now=NOW),
        ListPatterns(filters=Filters(hours=1), now=NOW, limit=MAX_LIMIT + 1),
        GetError(id=0, thresholds=Thresholds()),
    ],
    ids=repr,
)
def test_a_parameter_out_of_bounds_is_refused(query: Read) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(encode(query))


@pytest.mark.parametrize(
    ("query", "expected"),
    [(GetOverview, Overview), (ListErrors, ErrorPage), (GetFacets, Facets), (GetError, ErrorDetails | None),
     (ListPatterns, PatternList), (GetPattern, PatternDetails | None), (ListDecisions, DecisionList), (GetPatternState, StateOfPattern | None),
     (ListAudit, AuditPage), (GetRankings, Rankings), (ListRuns, RunList), (ListWorkers, WorkerList), (GetWorker, WorkerDetails | None),
     (GetRun, RunDetails | None), (GetRecentCritical, list[ErrorEvent])],
)  # fmt: skip
def test_a_read_names_the_type_of_its_answer(query: type[Read], expected: object) -> None:
    assert result_type(query) == expected


def test_an_answer_is_decoded_to_its_type() -> None:
    facets = Facets([FacetValue("critical", 3)], *([] for _ in range(8)), None)
    query = GetFacets(filters=Filters(), now=NOW)
    answer = Encoded(query, Answer(msgspec.json.encode(facets), Version(0, 0), 0.0))
    assert answer.decode() == facets
    assert not answer.is_null
    missing = Encoded(GetError(id=1, thresholds=Thresholds()), Answer(b"null", Version(0, 0), 0.0))
    assert missing.is_null
    assert missing.decode() is None
    with pytest.raises(msgspec.ValidationError, match="Object missing required field"):
        Encoded(query, Answer(b"{}", Version(0, 0), 0.0)).decode()
