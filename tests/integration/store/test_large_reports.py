"""Reports that were stored before there were limits: lists stay small, in bytes and in memory."""

import datetime as dt
import json
import random
import tracemalloc
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from events import event
from projected import Projected

from exporter.ingest.severity import Thresholds
from exporter.store.parameters import Filters
from exporter.store.queries import GetError, GetOverview, GetRecentCritical, ListErrors

pytestmark = pytest.mark.dashboard
REPORTS = 30
SIZE = 1_000_000


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    rng = random.Random(1)
    blobs = [{f"k{number}": number for number in range(60_000)}, "x" * SIZE, rng.randbytes(SIZE // 2).hex()]
    with closing(Projected(tmp_path / "errors.duckdb")) as store:
        for number in range(1, REPORTS + 1):
            sent = {"worker_id": "w", "message": "m", "traceback": "t" * 50_000, "blob": blobs[number % 3]}
            store.append([event(number, body=json.dumps(sent | {"system_context": {"blob": blobs[number % 3]}}))])
        store.catch_up()
        yield store


def test_lists_of_large_reports_are_small(store: Projected) -> None:
    now = dt.datetime.now(dt.UTC)
    for query in (
        GetOverview(filters=Filters(hours=24), now=now),
        ListErrors(filters=Filters(), now=now),
        ListErrors(filters=Filters(q="t" * 400 + "1"), now=now),
        GetRecentCritical(since=now - dt.timedelta(hours=1)),
    ):
        store.read(query)  # what DuckDB keeps
        tracemalloc.start()
        try:
            answer = msgspec.json.encode(store.read(query))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert len(answer) < 100_000 * REPORTS
        assert peak < 15 * SIZE, f"{type(query).__name__}: {peak}"  # of a few reports, not of all


def test_a_single_error_has_everything(store: Projected) -> None:
    details = store.read(GetError(id=1, thresholds=Thresholds()))
    assert details.report["blob"] == "x" * SIZE
    assert details.system_context == {"blob": "x" * SIZE}
    assert details.traceback == "t" * 50_000
    page = store.read(ListErrors(filters=Filters(), now=dt.datetime.now(dt.UTC)))
    assert {tuple(one.truncated) for one in page.errors} == {("system_context", "traceback")}
