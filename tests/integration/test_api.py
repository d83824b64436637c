"""The API: what is answered to whom."""

import asyncio
import gzip
import io
import json
import sys
import zlib
from typing import Any

import brotli
import jsonschema
import pytest
from aiohttp import hdrs
from conftest import REPORT, InProcess

from exporter.app import API, PAGE

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.dashboard


async def send(service: InProcess, body: bytes, path: str = "/api/report-error", **headers: str) -> tuple[int, Any]:
    given = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    async with service.client.post(path, data=io.BytesIO(body), headers=given) as response:
        return response.status, await response.json()


async def test_a_report_is_answered_as_the_guide_says(service: InProcess) -> None:
    status, answer = await send(service, json.dumps(REPORT).encode())
    assert status == 200
    assert (answer["status"], answer["message"]) == ("success", "Error reported successfully")
    data = answer["data"]
    assert set(data) == {"id", "event_id", "severity", "reasons", "fingerprint"}
    assert (data["id"], data["severity"], data["reasons"]) == (1, "critical", ["category RESOURCE_EXHAUSTED"])


async def test_what_was_sent_can_be_read(service: InProcess) -> None:
    sent = REPORT | {"traceback": "T", "system_context": {"hostname": "h", "rack": 7}, "labels": {"team": "x"},
                     "hardware_context": None, "error_frequency": {"recurring": True}}  # fmt: skip
    id_ = (await service.post(sent))["id"]
    error = await service.get(f"/api/errors/{id_}")
    for name in ("worker_id", "type", "error_category", "message", "traceback", "system_context", "error_frequency"):
        assert error[name] == sent[name]
    assert error["report"] == sent
    listed = (await service.get("/api/errors/list"))["errors"][0]
    assert listed == {name: value for name, value in error.items() if name != "report"}


async def test_long_texts_are_cut_in_lists_and_whole_in_details(service: InProcess) -> None:
    id_ = (await service.post({"message": "m" * 100_000, "traceback": "t" * 100_000 + "end"}))["id"]
    listed = (await service.get("/api/errors/list"))["errors"][0]
    assert listed["truncated"] == ["traceback", "message"]
    assert len(listed["message"]) == 8_192
    assert listed["traceback"].endswith("end")
    assert len(listed["traceback"]) == 32_769
    whole = await service.get(f"/api/errors/{id_}")
    assert (len(whole["message"]), len(whole["traceback"])) == (100_000, 100_003)


async def test_an_error_is_refused_with_its_field(service: InProcess) -> None:
    status, answer = await send(service, b'{"worker_id": 3}')
    assert (status, answer["status"], answer["field"]) == (400, "error", "worker_id")
    assert answer["message"] == "worker_id: expected a string, got a whole number"
    status, answer = await send(service, json.dumps(REPORT | {"timestamp": "soon"}).encode())
    assert (status, answer["field"]) == (400, "timestamp")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"\xff", {}, 400),
        (b'{"worker_id":"w","message":"' + b"x" * 10_000_000 + b'"}', {}, 413),
        (gzip.compress(b" " * 10_000_000), {"Content_Encoding": "gzip"}, 413),
        (b"not gzip", {"Content_Encoding": "gzip"}, 400),
        (b"{}", {"Content_Encoding": "snappy"}, 415),
        (brotli.compress(b" " * 10_000_000), {"Content_Encoding": "br"}, 413),
        (b"a=b", {"Content_Type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {"Content_Type": "text/plain"}, 415),
        (b"{}", {"Origin": "https://evil.example"}, 403),
    ],
)  # fmt: skip
async def test_refusals_have_one_shape(service: InProcess, body: bytes, headers: dict[str, str], status: int) -> None:
    got, answer = await send(service, body, **headers)
    assert got == status, answer
    assert set(answer) == {"status", "message", "field"}
    assert answer["status"] == "error"
    assert answer["message"]
    assert (await service.get("/api/errors"))["summary"]["total_errors"] == 0


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "GZIP", "identity", "br", "zstd"])
async def test_compressed_bodies_are_read(service: InProcess, encoding: str) -> None:
    body = json.dumps(REPORT).encode()
    packers = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}
    packed = packers.get(encoding.lower(), bytes)(body)
    assert (await send(service, packed, Content_Encoding=encoding, Content_Type="application/json; charset=utf-8"))[
        0
    ] == 200


