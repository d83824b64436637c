"""Every request that names another host than this service is refused."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError
from conftest import REPORT, ROOT, InProcess

pytestmark = pytest.mark.dashboard
EVIL = {"Host": "evil.example:8080"}
REFUSED = 'distributed_testing_reports_rejected_total{reason="forbidden_host"}'


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/errors"), ("POST", "/api/report-error"), ("POST", "/api/reset-counts"), ("GET", "/metrics"),
        ("GET", "/error-visualization"), ("GET", "/"), ("GET", "/static/page.js"), ("GET", "/-/healthy"),
        ("GET", "/-/ready"), ("GET", "/ws/error-visualization"), ("GET", "/nowhere"),
    ],
)  # fmt: skip
async def test_a_page_that_rebinds_its_name_reads_nothing(service: InProcess, method: str, path: str) -> None:
    """After the rebinding `Origin` matches `Host`, so a check of `Origin` would not stop the request."""
    headers = EVIL | {"Origin": "http://evil.example:8080"}
    async with service.client.request(method, path, headers=headers, allow_redirects=False) as response:
        answer = await response.json()
    assert (response.status, answer["status"], answer["field"]) == (403, "error", "Host")
    assert set(answer) == {"status", "message", "field"}
    assert "evil.example:8080" in answer["message"]
    assert (await service.metrics())[REFUSED] == 1


async def test_its_websocket_is_refused_too(service: InProcess) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        await service.client.ws_connect("/ws/error-visualization", headers=EVIL)
    assert refused.value.status == 403


async def test_a_refused_report_is_not_stored(service: InProcess) -> None:
    async with service.client.post("/api/report-error", json=REPORT, headers=EVIL) as response:
        assert response.status == 403
    assert (await service.get("/api/errors"))["summary"]["total_errors"] == 0


async def test_probes_by_address_are_answered(service: InProcess) -> None:
    for path, status in (("/-/healthy", 200), ("/-/ready", 200), ("/metrics", 403)):
        async with service.client.get(path, headers={"Host": "10.0.0.5:8080"}) as response:
            assert response.status == status, path


async def test_a_host_can_be_allowed(serve: Callable[..., Any]) -> None:
    service = await serve(allowed_hosts=("exporter",))
    for host, status in (("exporter:8080", 200), ("evil.example", 403)):
        async with service.client.get("/metrics", headers={"Host": host}) as response:
            assert response.status == status


async def test_the_external_url_is_same_origin(serve: Callable[..., Any]) -> None:
    """Both behind a proxy that keeps `Host`, and behind one that replaces it by the address of the service."""
    service = await serve(external_url="https://errors.example.com/")
    own = {"Origin": "https://errors.example.com"}
    for headers, status in (
        (own, 200),
        (own | {"Host": "errors.example.com"}, 200),
        ({"Origin": "http://errors.example.com"}, 403),
        ({"Origin": "https://evil.example", "Host": "errors.example.com"}, 403),
    ):
        async with service.client.post("/api/report-error", json=REPORT, headers=headers) as response:
            assert response.status == status, headers
    async with service.client.ws_connect("/ws/error-visualization", headers=own) as socket:
        await socket.send_json({"type": "ping"})
        assert await socket.receive_json() == {"type": "pong"}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /-/healthy HTTP/1.0\r\n\r\n", b"200"),
        (b"GET /-/healthy HTTP/1.0\r\nHost: evil.example\r\n\r\n", b"403"),
        (b"GET /-/healthy HTTP/1.1\r\nConnection: close\r\n\r\n", b"400"),
        (b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n", b"400"),
        (b"GET /-/healthy HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", b"403"),
    ],
)
async def test_without_the_header(service: InProcess, request_: bytes, status: bytes) -> None:
    """HTTP/1.0 allows requests without `Host`, which no browser sends; HTTP/1.1 requires exactly one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.client.port)
    writer.write(request_)
    assert (await reader.readline()).split()[1] == status
    writer.close()
    await writer.wait_closed()


def test_the_documentation_names_who_is_refused_and_why() -> None:
    operation = " ".join((ROOT / "docs/operation.md").read_text("utf-8").split())
    for words in (
        "DNS rebinding",
        "`--allowed-hosts`",
        "`localhost`",
        "`external_url`",
        "`forbidden_host`",
        "HTTP/1.0",
    ):
        assert words in operation
    for file in ("docs/metrics.md", "docs/runbooks/ReportsRejected.md", "docs/reporting.md"):
        assert "forbidden_host" in (ROOT / file).read_text("utf-8") or "allowed_hosts" in (ROOT / file).read_text(
            "utf-8"
        )
