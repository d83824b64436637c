"""GET /api/errors/list: filters, pages, and parameters that are refused."""

import datetime as dt

import pytest
from conftest import InProcess

pytestmark = pytest.mark.dashboard


@pytest.mark.parametrize(
    ("path", "field"),
    [("/api/errors?time_range=abc", "time_range"), ("/api/errors?time_range=0", "time_range"),
     ("/api/errors?time_range=1.5", "time_range"), ("/api/errors?time_range=-1", "time_range"),
     ("/api/errors?time_range=" + "9" * 30, "time_range"), ("/api/errors?time_range=\u0663", "time_range"),
     ("/api/errors?time_rnage=1", "time_rnage"), ("/api/errors/list?limit=1001", "limit"),
     ("/api/errors/list?limit=0", "limit"), ("/api/errors/list?cursor=x", "cursor"),
     ("/api/errors/list?cursor=999999999999999999999.1", "cursor"), ("/api/errors/list?cursor=1." + "9" * 49, "cursor"),
     ("/api/errors/list?cursor=1.-1", "cursor"), ("/api/errors/list?severity=bad", "severity"),
     ("/api/errors/list?q=" + "x" * 501, "q"), ("/api/patterns?limit=no", "limit"),
     ("/api/patterns?cursor=1.2", "cursor"), ("/api/errors/list?time_range=1&severity=info&time_range=1", "time_range"),
     ("/api/export?format=&format=csv", "format"), ("/api/errors?from=yesterday", "from"),
     ("/api/errors?from=2026-11-25T22:00:00", "from"), ("/api/errors?from=0001-01-01T00:00:00%2B23:59", "from"),
     ("/api/errors?from=2026-11-25T22:00:00Z&to=2026-11-25T21:00:00Z", "from"), ("/api/errors/list?from=2199-01-01T00:00Z", "from"),
     ("/api/errors?from=2001-01-01T00:00:00Z", "from"), ("/api/patterns?from=2026-11-25T22:00:00Z&time_range=1", "time_range"),
     ("/api/rankings?to=\u0662026-11-25T22:00:00Z", "to"), ("/api/runs?severity!=bad", "severity!"),
     ("/api/errors?fingerprint!=x", "fingerprint!"), ("/api/errors?to=", "to"), ("/api/patterns/x?from=x", "from")],
)  # fmt: skip
async def test_a_bad_parameter_is_named(service: InProcess, path: str, field: str) -> None:
    assert (await service.get(path, 400))["field"] == field


async def test_a_filter_may_be_repeated(service: InProcess) -> None:
    """More often than it has different values."""
    await service.post()
    query = "&".join(["severity=critical", "severity=warning", "severity=info"] * 5)
    for path in ("/api/errors/list", "/api/errors/facets"):
        await service.get(f"{path}?{query}")
    page = await service.get(f"/api/errors/list?{query}&q=memory")
    assert len(page["errors"]) == 1


async def test_filters(service: InProcess) -> None:
    await service.post({"worker_id": "w1", "message": "alpha 1", "hardware_context": {"hardware_type": "cuda"}})
    await service.post(
        {
            "worker_id": "w2",
            "message": "Beta 100%",
            "error_category": "TEST_X",
            "type": "AssertionError",
            "traceback": "test_a.py::test_beta[x]",
        }
    )
    await service.post({"worker_id": "w3", "message": "alpha 2", "error_category": "NETWORK_X"})

    async def found(query: str) -> list[str]:
        return [e["worker_id"] for e in (await service.get(f"/api/errors/list?{query}"))["errors"]]

    assert await found("") == ["w3", "w2", "w1"]
    assert await found("severity=critical") == ["w1"]
    assert await found("severity=critical&severity=info") == ["w2", "w1"]
    assert await found("category=TEST_X") == ["w2"]
    assert await found("worker=w1&worker=w3") == ["w3", "w1"]
    assert await found("type=AssertionError") == ["w2"]
    assert await found("hardware=cuda") == ["w1"]
    assert await found("q=ALPHA") == ["w3", "w1"]
    assert await found("q=100%25") == ["w2"]
    assert await found("q=%25") == ["w2"]
    assert await found("q=network_x") == ["w3"]
    assert await found("q=test_beta[x]") == ["w2"]  # in the traceback
    assert await found("q=alpha&severity=warning") == ["w3"]
    assert await found("worker=nobody") == []
    fingerprint = (await service.get("/api/errors/list?worker=w1"))["errors"][0]["fingerprint"]
    assert await found(f"fingerprint={fingerprint}&worker=w1") == ["w1"]


async def test_pages_follow_each_other_without_gap_or_repeat(service: InProcess) -> None:
    """Many of the errors have the same time; the cursor distinguishes them, too."""
    same = (dt.datetime.now(dt.UTC) - dt.timedelta(days=2)).isoformat()
    for number in range(25):
        await service.post({"timestamp": same if number % 3 else None, "worker_id": f"w{number}"})
    seen: list[int] = []
    cursor = ""
    for _ in range(20):
        page = await service.get(f"/api/errors/list?time_range=87600&limit=4&cursor={cursor}")
        seen += [e["id"] for e in page["errors"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == 25
    assert set(seen) == set(range(1, 26))
    assert seen == [e["id"] for e in (await service.get("/api/errors/list?time_range=87600"))["errors"]]


async def test_a_cursor_that_an_error_gives_starts_the_page_after_it(service: InProcess) -> None:
    ids = [(await service.post({"worker_id": f"w{number}"}))["id"] for number in range(4)]
    listed = (await service.get("/api/errors/list"))["errors"]
    assert [error["id"] for error in listed] == ids[::-1]
    for place, error in enumerate(listed):
        page = await service.get("/api/errors/list", cursor=error["cursor"])
        assert page["errors"] == listed[place + 1 :]
        assert (await service.get(f"/api/errors/{error['id']}"))["cursor"] == error["cursor"]
