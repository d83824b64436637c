"""A worker that floods is refused, nobody else notices, and what was refused is counted in the log, exactly."""

import asyncio
import io
import itertools
import json
import threading
import urllib.error
from collections import Counter
from typing import Any

import pytest
from conftest import REPORT, InProcess, Served, eventually
from test_metrics import DT, labels

from exporter.ingest import flood_reports, rate_limits
from exporter.ingest.flood_reports import CATEGORY, TYPE
from exporter.log import LogError

pytestmark = pytest.mark.dashboard
SLOW = 0.001  # reports a second: no bucket gets a token during a test


async def send(service: InProcess, **fields: Any) -> tuple[int, str | None, Any]:
    async with service.client.post("/api/report-error", json=REPORT | fields) as response:
        return response.status, response.headers.get("Retry-After"), await response.json()


async def floods(service: InProcess) -> list[dict[str, Any]]:
    """Returns what the stored events about floods say."""
    listed = await service.get("/api/errors/list", type=TYPE)
    details = [await service.get(f"/api/errors/{error['id']}") for error in listed["errors"]]
    return [one["report"] | {"severity": one["severity"]} for one in details]


async def test_a_report_above_the_limit_is_429_and_says_when(serve: Any) -> None:
    service: InProcess = await serve(rate_limit=0.25, rate_burst=2)
    assert [(await send(service))[0] for _ in range(2)] == [200, 200]
    status, retry_after, answer = await send(service)
    assert (status, answer["status"], answer["field"]) == (429, "error", "")
    assert retry_after in ("3", "4")
    assert f"send it again after {retry_after} s" in answer["message"]
    metrics = await service.metrics()
    assert metrics[f'{DT}reports_rejected_total{{reason="rate_limited"}}'] == 1
    assert metrics[f"{DT}rate_limited_reports_total" + labels(worker="worker-1")] == 1
    assert (await service.get("/api/errors"))["summary"]["total_errors"] == 2


async def test_a_repeat_of_an_accepted_report_costs_nothing(serve: Any) -> None:
    service: InProcess = await serve(rate_limit=SLOW, rate_burst=1)
    first = await send(service, event_id="e")
    assert first[0] == 200
    assert [await send(service, event_id="e") for _ in range(5)] == [first] * 5
    assert (await send(service, event_id="f"))[0] == 429


async def test_a_refused_report_may_be_sent_again(serve: Any) -> None:
    service: InProcess = await serve(rate_limit=5.0, rate_burst=1)
    assert (await send(service, event_id="a"))[0] == 200
    assert (await send(service, event_id="b"))[0] == 429

    async def accepted() -> bool:
        return (await send(service, event_id="b"))[0] == 200

    await eventually(accepted)
    assert await service.service.floods.report(everything=True)
    (flood,) = await floods(service)
    assert (flood["rate_limited"]["refused"], flood["rate_limited"]["accepted_later"]) == (1, 1)


async def test_other_workers_do_not_notice(serve: Any) -> None:
    service: InProcess = await serve(rate_limit=SLOW, rate_burst=20)
    reports = [REPORT | {"worker_id": "flood"}] * 200
    floods_ = [service.client.post("/api/report-errors", json=reports) for _ in range(5)]
    quiet = [send(service, worker_id=f"quiet-{number}") for number in range(50)]
    answers = await asyncio.gather(*floods_, *quiet)
    assert [status for status, *_ in answers[5:]] == [200] * 50
    assert (await service.get("/api/errors", time_range=1))["summary"]["total_errors"] == 20 + 50


async def test_in_a_batch_each_report_has_its_outcome(serve: Any) -> None:
    service: InProcess = await serve(rate_limit=SLOW, rate_burst=3)
    async with service.client.post("/api/report-errors", json=[REPORT] * 5) as response:
        answer = await response.json()
        assert (response.status, response.headers["Retry-After"]) == (207, "1000")
    assert [one.get("code", 200) for one in answer["data"]["results"]] == [200, 200, 200, 429, 429]
    for batch, expected in (([REPORT], 429), ([REPORT, {"worker_id": "w"}], 429), ([REPORT, {}], 429)):
        async with service.client.post("/api/report-errors", json=batch) as response:
            assert response.status == expected
            assert response.headers["Retry-After"]


async def test_an_import_is_not_limited(serve: Any) -> None:
    service: InProcess = await serve(rate_limit=SLOW, rate_burst=1)
    async with service.client.post("/api/report-errors?import=true", json=[REPORT] * 50) as response:
        assert (await response.json())["data"]["stored"] == 50


