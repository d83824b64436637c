"""The API: requests and their answers."""

import asyncio
import gzip
import io
import json
import sys
import zlib
from typing import Any

import brotli
import pytest
from conftest import REPORT, InProcess

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
    assert set(data) == {"id", "event_id", "severity", "reasons", "fingerprint", "pattern_id", "warnings"}
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
    assert listed == {
        name: value for name, value in error.items() if name not in ("report", "reason_details", "pinned")
    }


async def test_an_error_explains_its_reasons(service: InProcess) -> None:
    metrics = {"cpu": {"percent": 99}, "disk": {"free_gb": 1, "total_gb": 100}}
    sent = {"error_category": "TEST_X", "system_context": {"metrics": metrics}}
    error = await service.get(f"/api/errors/{(await service.post(sent))['id']}")
    assert [detail["text"] for detail in error["reason_details"]] == error["reasons"]
    assert error["reason_details"][:2] == [
        {"text": "CPU 99 % > 90 %", "measurement": "cpu_percent", "value": 99, "limit": 90},
        {"text": "free disk 1 % < 5 %", "measurement": "disk_free_percent", "value": 1, "limit": 5},
    ]
    other = await service.get(f"/api/errors/{(await service.post({'odd': 'x', 'error_category': 'WORKER_X'}))['id']}")
    assert other["reason_details"] == [{"text": "category WORKER_X", "measurement": None, "value": None, "limit": None}]


async def test_an_error_is_refused_with_its_field(service: InProcess) -> None:
    status, answer = await send(service, b'{"worker_id": {}}')
    assert (status, answer["status"], answer["field"]) == (400, "error", "worker_id")
    assert answer["message"] == (
        "worker_id: required, a string that is not empty, got an object; send the name of the worker, such as "
        '"gpu-node-3"'
    )
    status, answer = await send(service, b'{"worker_id": "w"}')
    assert (status, answer["field"]) == (400, "message")


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
    writer.write(b"POST /api/report-error HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await asyncio.sleep(0.1)
    assert not caplog.records
    assert (await service.metrics())['distributed_testing_reports_rejected_total{reason="internal_error"}'] == 0


async def test_a_key_that_is_no_text_is_refused_and_the_service_stays_ready(service: InProcess) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.client.port)
    body = json.dumps(REPORT).encode()
    writer.write(b"POST /api/report-error HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                 b"Idempotency-Key: \xff\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))  # fmt: skip
    assert b" 400 " in await reader.readline()
    writer.close()
    assert await service.get("/-/ready")
    assert (await service.metrics())["distributed_testing_database_up"] == 1


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


async def test_reset_deletes_nothing(service: InProcess, serve: Any) -> None:
    await service.post()
    assert (await service.metrics())["distributed_testing_critical_errors"] == 1
    await asyncio.sleep(1.05)  # the gauge has a resolution of one second
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
