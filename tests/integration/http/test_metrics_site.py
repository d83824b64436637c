"""The second address: metrics and probes, nothing else, with the same access control."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from conftest import InProcess
from keys import bearer, make_token, now_seen

from exporter import cli, logs
from exporter.app import API
from exporter.config import ConfigError, Settings, load
from exporter.http.metrics_site import HANDLERS, make_metrics_app

pytestmark = pytest.mark.dashboard


@pytest.fixture
async def second(service: InProcess) -> AsyncIterator[TestClient[Any, Any]]:
    settings = Settings(metrics_address="0.0.0.0:9100").of_metrics
    assert settings
    async with TestClient(TestServer(make_metrics_app(service.client.app, settings))) as client:  # type: ignore[arg-type]
        yield client


async def status(client: TestClient[Any, Any], path: str, method: str = "GET", **headers: str) -> int:
    async with client.request(method, path, headers=headers) as response:
        if response.status >= 400:
            assert (await response.json())["status"] == "error"
        return response.status


async def test_it_serves_metrics_and_probes_only(second: TestClient[Any, Any], service: InProcess) -> None:
    async with second.get("/metrics", headers={"Host": "10.1.2.3:9100"}) as response:
        assert "distributed_testing_build_info" in await response.text()
        assert response.headers["Server"] == "error-visualization"
    assert await status(second, "/metrics", Host="evil.example") == 403
    assert [await status(second, path) for path in ("/-/healthy", "/-/ready")] == [200, 200]
    for route in API:
        if route.path not in HANDLERS:
            assert await status(second, route.path, route.method) == 404
    service.service.log.refusal = "the disk is full"
    assert await status(second, "/-/ready") == 503


async def test_it_asks_for_a_token_too(second: TestClient[Any, Any], tmp_path: Path) -> None:
    with now_seen():
        token = make_token(tmp_path, "prometheus", "read")
        assert await status(second, "/metrics") == 401
        assert await status(second, "/metrics", **bearer(token)) == 200
        assert await status(second, "/-/ready") == 200


def test_its_paths_need_the_scopes_of_the_first_address() -> None:
    assert {path: scope for path, (_, scope) in HANDLERS.items()} == {
        route.path: route.scope for route in API if route.path in HANDLERS
    }


@pytest.mark.parametrize("address", ["9100", ":9100", "host", "host:", "a b:1", "::1:9100", "host:65536", "http://a:1"])
def test_a_wrong_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="--metrics-address: expected HOST:PORT"):
        load({"metrics_address": address}, {})


@pytest.mark.parametrize(("address", "host"), [("[::1]:9100", "::1"), ("node-1.lab:9100", "node-1.lab")])
def test_a_right_one_is_split(address: str, host: str) -> None:
    settings = Settings(metrics_address=address).of_metrics
    assert settings
    assert (settings.host, settings.port, settings.max_connections) == (host, 9100, 100)


def test_every_port_is_right() -> None:
    settings = Settings(metrics_address="127.0.0.1:65535").of_metrics
    assert settings
    assert settings.port == 65_535


def test_it_is_not_open_to_others_without_access_control(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "configure", lambda _: None)  # it would last longer than this test
    path = f"--db-path={tmp_path / 'errors.duckdb'}"
    assert cli.main(["serve", "--check-config", path, "--metrics-address=0.0.0.0:9100"]) == 2
    assert "refusing to listen on 0.0.0.0" in capsys.readouterr().err
    assert cli.main(["serve", "--check-config", path, "--metrics-address=127.0.0.1:9100"]) == 0