async def test_the_pages_own_origin_may_post(service: InProcess) -> None:
    origin = str(service.client.make_url("/").origin())
    assert (await send(service, json.dumps(REPORT).encode(), Origin=origin))[0] == 200


async def test_an_origin_can_be_allowed(serve: Any) -> None:
    service = await serve(allowed_origins=("https://ops.example",))
    origin = {"Origin": "https://ops.example"}
    assert (await send(service, json.dumps(REPORT).encode(), **origin))[0] == 200
    asks = origin | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    async with service.client.options("/api/report-error", headers=asks) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == "https://ops.example"
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        assert "Content-Type" in response.headers["Access-Control-Allow-Headers"]
    async with service.client.get("/api/errors", headers=origin) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "https://ops.example"
    async with service.client.options("/api/report-error", headers={"Origin": "https://evil.example"}) as response:
        assert response.status == 403
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("origin", ["null", "http://[", "https://evil.example", "http://127.0.0.1.evil.example"])
async def test_any_other_origin_is_refused(service: InProcess, origin: str) -> None:
    status, answer = await send(service, json.dumps(REPORT).encode(), Origin=origin)
    assert (status, answer["field"]) == (403, "Origin")


async def test_a_sender_that_goes_away_is_no_error_of_the_service(
    service: InProcess, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", service.client.port)
    writer.write(b"POST /api/report-error HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await asyncio.sleep(0.1)
    assert not caplog.records
    assert (await service.metrics())['distributed_testing_reports_rejected_total{reason="internal_error"}'] == 0


async def test_a_key_that_is_no_text_is_refused_and_the_service_stays_ready(service: InProcess) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.client.port)
    body = json.dumps(REPORT).encode()
    writer.write(b"POST /api/report-error HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                 b"Idempotency-Key: \xff\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))  # fmt: skip
    assert b" 400 " in await reader.readline()
    writer.close()
    assert await service.get("/-/ready")
    assert (await service.metrics())["distributed_testing_database_up"] == 1


async def test_numbers_that_no_double_holds_break_no_reader(service: InProcess) -> None:
    """Fields that nobody checks keep their text; a reader is told null."""
    for odd in ("1e999", "-" + "9" * 5_000, "[1e400]", '"\\ud800"', "NaN"):
        body = b'{"worker_id":"w","message":"m","odd":%s,"system_context":{"metrics":{"cpu":{"odd":1e999}}}}'
        assert (await send(service, body % odd.encode()))[0] == 200, odd
    overview = await service.get("/api/errors")
    assert overview["summary"]["total_errors"] == 5
    assert [e["system_context"] for e in overview["recent_errors"]] == [{"metrics": {"cpu": {"odd": None}}}] * 5
    details = [(await service.get(f"/api/errors/{n}"))["report"]["odd"] for n in range(1, 6)]
    assert details == [None, None, [None], "\ufffd", None]


async def test_large_contexts_are_left_out_of_lists(service: InProcess) -> None:
    id_ = (
        await service.post({"system_context": {"log": "x" * 40_000}, "hardware_context": {"hardware_type": "cuda"}})
    )["id"]
    (listed,) = (await service.get("/api/errors/list"))["errors"]
    assert (listed["system_context"], listed["truncated"]) == (None, ["system_context"])
    assert listed["hardware_context"] == {"hardware_type": "cuda"}
    assert len((await service.get(f"/api/errors/{id_}"))["system_context"]["log"]) == 40_000