async def test_no_limit(serve: Any) -> None:
    service: InProcess = await serve(rate_limit=0, rate_burst=1)
    async with service.client.post("/api/report-errors", json=[REPORT] * 500) as response:
        assert response.status == 200


async def test_what_was_refused_is_counted_by_worker_and_pattern_also_across_a_restart(serve: Any) -> None:
    refused: Counter[tuple[str, str]] = Counter()
    for run in range(2):
        service: InProcess = await serve(rate_limit=SLOW, rate_burst=10)
        for worker in ("a", "b"):
            messages = ["disk full", "link down"] * 30 + ["one of a kind"]
            reports = [REPORT | {"worker_id": worker, "message": one} for one in messages]
            async with service.client.post("/api/report-errors", json=reports) as response:
                results = (await response.json())["data"]["results"]
            refused.update((worker, one) for one, result in zip(messages, results, strict=True) if "code" in result)
        metrics = await service.metrics()
        live = {worker: metrics[f"{DT}rate_limited_reports_total" + labels(worker=worker)] for worker in ("a", "b")}
        assert live == {"a": 51, "b": 51}
        if run == 0:
            assert await floods(service) == []  # not yet
            await service.client.close()  # a clean stop stores the counts
        else:
            assert await service.service.floods.report(everything=True)
    stored = await floods(service)
    assert len(stored) == 4
    assert {one["severity"] for one in stored} == {"warning"}
    assert {one["error_category"] for one in stored} == {CATEGORY}
    found: Counter[tuple[str, str]] = Counter()
    for one in stored:
        limited = one["rate_limited"]
        assert limited["refused"] == sum(pattern["refused"] for pattern in limited["patterns"]) == 51
        for pattern in limited["patterns"]:
            found[one["worker_id"], pattern["pattern"]] += pattern["refused"]
            assert pattern["samples"][0]["message"] == pattern["pattern"]
    assert found == refused
    assert len({error["pattern_id"] for error in (await service.get("/api/errors/list", type=TYPE))["errors"]}) == 1


