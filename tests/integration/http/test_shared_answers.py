"""Answers that several requests share are never older than a request, and are sent as the client wants them."""

import asyncio
import datetime as dt
import gzip
import json
import threading
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from conftest import REPORT, InProcess, eventually

from exporter.ingest.past import Reassigned
from exporter.store import server
from exporter.store.answers import Answer
from exporter.store.queries import GetUsual, GetWatched
from exporter.store.wire import Pong

pytestmark = pytest.mark.dashboard
POLLED = ("/api/errors?time_range=168", "/api/errors/list", "/api/errors/facets", "/api/patterns", "/api/patterns/{id}")
OTHERS = ("/api/errors/1", "/api/patterns/decisions", "/api/openapi.json", "/-/healthy")


class Computed:
    """The reads for pages that the database computes. While `held` is cleared, they wait after they have read. The
    verdict's own reads, which come at any time, do not count."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.held = threading.Event()
        self.held.set()
        answer = server.read.answer_from

        def counted(*read: Any) -> Any:
            result = answer(*read)
            if isinstance(read[-1], GetWatched | GetUsual):
                return result
            self.count += 1
            assert self.held.wait(10)
            return result

        monkeypatch.setattr(server.read, "answer_from", counted)


@pytest.fixture
def computed(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> Computed:
    return Computed(monkeypatch)


@pytest.fixture
def long_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are shared for longer than a slow machine needs for a test."""
    monkeypatch.setattr("exporter.store.answers.MAX_AGE_SECONDS", 60.0)
    monkeypatch.setattr(Answer, "age", lambda _: 0.0)


@pytest.fixture
async def filled(service: InProcess, long_shared: None) -> AsyncIterator[InProcess]:
    """A service with enough errors for answers that are compressed."""
    started = service.service.store._generation
    for number in range(5):
        await service.post({"message": f"{number} " + "text " * 400})
    await eventually(lambda: service.service.store._generation > started)  # a pong has told of the new pattern
    yield service


async def counts(service: InProcess, pattern_id: str) -> list[int]:
    """Returns the number of errors in each polled answer."""
    overview, page, facets, patterns, pattern = [await service.get(path.format(id=pattern_id)) for path in POLLED]
    return [
        overview["summary"]["total_errors"], len(page["errors"]), facets["severity"][0]["count"],
        patterns["patterns"][0]["occurrences"], pattern["occurrences"],
    ]  # fmt: skip


async def test_equal_requests_share_an_answer_until_a_report_is_accepted(
    service: InProcess, computed: Computed, long_shared: None
) -> None:
    started = service.service.store._generation
    pattern_id = (await service.post())["pattern_id"]
    await service.get("/api/errors")
    await eventually(lambda: service.service.store._generation > started)  # a pong has told of the new pattern
    for reports in range(2, 6):
        await service.post()
        before = computed.count
        for _ in range(3):
            assert await counts(service, pattern_id) == [reports] * len(POLLED)
        assert computed.count == before + len(POLLED)