async def test_a_batch_that_can_never_be_taken_is_told_so(serve: Any) -> None:
    service = await serve(queue_capacity=10)
    status, answer = await send(service, json.dumps([REPORT] * 11).encode(), "/api/report-errors")
    assert (status, answer["message"]) == (413, "more than 10 reports at once")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("PUT", "/api/errors", 405), ("GET", "/api/report-error", 405),
     ("GET", "/api/errors/99", 404), ("GET", "/api/errors/x", 404), ("GET", "/api/errors/" + "9" * 40, 404),
     ("GET", "/api/patterns/unknown", 404), ("GET", "/static/../service.py", 404), ("GET", "/static/%2e%2e/cli.py", 404),
     ("GET", "/static/%00.js", 404), ("GET", f"/static/{'x' * 300}.js", 404), ("GET", f"/sounds/{'x' * 300}.mp3", 200),
     ("GET", "/sounds/x%2Fy.mp3", 200), ("GET", "/ws/error-visualization", 426)],
)  # fmt: skip
async def test_unknown_things(service: InProcess, method: str, path: str, status: int) -> None:
    async with service.client.request(method, path) as response:
        assert response.status == status
        if status >= 400:
            answer = await response.json()
            assert (answer["status"], set(answer)) == ("error", {"status", "message", "field"})
        if status == 405:
            assert response.headers["Allow"]


@pytest.mark.parametrize(
    ("path", "field"),
    [("/api/errors?time_range=abc", "time_range"), ("/api/errors?time_range=0", "time_range"),
     ("/api/errors?time_range=1.5", "time_range"), ("/api/errors?time_range=-1", "time_range"),
     ("/api/errors?time_range=" + "9" * 30, "time_range"), ("/api/errors?time_range=\u0663", "time_range"),
     ("/api/errors?time_rnage=1", "time_rnage"), ("/api/errors/list?limit=1001", "limit"),
     ("/api/errors/list?limit=0", "limit"), ("/api/errors/list?cursor=x", "cursor"),
     ("/api/errors/list?cursor=999999999999999999999.1", "cursor"), ("/api/errors/list?cursor=1." + "9" * 49, "cursor"),
     ("/api/errors/list?cursor=1.-1", "cursor"), ("/api/errors/list?severity=bad", "severity"),
     ("/api/errors/list?q=" + "x" * 501, "q"), ("/api/patterns?limit=no", "limit")],
)  # fmt: skip
async def test_a_bad_parameter_is_named(service: InProcess, path: str, field: str) -> None:
    assert (await service.get(path, 400))["field"] == field


