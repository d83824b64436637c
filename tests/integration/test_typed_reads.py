"""The JSON of every read's answer decodes to the type that the read declares."""

import datetime as dt

import msgspec
import pytest
from conftest import InProcess

from exporter.ingest.severity import Thresholds
from exporter.store.parameters import Filters, TimeRange
from exporter.store.queries import (
    GetError,
    GetFacets,
    GetOverview,
    GetPattern,
    GetRecentCritical,
    ListErrors,
    ListPatterns,
)

pytestmark = pytest.mark.dashboard
HOT = {
    "hardware_context": {"hardware_type": "cuda", "hardware_status": {"overheating": True}},
    "system_context": {"metrics": {"cpu": {"percent": 97.5}}},
}


async def test_answers_decode_to_their_types(service: InProcess) -> None:
    long = await service.post({"message": "x" * 10_000, "worker_id": "w2"} | HOT)
    critical = await service.post(HOT)
    now = dt.datetime.now(dt.UTC)
    read = service.service.read
    overview = (await read(GetOverview(filters=Filters(hours=24), now=now))).decode()
    assert (overview.summary.critical_errors, overview.seq) == (2, 2)
    assert overview.hardware_errors.hardware_status["cuda"].metrics.cpu_percent == 97.5
    assert overview.recent_errors[1].truncated == ["message"]
    assert overview.recent_errors[0].truncated is msgspec.UNSET
    page = (await read(ListErrors(filters=Filters(worker=("w2",)), now=now))).decode()
    assert [error.id for error in page.errors] == [long["id"]]
    facets = (await read(GetFacets(filters=Filters(), now=now))).decode()
    assert [(value.value, value.count) for value in facets.hardware] == [("cuda", 2)]
    details = (await read(GetError(id=critical["id"], thresholds=Thresholds()))).decode()
    assert details
    assert (details.reason_details[2].measurement, details.reason_details[2].value) == ("cpu_percent", 97.5)
    patterns = (await read(ListPatterns(filters=Filters(hours=24), now=now))).decode().patterns
    assert {pattern.fingerprint for pattern in patterns} == {long["fingerprint"], critical["fingerprint"]}
    pattern = (await read(GetPattern(id=critical["fingerprint"], range=TimeRange(hours=24), now=now))).decode()
    assert pattern
    assert [error.id for error in pattern.recent_errors] == [critical["id"]]


async def test_what_is_missing_is_null(service: InProcess) -> None:
    now = dt.datetime.now(dt.UTC)
    for query in (GetError(id=1, thresholds=Thresholds()), GetPattern(id="f", range=TimeRange(hours=1), now=now)):
        assert (await service.service.read(query)).is_null


async def test_critical_events_are_read_for_the_alerts_of_a_restart(service: InProcess) -> None:
    before = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    first, _, last = [await service.post(report) for report in ({}, {"error_category": "TEST_X"}, {"message": "other"})]
    large = await service.post({"message": "m", "system_context": {"log": "x" * 70_000}})
    events = (await service.service.read(GetRecentCritical(since=before))).decode()
    assert [event.id for event in events] == [first["id"], last["id"], large["id"]]
    assert [event.reasons for event in events] == [("category RESOURCE_EXHAUSTED",)] * 3
    assert [bool(event.body) for event in events] == [True, True, False]
    assert events[0].timestamp.tzinfo == dt.UTC
    assert events[1].message == "other"
