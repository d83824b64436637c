"""Headers of every response against sniffing, framing, leaking addresses and shared caches."""

import io
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from conftest import REPORT, InProcess
from keys import bearer, make_token
from running import RunningServer

from exporter.access.tokens import hash_of
from exporter.access.users import BusyError
from exporter.access.web_config import WebConfig
from exporter.app import API, PAGE, make_app
from exporter.config import Settings
from exporter.http.pages import PAGE as FOLDER
from exporter.service import Service

pytestmark = pytest.mark.dashboard
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = "default-src 'self'; object-src 'none'; frame-ancestors 'self'; base-uri 'none'; form-action 'self'"
FILES = ("/error-visualization", "/static/", "/sounds/")  # the same for everybody


def check(response: ClientResponse, path: str) -> None:
    headers = response.headers
    for name in ("X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy", "Cache-Control", "Server"):
        assert len(headers.getall(name, ())) == 1, (path, name, headers)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Server"] == "error-visualization"
    is_file = path.startswith(FILES) and response.status == 200
    assert headers["Content-Security-Policy"] == (PAGE_POLICY if is_file else API_POLICY), path
    if is_file:
        assert headers["Cache-Control"] == "no-cache"
    else:
        assert headers["Cache-Control"] in ("private, no-cache", "no-store")
    assert "Access-Control-Allow-Origin" not in headers
    assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize("route", [*API, *PAGE], ids=lambda route: f"{route.method} {route.path}")
async def test_every_route(service: InProcess, route: Any) -> None:
    await service.post()
    path = route.path.replace("{name:.+}", "page.js").replace("{name}", "error-info.mp3").replace("{id}", "1")
    path = path.replace("{number}", "1")
    for headers in ({}, {"Host": "evil.example"}):
        async with service.client.request(route.method, path, headers=headers, allow_redirects=False) as response:
            assert response.status != 500
            check(response, path)


async def test_other_answers(service: InProcess) -> None:
    for method, path, more in (
        ("GET", "/nowhere", {}),
        ("PUT", "/api/errors", {}),
        ("POST", "/api/report-error", {"json": REPORT}),
        ("POST", "/api/report-errors", {"json": [REPORT, {}]}),
        ("POST", "/api/report-error", {"data": io.BytesIO(b"x" * 5_000_000)}),
        ("GET", "/static/../secret.js", {}),
    ):
        async with service.client.request(method, path, **more) as response:
            check(response, path)
    async with service.client.get("/api/errors/list") as response:
        tag = response.headers["ETag"]
    async with service.client.get("/api/errors/list", headers={"If-None-Match": tag}) as response:
        assert response.status == 304
        check(response, "/api/errors/list")


async def test_an_internal_error(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.service, "read", None)
    async with service.client.get("/api/errors/list") as response:
        assert response.status == 500
        check(response, "/api/errors/list")


async def test_too_many_passwords_at_once(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(*_: Any) -> None:
        raise BusyError("too many passwords wait to be checked")

    monkeypatch.setattr(service.service, "read", read)
    async with service.client.get("/api/errors/list") as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        answer = await response.json()
    assert answer == {"status": "error", "message": "too many passwords wait to be checked; try again", "field": ""}


async def test_the_page_has_no_inline_code() -> None:
    """So the policy needs no exception."""
    found: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            names = dict(attrs)
            if tag == "style" or (tag == "script" and "src" not in names):
                found.append(tag)
            found.extend(name for name in names if name == "style" or name.startswith("on"))
            found.extend(value for value in names.values() if value and value.startswith(("javascript:", "data:")))

    pages = list(FOLDER.glob("*.html"))
    assert pages
    for page in pages:
        Parser().feed(page.read_text())
    assert found == []


async def test_headers_of_the_web_config_file(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text(
        "http_server_config: {headers: {Strict-Transport-Security: max-age=9, X-Frame-Options: deny, "
        "Content-Security-Policy: default-src 'self'}}"
    )
    service = Service(Settings(db_path=str(tmp_path / "errors.duckdb"), min_free_bytes=0), process=False)
    async with TestClient(RunningServer(make_app(service, WebConfig(str(file))))) as client:
        for method, path, body, status in (
            ("GET", "/error-visualization", None, 200),
            ("POST", "/api/report-error", None, 415),
            ("POST", "/api/report-error", REPORT, 200),
            ("GET", "/nowhere", None, 404),
        ):
            async with client.request(method, path, json=body) as response:
                assert response.status == status
                assert response.headers.getall("Strict-Transport-Security") == ["max-age=9"]
                assert response.headers.getall("X-Frame-Options") == ["deny"]
                assert response.headers.getall("Content-Security-Policy") == ["default-src 'self'"]


async def test_the_settings_are_shown_without_secrets(serve: Callable[..., Any], tmp_path: Path) -> None:
    token = make_token(tmp_path, "ops", "admin", "read")
    tokens = tmp_path / "errors.duckdb.tokens"
    service: InProcess = await serve(
        alertmanager_url=("http://ops:hunter2@am:9093", "http://am2"),
        external_url="https://errors.example.com/?key=hunter2",
        runbook_url="https://me:hunter2@runbooks",
        tokens_file=str(tokens),
        max_series=77,
    )
    service.client.session.headers.update(bearer(token))
    shown = (await service.get("/api/config"))["settings"]
    assert set(shown) == set(Settings.model_fields)
    assert shown["alertmanager_url"] == ["http://<secret>@am:9093", "http://am2"]
    assert shown["external_url"] == "https://errors.example.com/?<secret>"
    assert shown["runbook_url"] == "https://<secret>@runbooks"
    assert (shown["max_series"], shown["tokens_file"], shown["push_critical"]) == (77, str(tokens), True)
    async with service.client.get("/api/config") as response:
        text = await response.text()
    assert "hunter2" not in text
    assert token not in text
    assert hash_of(token) not in text
    assert (await service.get("/api/config", 400, x="y"))["field"] == "x"
    async with service.client.get("/metrics") as response:
        assert "hunter2" not in await response.text()