async def test_filters(service: InProcess) -> None:
    await service.post({"worker_id": "w1", "message": "alpha 1", "hardware_context": {"hardware_type": "cuda"}})
    await service.post(
        {"worker_id": "w2", "message": "Beta 100%", "error_category": "TEST_X", "type": "AssertionError"}
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
    assert await found("q=alpha&severity=warning") == ["w3"]
    assert await found("worker=nobody") == []
    fingerprint = (await service.get("/api/errors/list?worker=w1"))["errors"][0]["fingerprint"]
    assert await found(f"fingerprint={fingerprint}&worker=w1") == ["w1"]


async def test_pages_follow_each_other_without_gap_or_repeat(service: InProcess) -> None:
    """Many errors of one moment among them: the cursor tells those apart, too."""
    for number in range(25):
        await service.post({"timestamp": "2026-01-01T00:00:00Z" if number % 3 else None, "worker_id": f"w{number}"})
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


async def test_patterns(service: InProcess) -> None:
    for number in range(4):
        await service.post({"message": f"lost {number} things", "worker_id": f"w{number % 2}"})
    other = await service.post({"message": "else"})
    found = (await service.get("/api/patterns"))["patterns"]
    assert [(p["pattern"], p["occurrences"], p["workers"], sum(p["trend"])) for p in found] == [
        ("lost <num> things", 4, 2, 4), ("else", 1, 1, 1),
    ]  # fmt: skip
    assert [p["pattern"] for p in (await service.get("/api/patterns?limit=1"))["patterns"]] == ["lost <num> things"]
    one = await service.get(f"/api/patterns/{other['fingerprint']}")
    assert [w["worker_id"] for w in one["worker_stats"]] == ["worker-1"]
    assert [e["id"] for e in one["recent_errors"]] == [other["id"]]


async def test_reset_deletes_nothing(service: InProcess, serve: Any) -> None:
    await service.post()
    assert (await service.metrics())["distributed_testing_critical_errors"] == 1
    await asyncio.sleep(1.05)  # the gauge counts by the second
    async with service.client.post("/api/reset-counts") as response:
        reset_at = (await response.json())["data"]["reset_at"]
    assert (await service.metrics())["distributed_testing_critical_errors"] == 0
    summary = (await service.get("/api/errors"))["summary"]
    assert (summary["total_errors"], summary["reset_at"]) == (1, reset_at)
    await service.post()
    metrics = await service.metrics()
    assert metrics["distributed_testing_critical_errors"] == 1
    assert metrics['distributed_testing_errors_by_severity_total{severity="critical"}'] == 2
    await service.client.close()
    again = await serve()
    assert (await again.get("/api/errors"))["summary"]["reset_at"] == reset_at
    assert (await again.metrics())["distributed_testing_critical_errors"] == 1


async def test_without_the_page_the_api_is_served(serve: Any) -> None:
    service = await serve(error_visualization=False)
    await service.post()
    assert await service.metrics()
    for path in ("/error-visualization", "/ws/error-visualization", "/static/page.js"):
        await service.get(path, 404)


async def test_health(serve: Any) -> None:
    service = await serve()
    assert await service.get("/-/healthy") == {"healthy": True}
    assert await service.get("/-/ready") == {"ready": True}
    full = await serve(min_free_bytes=2**62, db_path=service.service.settings.db_path + "2")
    assert "nearly full" in (await full.get("/-/ready", 503))["message"]


async def test_the_description_knows_every_route_and_holds_for_real_answers(service: InProcess) -> None:
    async with service.client.get("/api/openapi.json") as response:
        described = await response.json()
    assert described["openapi"].startswith("3.1")
    routes = {(route.path, route.method.lower()) for route in API}
    assert {(path, method) for path, methods in described["paths"].items() for method in methods} == routes
    assert not {route.path for route in PAGE} & set(described["paths"])

    def check(path: str, method: str, status: int, answer: Any) -> None:
        content = described["paths"][path][method]["responses"][str(status)]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator(content | {"components": described["components"]}).validate(answer)

    id_ = (await service.post({"hardware_context": {"hardware_type": "cuda"}, "message": "x" * 9000}))["id"]
    fingerprint = (await service.get(f"/api/errors/{id_}"))["fingerprint"]
    asked = {
        "/api/errors": ["", "?time_range=x"], "/api/errors/list": ["", "?limit=0"], "/api/errors/{id}": [""],
        "/api/patterns": ["", "?limit=0"], "/api/patterns/{fingerprint}": [""], "/-/healthy": [""], "/-/ready": [""],
    }  # fmt: skip
    for path, queries in asked.items():
        for query in queries:
            real = path.replace("{id}", str(id_)).replace("{fingerprint}", fingerprint)
            async with service.client.get(real + query) as response:
                check(path, "get", response.status, await response.json())
    posts = [("/api/report-error", b"{}", "application/json"), ("/api/report-errors", b"[{}]", "application/json"),
             ("/api/report-error", json.dumps(REPORT).encode(), "application/json"), ("/api/reset-counts", b"", "x/y"),
             ("/api/report-errors", json.dumps([REPORT, {}]).encode(), "application/json"),
             ("/api/report-errors", json.dumps(REPORT).encode(), "application/x-ndjson")]  # fmt: skip
    for path, body, type_ in posts:
        async with service.client.post(path, data=body, headers={hdrs.CONTENT_TYPE: type_}) as response:
            check(path, "post", response.status, await response.json())
