"""Spans of time and excluded values, as clients ask for them."""

import datetime as dt
from urllib.parse import quote

import pytest
from conftest import InProcess

pytestmark = pytest.mark.dashboard
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


def at(minutes: float) -> str:
    """Returns the time so many minutes ago."""
    return (NOW - dt.timedelta(minutes=minutes)).isoformat()


@pytest.fixture
async def filled(service: InProcess) -> InProcess:
    """Five errors, an hour apart, the newest an hour ago; w1 has the odd ones."""
    for hour in range(5, 0, -1):
        await service.post(
            {
                "worker_id": f"w{hour % 2}",
                "event_id": str(hour),
                "timestamp": at(60 * hour),
                "message": f"no {hour} left",
            }
        )
    return service


async def listed(service: InProcess, query: str) -> list[str]:
    """Returns the ids of the list. Overview, patterns, rankings and facets must count as many."""
    page = await service.get(f"/api/errors/list?{query}")
    data = await service.get(f"/api/errors?{query}")
    count = len(page["errors"])
    assert [one["id"] for one in data["recent_errors"]] == [one["id"] for one in page["errors"]]
    assert data["summary"]["total_errors"] == count
    points = data["error_distribution"]["time_series"]["points"]
    assert sum(point["critical"] + point["warning"] + point["info"] for point in points) == count
    assert sum(one["error_count"] for one in data["worker_errors"]["worker_stats"]) == count
    patterns = await service.get(f"/api/patterns?{query}")
    assert sum(one["occurrences"] for one in patterns["patterns"]) == count
    facets = await service.get(f"/api/errors/facets?{query}")
    assert sum(one["count"] for one in facets["type"]) == count
    return [one["event_id"] for one in page["errors"]]


async def test_a_span_has_its_start_and_not_its_end(filled: InProcess) -> None:
    assert await listed(filled, "") == ["1", "2", "3", "4", "5"]
    assert await listed(filled, f"from={quote(at(240))}&to={quote(at(120))}") == ["3", "4"]
    assert await listed(filled, f"from={quote(at(180))}") == ["1", "2", "3"]
    assert await listed(filled, f"time_range=2&to={quote(at(120))}") == ["3", "4"]
    assert await listed(filled, f"from={quote(at(180.5))}&to={quote(at(179.5))}") == ["3"]


async def test_an_offset_may_be_any_and_its_plus_a_blank(filled: InProcess) -> None:
    east = (NOW - dt.timedelta(hours=2)).astimezone(dt.timezone(dt.timedelta(hours=5, minutes=30))).isoformat()
    assert await listed(filled, f"from={quote(east)}") == ["1", "2"]
    assert await listed(filled, f"from={east.replace('+', ' ')}") == ["1", "2"]


async def test_the_answer_names_its_span(filled: InProcess) -> None:
    data = await filled.get(f"/api/errors?from={quote(at(240))}&to={quote(at(120))}")
    assert data["range"] == {
        "from": at(240).replace("+00:00", ".000Z"),
        "to": at(120).replace("+00:00", ".000Z"),
        "live": False,
    }
    assert data["summary"]["time_range_hours"] == 2
    live = await filled.get("/api/errors?time_range=1")
    assert live["range"]["live"]
    assert live["range"]["to"] == live["timestamp"]


@pytest.mark.parametrize(("minutes", "seconds"), [(1, 1), (5, 5), (20, 15), (90, 60), (60 * 24, 900)])
async def test_a_short_span_has_narrow_buckets(filled: InProcess, minutes: int, seconds: int) -> None:
    data = await filled.get(f"/api/errors?from={quote(at(minutes + 60))}&to={quote(at(60))}")
    series = data["error_distribution"]["time_series"]
    assert series["bucket_seconds"] == seconds
    assert len(series["points"]) <= 97


async def test_excluding(filled: InProcess) -> None:
    assert await listed(filled, "worker!=w1") == ["2", "4"]
    assert await listed(filled, "worker!=w1&worker!=w0") == []
    assert await listed(filled, "worker!=w1&worker=w1") == []
    assert await listed(filled, "job!=nightly") == ["1", "2", "3", "4", "5"]
    assert await listed(filled, f"worker!=w0&to={quote(at(90))}&q=left") == ["3", "5"]
    (pattern,) = {one["pattern_id"] for one in (await filled.get("/api/errors/list"))["errors"]}
    assert await listed(filled, f"pattern!={pattern}") == []


async def test_a_text_that_could_not_be_searched_everywhere(filled: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits are looked for in the reports; all numbers are of the part that was searched."""
    assert await listed(filled, "q=no 4 left") == ["4"]
    assert (await filled.get("/api/errors?q=no 4 left"))["searched_since"] is None
