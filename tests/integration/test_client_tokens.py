"""The Python client sends its token to the service, and to nobody else."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from conftest import REPORT, eventually
from error_visualization import answers, api
from keys import make_token
from stub import listening

from exporter.client import report_error, report_error_sync

pytestmark = pytest.mark.dashboard
Reporter = Callable[[str, Any], Any]


async def sync(url: str, data: Any) -> bool:
    return await asyncio.to_thread(report_error_sync, url, data)


@pytest.fixture(params=[report_error, sync], ids=["async", "sync"])
def report(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reporter]:
    monkeypatch.setattr(api, "_by_url", {})
    monkeypatch.setattr(api, "Reporter", functools.partial(api.Reporter, block=10.0))  # the machine may be busy
    monkeypatch.setattr(answers, "PATIENCE", 0.05)
    yield request.param
    for reporter in api._by_url.values():
        reporter.close(0.0)


async def delivered() -> bool:
    return await asyncio.to_thread(lambda: all([one.flush(10) for one in api._by_url.values()]))  # noqa: C419


async def test_from_the_environment(
    serve: Any, tmp_path: Path, report: Reporter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    token = make_token(tmp_path, "worker", "report")
    service = await serve()
    url = str(service.client.make_url("/"))
    assert await report(url, REPORT)  # on disk, until there is a token
    await eventually(lambda: "401" in caplog.text)
    monkeypatch.setenv("ERROR_VISUALIZATION_TOKEN", f"{token}\n")
    assert await delivered()
    monkeypatch.delenv("ERROR_VISUALIZATION_TOKEN")
    (tmp_path / "token").write_text(token)
    monkeypatch.setenv("ERROR_VISUALIZATION_TOKEN_FILE", str(tmp_path / "token"))
    assert await report(url, REPORT)
    assert await delivered()
    assert token not in caplog.text


async def test_a_token_that_cannot_be_read_is_logged_and_raises_nothing(
    report: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ERROR_VISUALIZATION_TOKEN_FILE", str(tmp_path / "missing"))
    assert await report("http://127.0.0.1:1", REPORT)
    await eventually(lambda: "missing" in caplog.text)


@pytest.fixture
async def elsewhere() -> AsyncIterator[tuple[list[str | None], str]]:
    """A host to which the service redirects: what it got as `Authorization`, and the address that redirects to it."""
    got: list[str | None] = []

    async def take(request: web.Request) -> web.Response:
        got.append(request.headers.get("Authorization"))
        return web.json_response({"status": "success"})

    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"{target}/x"})

    async with listening(take) as target, listening(redirect) as first:
        yield got, first


async def test_a_redirect_to_another_host_gets_neither_token_nor_report(
    report: Reporter,
    elsewhere: tuple[list[str | None], str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    got, url = elsewhere
    monkeypatch.setenv("ERROR_VISUALIZATION_TOKEN", "ev_secret")
    assert await report(url, REPORT)
    await eventually(lambda: "302" in caplog.text)
    assert got == []
