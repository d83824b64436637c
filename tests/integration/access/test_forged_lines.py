"""Values that others send cannot forge a line of the log, or of what a command prints."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from commands import run
from conftest import Served
from stub import listening

from exporter.config import Settings
from exporter.service import _push

pytestmark = pytest.mark.dashboard
FORGED = 'gpu\r\ntime=2026-11-25T13:21:51.123Z level=info message=forged \x1b[2J\x9b31m\u2028"}\n{"level":"info"'


def delete(service: Served, worker: str) -> None:
    request = urllib.request.Request(
        service.url + "/api/errors/delete",
        json.dumps({"worker": [worker], "dry_run": False}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.status == 200


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_a_name_of_a_worker_stays_in_its_line(served: Callable[..., Served], form: str) -> None:
    service = served("--log.format", form)
    service.post({"worker_id": FORGED})
    delete(service, FORGED)
    assert service.stop() == 0
    assert sum("forged" in line for line in service.log) == 1
    for line in service.log:
        assert line[:-1].isprintable()
        if form == "json":
            assert json.loads(line)["level"] in ("info", "warning")
        else:
            assert line.startswith("time=2")


@pytest.fixture
async def liar() -> AsyncIterator[str]:
    """The address of a service that answers with control characters."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"status": "error", "message": FORGED, "field": ""}, status=400)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text="distributed_testing_log_position 0\n")

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.route("*", "/{path:.*}", answer)])
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_commands_print_what_a_service_says_without_control_characters(liar: str, tmp_path: Any) -> None:
    reports = tmp_path / "reports.ndjson"
    reports.write_text("{}\n")
    url = liar.replace("http://", "http://me:hunter2@")
    for arguments in (("export", "--output", tmp_path / "x.csv"), ("import", reports)):
        status, said = await asyncio.to_thread(run, arguments[0], "--url", url, *arguments[1:])
        assert status == 1
        assert "forged" in said
        assert all(line.isprintable() for line in said.split("\n"))
        assert "\ntime=" not in said


async def test_commands_do_not_print_the_password_of_an_address(tmp_path: Any) -> None:
    reports = tmp_path / "reports.ndjson"
    reports.write_text("{}\n")
    for arguments in (("export", "--output", tmp_path / "x.csv"), ("import", reports)):
        status, said = await asyncio.to_thread(
            run, arguments[0], "--url", "http://me:hunter2@127.0.0.1:9", *arguments[1:]
        )
        assert status == 1
        assert "http://<secret>@127.0.0.1:9" in said
        assert "hunter2" not in said


async def test_the_log_has_no_password_of_an_alertmanager(
    serve: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def elsewhere(_: web.Request) -> web.Response:
        raise web.HTTPFound("https://me:hunter2@login.example/?state=hunter2")

    async with listening(elsewhere) as url:
        service = await serve(alertmanager_url=(url.replace("http://", "http://ops:hunter2@"),))
        critical = {"system_context": {"metrics": {"cpu": {"percent": 99}}}}
        assert (await service.post(critical))["severity"] == "critical"
        for _ in range(400):
            found = [one for one in caplog.records if "did not take" in one.getMessage()]
            if found:
                break
            await asyncio.sleep(0.05)
        async with service.client.get("/metrics") as response:
            text = await response.text()
    assert "location https://<secret>@login.example/?<secret>" in found[0].getMessage()
    assert "hunter2" not in caplog.text
    assert url.removeprefix("http://") in text
    assert "hunter2" not in text


def test_links_have_the_scheme_that_is_served() -> None:
    assert _push(Settings(port=1), "https").page_url == "https://localhost:1"
    assert _push(Settings(port=1, external_url="http://proxy"), "https").page_url == "http://proxy"
    assert _push(Settings(external_url="http://proxy/"), "http").runbook_url == "http://proxy/runbooks"


def test_alerts_have_labels_that_tell_services_apart() -> None:
    assert _push(Settings(), "http", "0123456789abcdef").labels == {"job": "error-visualization", "service": "01234567"}
    labels = _push(
        Settings(external_labels=("service=gpu", "job=fleet", "team=a=b")), "http", "0123456789abcdef"
    ).labels
    assert labels == {"job": "fleet", "service": "gpu", "team": "a=b"}