async def test_an_answer_is_not_shared_for_long(
    service: InProcess, computed: Computed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.store.answers.MAX_AGE_SECONDS", -1.0)
    first, second = [await service.get("/api/errors") for _ in range(2)]
    assert first["timestamp"] < second["timestamp"]
    assert computed.count == 2


async def test_each_reader_sees_what_was_acknowledged_before_its_request(serve: Callable[..., Any]) -> None:
    service: InProcess = await serve(process=True, rate_limit=0)
    acknowledged, stopped = 0, False

    async def send() -> None:
        nonlocal acknowledged
        while not stopped:
            await service.post()
            acknowledged += 1

    async def read(path: str, count: Callable[[Any], int]) -> None:
        for _ in range(10):
            least = acknowledged
            assert count(await service.get(path)) >= least

    reads = [read("/api/errors?time_range=168", lambda data: data["summary"]["total_errors"]) for _ in range(8)]
    reads += [read("/api/errors/facets", lambda data: data["severity"][0]["count"]) for _ in range(4)]
    await service.post()
    senders = [asyncio.create_task(send()) for _ in range(4)]
    try:
        await asyncio.wait_for(asyncio.gather(*reads), 60)
    finally:
        stopped = True
        await asyncio.gather(*senders)
    assert acknowledged > 10
    assert (await service.get("/api/errors"))["summary"]["total_errors"] == acknowledged + 1


async def test_a_reset_is_seen_at_once_also_beside_a_read_from_before_it(
    service: InProcess, computed: Computed, long_shared: None
) -> None:
    await service.post()
    computed.held.clear()
    before = asyncio.create_task(service.get("/api/errors"))
    await eventually(lambda: computed.count)
    async with service.client.post("/api/reset-counts") as response:
        reset_at = (await response.json())["data"]["reset_at"]
    after = asyncio.create_task(service.get("/api/errors"))
    await asyncio.sleep(0.1)  # so that it can join the other one, which would be wrong
    computed.held.set()
    assert (await before)["summary"]["reset_at"] is None
    assert (await after)["summary"]["reset_at"] == reset_at
    assert (await service.get("/api/errors"))["summary"]["reset_at"] == reset_at


async def test_a_merge_and_its_undo_are_seen_at_once(service: InProcess, long_shared: None) -> None:
    a, b = [(await service.post({"message": text}))["pattern_id"] for text in ("the engine stops", "no more coal")]

    async def seen() -> list[int]:
        listed = (await service.get("/api/patterns"))["patterns"]
        top = (await service.get("/api/errors"))["error_patterns"]["top_patterns"]
        errors = (await service.get("/api/errors/list"))["errors"]
        decisions = (await service.get(f"/api/patterns/{b}"))["decisions"]
        undone = sum(one["undone_at"] is not None for one in decisions)
        return [len(listed), len(top), len({one["pattern_id"] for one in errors}), len(decisions), undone]

    assert await seen() == [2, 2, 2, 0, 0]
    await service.client.post(f"/api/patterns/{a}/merge", json={"into": b})
    assert await seen() == [1, 1, 1, 1, 0]
    await service.client.post("/api/patterns/decisions/1/undo")
    assert (await seen())[:3] == [2, 2, 2]


async def test_changed_pattern_ids_and_a_new_process_outdate_answers(
    service: InProcess, computed: Computed, long_shared: None
) -> None:
    store = service.service.store
    await service.get("/api/patterns")
    store._on_pong(Pong(store.position, ""))
    await service.get("/api/patterns")
    assert computed.count == 1
    store._on_pong(Pong(store.position, "", Reassigned([("f", "g")], {})))
    await service.get("/api/patterns")
    assert computed.count == 2
    assert store._connection
    store._connection.close()
    store._lost()
    await eventually(lambda: store.restarts and not store.failure)
    await service.get("/api/patterns")
    assert computed.count == 3


CODINGS = {
    "": (None, bytes), "identity": (None, bytes), "gzip;q=0": (None, bytes), "br": (None, bytes),
    "gzip, deflate, br, zstd": ("gzip", gzip.decompress), "gzip;q=0, deflate": ("deflate", zlib.decompress),
}  # fmt: skip


async def test_every_coding_holds_the_same_answer_with_the_same_tag(filled: InProcess) -> None:
    pattern_id = (await filled.get("/api/patterns"))["patterns"][0]["pattern_id"]
    for path in POLLED:
        await assert_same_in_every_coding(filled, path.format(id=pattern_id))


async def assert_same_in_every_coding(filled: InProcess, path: str) -> None:
    expected = (await filled.get(path)).keys()
    bodies, tags = set(), set()
    for accept, (coding, unpack) in CODINGS.items():
        headers = {"Accept-Encoding": accept}
        async with filled.client.get(path, headers=headers, auto_decompress=False) as response:
            body = await response.read()
            assert response.status == 200
            small = len(body) < 4_096 and coding and response.headers.get("Content-Encoding") is None
            assert small or response.headers.get("Content-Encoding") == coding, (path, accept)
            assert int(response.headers["Content-Length"]) == len(body)
            assert response.headers["Content-Type"] == "application/json"
            assert response.headers["Vary"] == "Accept-Encoding"
            assert response.headers["Cache-Control"] == "private, no-cache"
            assert "Age" not in response.headers
            data = json.loads(body if small else unpack(body))["data"]
            assert data.keys() == expected
            bodies.add(json.dumps({name: value for name, value in data.items() if name != "verdict"}))
            tags.add(response.headers["ETag"])
    (_,), (tag,) = bodies, tags
    assert tag.startswith('W/"')


@pytest.mark.parametrize("accept", ["gzip", ""])
async def test_a_client_that_has_the_answer_gets_no_body(filled: InProcess, accept: str) -> None:
    for path in POLLED[:4]:
        await assert_no_body_twice(filled, path, accept)


async def assert_no_body_twice(filled: InProcess, path: str, accept: str) -> None:
    headers = {"Accept-Encoding": accept}
    async with filled.client.get(path, headers=headers) as response:
        tag = response.headers["ETag"]
    for value in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        async with filled.client.get(path, headers=headers | {"If-None-Match": value}) as response:
            assert (response.status, await response.read()) == (304, b""), (path, value)
            kept = {name: response.headers.get(name) for name in ("ETag", "Vary", "Cache-Control")}
            assert kept == {"ETag": tag, "Vary": "Accept-Encoding", "Cache-Control": "private, no-cache"}
            assert "Content-Encoding" not in response.headers
    await filled.post()
    for value in (tag, '"other"', ""):
        async with filled.client.get(path, headers=headers | {"If-None-Match": value}) as response:
            assert response.status == 200, (path, value)
            assert response.headers["ETag"] != tag


@pytest.mark.parametrize("accept", ["gzip", "deflate", ""])
async def test_an_overview_has_the_verdict_of_its_moment(
    filled: InProcess, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    """Also where the other fields are shared. It is sent again when it says something else."""
    now, judge = dt.datetime.now(dt.UTC), filled.service.judge

    async def asked(seconds: float, tag: str = "") -> tuple[Any, str]:
        monkeypatch.setattr(judge, "_clock", lambda: now + dt.timedelta(seconds=seconds))
        headers = {"Accept-Encoding": accept, "If-None-Match": tag}
        async with filled.client.get("/api/errors", headers=headers) as response:
            assert response.headers.get("Content-Encoding", "") == (accept if response.status == 200 else "")
            return (await response.json())["data"] if response.status == 200 else None, response.headers["ETag"]

    first, tag = await asked(0)
    assert first["verdict"] == await filled.get("/api/verdict")
    assert first["verdict"]["colour"] == "critical"
    assert await asked(0, tag) == await asked(0.5, tag) == (None, tag)
    later, other = await asked(3_600, tag)
    assert later["verdict"] == await filled.get("/api/verdict") != first["verdict"]
    assert tag != other
    assert later | {"verdict": 0} == first | {"verdict": 0}
    assert await asked(3_600, other) == (None, other)


async def test_a_list_keeps_its_tag_while_it_is_the_same(filled: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it was read again. The overview has its time, and so gets another tag."""
    monkeypatch.setattr("exporter.store.answers.MAX_AGE_SECONDS", -1.0)
    for path, same in (("/api/errors/list", True), ("/api/errors/facets", True), ("/api/errors", False)):
        async with filled.client.get(path) as first, filled.client.get(path) as second:
            assert (first.headers["ETag"] == second.headers["ETag"]) is same, path


async def test_the_age_is_in_whole_seconds(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    for age, header in ((0.9, None), (1.0, "1"), (2.7, "2")):
        monkeypatch.setattr(Answer, "age", lambda _, age=age: age)
        async with service.client.get("/api/errors") as response:
            assert response.headers.get("Age") == header, age


async def test_other_answers_have_no_tag(service: InProcess) -> None:
    await service.post({"message": "text " * 2_000})
    for path in OTHERS:
        await assert_no_tag(service, path)


async def assert_no_tag(service: InProcess, path: str) -> None:
    async with service.client.get(path, headers={"If-None-Match": "*", "Accept-Encoding": "gzip"}) as response:
        assert response.status == 200
        assert not {"ETag", "Age"} & set(response.headers)
        assert response.headers["Cache-Control"] == "private, no-cache"
        assert response.headers.get("Content-Encoding") == ("gzip" if path == "/api/errors/1" else None)


async def test_a_pattern_without_errors_is_not_found_each_time(service: InProcess) -> None:
    for _ in range(2):
        async with service.client.get("/api/patterns/none", headers={"If-None-Match": "*"}) as response:
            assert response.status == 404
            assert "ETag" not in response.headers


async def test_head_says_what_get_would(filled: InProcess) -> None:
    async with filled.client.get("/api/errors/list") as got, filled.client.head("/api/errors/list") as asked:
        for name in ("ETag", "Content-Length", "Vary", "Content-Encoding"):
            assert asked.headers[name] == got.headers[name]
        assert await asked.read() == b""


async def test_both_reasons_of_other_answers_are_named(serve: Callable[..., Any]) -> None:
    service: InProcess = await serve(allowed_origins=("http://other.example",))
    async with service.client.get("/api/errors", headers={"Origin": "http://other.example"}) as response:
        assert response.headers["Vary"] == "Accept-Encoding, Origin"
        assert response.headers["Access-Control-Allow-Origin"] == "http://other.example"
    async with service.client.post(
        "/api/report-error", json=REPORT, headers={"Origin": "http://other.example"}
    ) as response:
        assert response.headers["Vary"] == "Origin"


async def test_a_request_may_take_an_answer_of_some_age(service: InProcess, computed: Computed) -> None:
    """As the page does in a flood, so that many pages cost as much as one."""

    async def total(**headers: str) -> tuple[int, str | None]:
        async with service.client.get("/api/errors", headers=headers) as response:
            return (await response.json())["data"]["summary"]["total_errors"], response.headers.get("Age")

    await service.post()
    assert await total() == (1, None)
    generation = service.service.store._generation
    await service.post()
    before = computed.count
    old = await total(**{"Cache-Control": "no-transform, max-age=3600"})
    if service.service.store._generation == generation:  # else a pong told of a new pattern meanwhile
        assert (old[0], computed.count) == (1, before)
    for strict in ("", "no-cache", "max-age=0", "max-age=60, no-cache", "max-age=x", "x-max-age=60"):
        await service.post()
        fresh, _ = await total(**{"Cache-Control": strict})
        await service.post()
        again, _ = await total(**({"Cache-Control": strict} if strict else {}))
        assert again == fresh + 1
    await service.client.post("/api/reset-counts")
    before = computed.count
    await total(**{"Cache-Control": "max-age=3600"})
    assert computed.count == before + 1