async def test_counts_that_cannot_be_stored_are_kept(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    service: InProcess = await serve(rate_limit=SLOW, rate_burst=1)
    assert [(await send(service))[0] for _ in range(4)] == [200, 429, 429, 429]

    with monkeypatch.context() as patch:
        patch.setattr(service.service.log, "append", fails)
        assert not await service.service.floods.report(everything=True)
    assert await floods(service) == []
    assert (await send(service))[0] == 429
    assert await service.service.floods.report(everything=True)
    (flood,) = await floods(service)
    assert flood["rate_limited"]["refused"] == 4


def fails(*_: Any) -> int:
    raise LogError("the disk is full")


async def test_a_report_that_could_not_be_stored_takes_no_token(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    service: InProcess = await serve(rate_limit=SLOW, rate_burst=2)
    with monkeypatch.context() as patched:
        patched.setattr(service.service.log, "append", fails)
        assert [(await send(service, event_id=f"e{number}"))[0] for number in range(4)] == [503] * 4
    assert [(await send(service, event_id=f"e{number}"))[0] for number in range(2)] == [200, 200]


async def test_a_stop_while_a_flood_is_being_reported_counts_it_once(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flood_reports, "is_due", lambda flood, now: True)
    monkeypatch.setattr(flood_reports, "TICK_SECONDS", 0.01)
    service: InProcess = await serve(rate_limit=SLOW, rate_burst=1)
    begun, released = threading.Event(), threading.Event()
    append = service.service.log.append

    def slow(payload: bytes, count: int) -> int:
        if b"RateLimited" in payload:
            begun.set()
            assert released.wait(10)
        return append(payload, count)

    monkeypatch.setattr(service.service.log, "append", slow)
    for _ in range(6):
        await send(service)
    await asyncio.to_thread(begun.wait, 10)
    stopping = asyncio.create_task(service.client.close())
    await asyncio.sleep(0.05)
    released.set()
    await stopping
    again: InProcess = await serve()
    assert sum(one["rate_limited"]["refused"] for one in await floods(again)) == 5


async def test_an_event_about_a_flood_is_never_cut(serve: Any) -> None:
    service: InProcess = await serve(rate_limit=SLOW, rate_burst=1, max_report_bytes=16_384)
    words = ["".join(letters) for letters in itertools.islice(itertools.product("bdfg", "aeio", "klmn"), 61)]
    reports = [REPORT | {"message": f"{word} " * 100 + "ä" * 300, "traceback": "t" * 5_000} for word in words]
    async with service.client.post("/api/report-errors", json=reports) as response:
        assert (await response.json())["data"]["failed"] == 60
    assert await service.service.floods.report(everything=True)
    (flood,) = await floods(service)
    limited = flood["rate_limited"]
    assert (limited["refused"], limited["other"]) == (60, 10)
    assert sum(one["refused"] for one in limited["patterns"]) == 50
    assert [bool(one["samples"]) for one in limited["patterns"]] == [True] * 10 + [False] * 40


async def test_floods_are_reported_by_themselves_and_are_not_limited(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flood_reports, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(flood_reports, "QUIET_SECONDS", 0.05)
    service: InProcess = await serve(rate_limit=SLOW, rate_burst=1)
    for _ in range(3):
        await send(service)

    async def reported() -> bool:
        return sum(one["rate_limited"]["refused"] for one in await floods(service)) == 2

    await eventually(reported)


async def test_a_token_is_limited_over_all_its_workers(serve: Any) -> None:
    service: InProcess = await serve(rate_limit=0, token_rate_limit=1.0)
    pipeline = service.service.ingest.pipeline
    burst = int(rate_limits.TOKEN_BURST_SECONDS)
    waits = [pipeline._rates.take(f"w{number}", "ci") for number in range(burst + 1)]
    assert [wait is None for wait in waits] == [True] * burst + [False]
    assert (await send(service))[0] == 200  # nobody's token


def test_a_sigkill_loses_no_accepted_report_and_a_stop_no_count(served: Any) -> None:
    flags = ("--rate-limit", "0.001", "--rate-burst", "5")
    one: Served = served(*flags)
    for number in range(5):
        one.post({"message": f"m{number}"})
    one.kill()
    one = served(*flags)
    assert one.get("/api/errors")["summary"]["total_errors"] == 5
    refused = 0
    for number in range(9):
        try:
            one.post({"message": f"n{number}"})
        except urllib.error.HTTPError as error:
            with error:
                assert error.code == 429
            refused += 1
    assert refused == 4
    assert one.stop() == 0
    one = served(*flags)
    (listed,) = one.get(f"/api/errors/list?type={TYPE}")["errors"]
    assert one.get(f"/api/errors/{listed['id']}")["report"]["rate_limited"]["refused"] == 4


@pytest.mark.parametrize(("setting", "expected"), [({"max_batch_reports": 10}, 10), ({"queue_capacity": 7}, 7)])
async def test_a_batch_with_too_many_reports(setting: dict[str, int], expected: int, serve: Any) -> None:
    service: InProcess = await serve(**setting)
    async with service.client.post("/api/report-errors", json=[REPORT] * expected) as response:
        assert response.status == 200
    async with service.client.post("/api/report-errors", json=[REPORT] * (expected + 1)) as response:
        answer = await response.json()
        assert (response.status, answer["message"]) == (
            413,
            f"more than {expected} reports at once",
        )


async def test_too_many_patterns_over_http(serve: Any) -> None:
    service: InProcess = await serve(max_new_patterns_per_hour=3)
    kinds = ["KeyError", "OSError", "ValueError", "TypeError", "IndexError", "RuntimeError"]
    answers = [await service.post({"type": kind}) for kind in kinds]
    assert len({answer["pattern_id"] for answer in answers}) == 4
    patterns = (await service.get("/api/patterns"))["patterns"]
    assert sum(one["occurrences"] for one in patterns) == len(kinds) + 1
    (notice,) = (await service.get("/api/errors/list", type="TooManyPatterns"))["errors"]
    report = (await service.get(f"/api/errors/{notice['id']}"))["report"]
    assert report["too_many_patterns"] == {"limit": 3, "type": "TypeError", "pattern_id": answers[3]["pattern_id"]}
    details = await service.get(f"/api/patterns/{answers[3]['pattern_id']}")
    assert details["explanation"] is None


async def test_a_large_report_is_cut_and_says_so(serve: Any) -> None:
    service: InProcess = await serve()
    sent = json.dumps(REPORT | {"blob": "x" * 3_000_000, "traceback": "t" * 1_000_000 + "end"})
    async with service.client.post(
        "/api/report-error", data=io.BytesIO(sent.encode()), headers={"Content-Type": "application/json"}
    ) as response:
        answer = (await response.json())["data"]
    assert [warning.partition(":")[0] for warning in answer["warnings"]] == ["traceback", "blob"]
    details = await service.get(f"/api/errors/{answer['id']}")
    assert details["traceback"].endswith("end")
    assert "[cut: " in details["report"]["blob"]
    assert len(json.dumps(details)) < 2_000_000
