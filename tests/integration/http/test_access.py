"""Tokens, logins, sessions and trusted proxies, as clients see them."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError
from conftest import REPORT, InProcess, eventually
from keys import bearer, csrf_of, log_in, make_token, now_seen, revoke
from yarl import URL

from exporter.access import control
from exporter.http import access

pytestmark = pytest.mark.dashboard
USERS = {"ada": "lovelace", "eve": "garden"}
FAILED = 'distributed_testing_failed_logins_total{method="%s"}'
BROWSER = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(access, "RECHECK_SECONDS", 0.05)
    with now_seen():
        yield


async def status(service: InProcess, method: str, path: str, headers: dict[str, str], **more: Any) -> int:
    async with service.client.request(method, path, headers=headers, allow_redirects=False, **more) as response:
        return response.status


async def attempt(service: InProcess, name: str, password: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    form = {"name": name, "password": password}
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with service.client.post("/login", data=form, headers=sent, allow_redirects=False) as response:
        service.client.session.cookie_jar.clear()
        return response.status, await response.text(), dict(response.headers)


# Tokens


async def test_a_token_for_some_workers_reports_for_these_only(serve: Any, tmp_path: Path) -> None:
    headers = bearer(make_token(tmp_path, "gpu", "report", worker="gpu-"))
    reader = bearer(make_token(tmp_path, "reader", "read"))
    service = await serve()
    assert await status(service, "POST", "/api/report-error", headers, json=REPORT | {"worker_id": "gpu-1"}) == 200
    async with service.client.post("/api/report-error", json=REPORT, headers=headers) as response:
        answer = await response.json()
        assert (response.status, answer["field"]) == (403, "worker_id")
        assert "'gpu-'" in answer["message"]
    batch = [
        REPORT | {"worker_id": worker, "message": worker} for worker in ("gpu-1", "cpu-1", "gpu-2", "gpu", "gpu-3")
    ]
    for body, type_ in (
        (json.dumps(batch), "application/json"),
        ("\n".join(map(json.dumps, batch)), "application/x-ndjson"),
    ):
        more = headers | {"Content-Type": type_}
        async with service.client.post("/api/report-errors", data=body, headers=more) as response:
            answer = await response.json()
            assert response.status == 207
        results = answer["data"]["results"]
        assert [one.get("code", 200) for one in results] == [200, 403, 200, 403, 200]
        assert {one["field"] for one in results if one["status"] == "error"} == {"worker_id"}
    async with service.client.get("/metrics", headers=reader) as response:
        assert 'reports_rejected_total{reason="forbidden_worker"} 5.0' in await response.text()
    async with service.client.get("/api/errors/list", headers=reader) as response:
        workers = {error["worker_id"] for error in (await response.json())["data"]["errors"]}
    assert workers == {"gpu-1", "gpu-2", "gpu-3"}


async def test_a_repeat_of_another_workers_report_tells_nothing(serve: Any, tmp_path: Path) -> None:
    everything = bearer(make_token(tmp_path, "all", "report"))
    some = bearer(make_token(tmp_path, "gpu", "report", worker="gpu-"))
    service = await serve()
    report = REPORT | {"worker_id": "cpu-1", "event_id": "e"}
    assert await status(service, "POST", "/api/report-error", everything, json=report) == 200
    assert await status(service, "POST", "/api/report-error", some, json=report) == 403


async def test_an_import_needs_more_than_a_report(serve: Any, tmp_path: Path) -> None:
    report = bearer(make_token(tmp_path, "report", "report"))
    both = bearer(make_token(tmp_path, "both", "report", "admin"))
    service = await serve()
    for path, body in (("/api/report-error", REPORT), ("/api/report-errors", [REPORT])):
        assert await status(service, "POST", f"{path}?import=true", report, json=body) == 403
        assert await status(service, "POST", f"{path}?import=true", both, json=body) == 200
        assert await status(service, "POST", f"{path}?import=false", report, json=body) == 200


async def test_a_token_works_and_stops_without_a_restart(serve: Any, tmp_path: Path) -> None:
    service = await serve()
    assert await status(service, "GET", "/api/errors", {}) == 200
    headers = bearer(make_token(tmp_path, "ci", "read"))
    assert await status(service, "GET", "/api/errors", {}) == 401
    assert await status(service, "GET", "/api/errors", headers) == 200
    revoke(tmp_path, "ci")
    assert await status(service, "GET", "/api/errors", headers) == 401
    (tmp_path / "errors.duckdb.tokens").unlink()
    assert await status(service, "GET", "/api/errors", {}) == 401  # nobody, not anybody


@pytest.mark.parametrize("file", ["the file of the settings", ""])
async def test_the_settings_can_name_the_file(serve: Any, tmp_path: Path, file: str) -> None:
    service = await serve(tokens_file=str(tmp_path / file) if file else "")
    assert await status(service, "GET", "/metrics", {}) == (401 if file else 200)


async def test_two_headers_are_no_credentials(serve: Any, tmp_path: Path) -> None:
    token = make_token(tmp_path, "ci", "read")
    service = await serve()
    reader, writer = await asyncio.open_connection("127.0.0.1", service.client.port)
    line = f"Authorization: Bearer {token}\r\n"
    for lines, expected in ((line, b"200"), (line * 2, b"401"), (line + "Authorization: Bearer x\r\n", b"401")):
        writer.write(f"HEAD /-/../metrics HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".replace("/-/..", "").encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.split()[1] in (expected, b"405"), head
    writer.close()


async def test_it_is_asked_who_it_is_in_the_one_shape(serve: Any, tmp_path: Path) -> None:
    make_token(tmp_path, "ci", "read")
    service = await serve()
    async with service.client.get("/api/errors") as response:
        assert response.status == 401
        assert response.headers.getall("WWW-Authenticate") == [
            'Bearer realm="error-visualization"', 'Basic realm="error-visualization", charset="UTF-8"',
        ]  # fmt: skip
        assert set(await response.json()) == {"status", "message", "field"}
    async with service.client.get("/nowhere") as response:
        assert response.status == 404
    async with service.client.put("/api/errors") as response:
        assert response.status == 405
    async with service.client.get("/api/errors", headers={"Host": "evil.example"}) as response:
        assert (response.status, (await response.json())["field"]) == (403, "Host")


async def test_a_fetch_of_the_page_opens_no_dialog_of_the_browser(serve: Any) -> None:
    """A browser opens one when a request of a page is answered with the challenge Basic."""
    for page, schemes in ((True, ["Bearer"]), (False, ["Bearer", "Basic"])):
        service = await serve(users=USERS, error_visualization=page)
        async with service.client.get("/api/errors", headers={"Sec-Fetch-Mode": "cors"}) as response:
            assert response.status == 401
            assert [one.split()[0] for one in response.headers.getall("WWW-Authenticate")] == schemes
        await service.client.close()


# Logins


async def test_a_browser_is_led_to_the_login_and_back(serve: Any) -> None:
    service = await serve(users=USERS)
    client = service.client
    async with client.get("/error-visualization?range=1&q=a%20b", headers=BROWSER, allow_redirects=False) as response:
        assert response.status == 303
        place = response.headers["Location"]
    assert URL(place).path == "/login"
    assert URL(place).query == {"next": "/error-visualization?range=1&q=a%20b"}
    async with client.get(place, headers=BROWSER) as response:
        text = await response.text()
        assert response.status == 200
        assert 'value="/error-visualization?range=1&amp;q=a%20b"' in text
        assert "form-action 'self'" in response.headers["Content-Security-Policy"]
        assert response.headers["Referrer-Policy"] == "same-origin"  # else the form has the origin "null"
        assert response.headers["Cache-Control"] == "no-store"
    form = {"name": "ada", "password": "lovelace", "next": "/error-visualization?range=1"}
    async with client.post("/login", data=form, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/error-visualization?range=1")
        (cookie,) = response.cookies.values()
    assert cookie.key == "error_visualization_session"
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "Lax", "/", "")
    headers = {"Cookie": f"{cookie.key}={cookie.value}"}
    assert await status(service, "GET", "/error-visualization", headers) == 200


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "",
        "evil.example", "/%0d%0aSet-Cookie:x", "/\r\nSet-Cookie: x=y", "/\t/evil.example", "///evil.example", " /x", "/ x",
        "/\u2028",
    ],
)  # fmt: skip
async def test_the_login_leads_to_no_other_site(serve: Any, elsewhere: str) -> None:
    service = await serve(users=USERS)
    form = {"name": "ada", "password": "lovelace", "next": elsewhere}
    async with service.client.post("/login", data=form, allow_redirects=False) as response:
        place = response.headers["Location"]
        assert response.status == 303
        assert "x" not in response.cookies
    assert place == ("/error-visualization" if elsewhere != "/%0d%0aSet-Cookie:x" else elsewhere)
    async with service.client.get("/login", params={"next": elsewhere}) as response:
        assert "evil" not in await response.text()


async def test_a_text_that_leads_back_is_never_markup(serve: Any) -> None:
    service = await serve(users=USERS)
    async with service.client.get("/login", params={"next": '/"><script>alert(1)</script>'}) as response:
        assert "<script>alert" not in await response.text()


@pytest.mark.parametrize("url", ["https://errors.example.com", ""])
async def test_behind_https_the_cookie_is_for_this_host_only(serve: Any, url: str) -> None:
    service = await serve(users=USERS, external_url=url)
    _, _, headers = await attempt(service, "ada", "lovelace")
    cookie = headers["Set-Cookie"]
    assert cookie.startswith("__Host-error_visualization_session=") == bool(url)
    assert ("; Secure" in cookie) == bool(url)
    assert "; HttpOnly" in cookie
    assert "Domain" not in cookie
    if url:  # a cookie without the prefix may come from another host of the domain
        plain = cookie.split(";")[0].removeprefix("__Host-")
        assert await status(service, "GET", "/api/errors", {"Cookie": plain}) == 401


async def test_a_session_has_a_new_id_at_each_login_and_the_old_one_ends(serve: Any) -> None:
    service = await serve(users=USERS)
    planted = {"Cookie": "error_visualization_session=planted-by-an-attacker"}
    form = {"name": "ada", "password": "lovelace"}
    async with service.client.post("/login", data=form, headers=planted, allow_redirects=False) as response:
        (first,) = response.cookies.values()
    assert first.value != "planted-by-an-attacker"
    service.client.session.cookie_jar.clear()
    assert await status(service, "GET", "/api/errors", planted) == 401
    old = {"Cookie": f"error_visualization_session={first.value}"}
    service.client.session.cookie_jar.clear()
    async with service.client.post("/login", data=form, headers=old, allow_redirects=False) as response:
        assert response.status == 303
    service.client.session.cookie_jar.clear()
    assert await status(service, "GET", "/api/errors", old) == 401


async def test_a_session_ends_with_its_password_or_user_or_token(serve: Any, tmp_path: Path) -> None:
    token = make_token(tmp_path, "ci", "read")
    service = await serve(users=USERS)
    ada, eve = await log_in(service, "ada", "lovelace"), await log_in(service, "eve", "garden")
    ci = await log_in(service, "", token)
    for headers in (ada, eve, ci):
        assert await status(service, "GET", "/api/errors", headers) == 200
    users = service.client.app[access.ACCESS]._users
    users.replace({"ada": users._hashes["eve"]})
    revoke(tmp_path, "ci")
    for headers in (ada, eve, ci):
        assert await status(service, "GET", "/api/errors", headers) == 401


async def test_sessions_survive_a_restart_and_a_logout_does_too(serve: Any) -> None:
    service = await serve(users=USERS)
    stays, goes = await log_in(service, "ada", "lovelace"), await log_in(service, "ada", "lovelace")
    both = goes | await csrf_of(service, goes)
    async with service.client.post("/logout", headers=both) as response:
        assert 'error_visualization_session=""' in response.headers["Set-Cookie"]
    hashes = service.client.app[access.ACCESS]._users._hashes
    await service.client.close()
    again = await serve(users=USERS)
    again.client.app[access.ACCESS]._users.replace(hashes)
    assert await status(again, "GET", "/api/errors", stays) == 200
    assert await status(again, "GET", "/api/errors", goes) == 401


async def test_the_csrf_token_of_another_session_is_no_good(serve: Any) -> None:
    service = await serve(users=USERS)
    ada, eve = await log_in(service, "ada", "lovelace"), await log_in(service, "eve", "garden")
    mine, other = await csrf_of(service, ada), await csrf_of(service, eve)
    assert await status(service, "POST", "/api/reset-counts", ada | other) == 403
    assert await status(service, "POST", "/api/reset-counts", ada | mine) == 200


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 303), ({"Sec_Fetch_Site": "same-origin"}, 303), ({"Sec_Fetch_Site": "same-origin", "Origin": "null"}, 303),
        ({"Sec_Fetch_Site": "cross-site"}, 403), ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403), ({"Origin": "null"}, 403), ({"Origin": "https://ops.example"}, 403),
    ],
)  # fmt: skip
async def test_no_other_site_logs_somebody_in(serve: Any, headers: dict[str, str], expected: int) -> None:
    service = await serve(users=USERS, allowed_origins=("https://ops.example",))
    assert (await attempt(service, "ada", "lovelace", **headers))[0] == expected


@pytest.mark.parametrize(
    ("body", "type_", "expected"),
    [
        (b'{"name":"ada"}', "application/json", 415), (b"x" * 20_000, "application/x-www-form-urlencoded", 413),
        (b"&".join([b"a=b"] * 20), "application/x-www-form-urlencoded", 400), (b"\xff=\xff", "application/x-www-form-urlencoded", 400),
        (b"", "application/x-www-form-urlencoded", 401),
    ],
)  # fmt: skip
async def test_what_is_no_login_is_refused(serve: Any, body: bytes, type_: str, expected: int) -> None:
    service = await serve(users=USERS)
    assert await status(service, "POST", "/login", {"Content-Type": type_}, data=body) == expected


@pytest.mark.parametrize("is_on", [True, False])
async def test_an_unfinished_login_has_an_end(serve: Any, is_on: bool) -> None:
    service = await serve(users=USERS if is_on else {}, body_timeout=1.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", service.client.port)
    form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100"
    writer.write(f"POST /login HTTP/1.1\r\nHost: localhost\r\n{form}\r\n\r\nname=ada".encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert head.split()[1] == (b"408" if is_on else b"303")
    writer.close()


async def test_a_login_of_unknown_length_is_bounded(serve: Any) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 4_000

    service = await serve(users=USERS)
    type_ = {"Content-Type": "application/x-www-form-urlencoded"}
    assert await status(service, "POST", "/login", type_, data=body()) == 413


async def test_a_token_that_may_not_read_opens_no_page(serve: Any, tmp_path: Path) -> None:
    token = make_token(tmp_path, "worker", "report")
    service = await serve()
    code, text, _ = await attempt(service, "", token)
    assert code == 401
    assert "may not read" in text
    assert token not in text


# Failed logins


async def test_failed_logins_are_slowed_counted_and_logged_without_secrets(
    serve: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reader = bearer(make_token(tmp_path, "reader", "read"))
    service = await serve(users=USERS)
    with caplog.at_level(logging.DEBUG):
        answers = [await attempt(service, "ada", f"guess-{number}\r\nforged") for number in range(8)]
        secret = "hunter2-typed-into-the-name"
        basic = {"Authorization": "Basic " + base64.b64encode(f"{secret}:x".encode()).decode()}
        assert await status(service, "GET", "/metrics", basic) == 429  # the address waits
        assert await status(service, "GET", "/metrics", bearer("ev_wrong")) == 401
        assert await status(service, "GET", "/metrics", reader) == 200  # and who has a token does not
    assert [code for code, _, _ in answers] == [401] * 5 + [429] * 3
    assert answers[-1][2]["Retry-After"] == "1"
    assert "Try again in 1 s" in answers[-1][1]
    async with service.client.get("/metrics", headers=reader) as response:
        metrics = await response.text()
    assert f"{FAILED % 'form'} 5.0" in metrics
    assert f"{FAILED % 'token'} 1.0" in metrics
    assert f"{FAILED % 'basic'} 0.0" in metrics
    (line,) = [one.getMessage() for one in caplog.records if "failed" in one.getMessage()]
    assert line == "a login as 'ada' from 127.0.0.1 failed (form)"  # the others within 10 s are only counted
    everything = caplog.text + metrics + "".join(text for _, text, _ in answers)
    for one in ("guess-", "lovelace", secret, "ev_wrong", reader["Authorization"]):
        assert one not in everything


async def test_a_name_that_nobody_has_is_not_logged(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    service = await serve(users=USERS)
    await attempt(service, "my-password-by-mistake", "x")
    assert "a login from 127.0.0.1 failed (form)" in caplog.text
    assert "mistake" not in caplog.text


async def test_who_was_known_before_is_not_slowed(serve: Any) -> None:
    service = await serve(users=USERS)
    basic = {"Authorization": "Basic " + base64.b64encode(b"ada:lovelace").decode()}
    session = await log_in(service, "eve", "garden")
    assert await status(service, "GET", "/metrics", basic) == 200
    for number in range(8):
        await attempt(service, "ada" if number < 3 else "bob", "wrong")
    assert (await attempt(service, "bob", "wrong"))[0] == 429
    assert await status(service, "GET", "/metrics", basic) == 200
    assert await status(service, "GET", "/metrics", session) == 200
    assert (await attempt(service, "ada", "lovelace"))[0] == 303  # from an address where ada logged in before


@pytest.mark.parametrize("value", ["é", "\udcff", "x", "/w=="])  # "/w==" is the byte ff
async def test_what_is_no_name_and_password_is_a_wrong_one(serve: Any, tmp_path: Path, value: str) -> None:
    reader = bearer(make_token(tmp_path, "reader", "read"))
    service = await serve(users=USERS)
    connection, writer = await asyncio.open_connection("127.0.0.1", service.client.port)
    codes = []
    for _ in range(6):
        request = f"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {value}\r\n\r\n"
        writer.write(request.encode("utf-8", "surrogateescape"))
        codes.append((await connection.readuntil(b"\r\n\r\n")).split()[1])
    writer.close()
    assert codes == [b"401"] * 5 + [b"429"]
    async with service.client.get("/metrics", headers=reader) as response:
        assert f"{FAILED % 'basic'} 5.0" in await response.text()
    assert (await attempt(service, "ada", "lovelace"))[0] == 429  # the address waits


async def test_a_password_that_is_too_long_counts_for_its_address_only(serve: Any) -> None:
    """It costs no look at the password, so it could be sent from very many addresses."""
    service = await serve(users=USERS, trusted_proxies=("127.0.0.1",))
    guesser, other = {"X-Forwarded-For": "203.0.113.1"}, {"X-Forwarded-For": "203.0.113.2"}
    codes = [(await attempt(service, "ada", "x" * 1_025, **guesser))[0] for _ in range(6)]
    assert codes == [401] * 5 + [429]
    assert (await attempt(service, "ada", "lovelace", **other))[0] == 303


async def test_a_right_password_that_another_address_used_tells_a_guesser_nothing(serve: Any) -> None:
    service = await serve(users=USERS, trusted_proxies=("127.0.0.1",))
    basic = {"Authorization": "Basic " + base64.b64encode(b"ada:lovelace").decode()}
    owner, guesser = {"X-Forwarded-For": "203.0.113.1"}, {"X-Forwarded-For": "203.0.113.2"}
    assert await status(service, "GET", "/metrics", basic | owner) == 200
    for number in range(6):
        await attempt(service, "ada", f"wrong-{number}", **guesser)
    assert await status(service, "GET", "/metrics", basic | guesser) == 429
    assert await status(service, "GET", "/metrics", basic | owner) == 200


async def test_attempts_that_are_sent_together_are_no_way_around(serve: Any) -> None:
    service = await serve(users=USERS)
    codes = [code for code, _, _ in await asyncio.gather(*(attempt(service, "ada", f"x{n}") for n in range(30)))]
    assert codes.count(401) <= 7
    assert set(codes) == {401, 429}


# Trusted proxies


async def test_the_proxies_of_a_batch_are_read_once(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    client = control.client
    monkeypatch.setattr(control, "client", lambda *given: asked.append(given) or client(*given))
    service = await serve(trusted_proxies=("127.0.0.1",))
    headers = {"X-Forwarded-For": ", ".join(["203.0.113.9"] + ["127.0.0.1"] * 500)}  # takes 10 ms
    await service.ask("/api/report-errors", [{}] * 1_000, 400, headers=headers)
    assert len(asked) == 1


async def test_the_address_is_that_of_the_client_behind_a_trusted_proxy(
    serve: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_token(tmp_path, "ci", "read")
    service = await serve(trusted_proxies=("127.0.0.1",))
    await status(service, "GET", "/metrics", bearer("x") | {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"})
    assert "from 203.0.113.9 failed" in caplog.text


async def test_without_a_trusted_proxy_nobody_chooses_the_address(
    serve: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_token(tmp_path, "ci", "read")
    service = await serve()
    await status(service, "GET", "/metrics", bearer("x") | {"X-Forwarded-For": "203.0.113.9"})
    assert "from 127.0.0.1 failed" in caplog.text


async def test_the_header_of_an_untrusted_peer_is_named_once(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    service = await serve(auth_proxy_header="X-User", trusted_proxies=("10.0.0.1",))
    for _ in range(3):
        assert await status(service, "GET", "/metrics", {"X-User": "ada"}) == 401
    (line,) = [one.getMessage() for one in caplog.records]
    assert line == "X-User from 127.0.0.1 is ignored: it is not in trusted_proxies"


async def test_a_client_behind_the_proxy_cannot_add_a_header(serve: Any) -> None:
    service = await serve(auth_proxy_header="X-User", trusted_proxies=("127.0.0.1",))
    reader, writer = await asyncio.open_connection("127.0.0.1", service.client.port)
    for lines, expected in (
        ("X-User: ada\r\n", b"200"),
        ("X-User: ada\r\nx-user: eve\r\n", b"401"),
        ("X-User:\r\n", b"401"),
    ):
        writer.write(f"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.split()[1] == expected, (lines, head)
    writer.close()


# Live updates


async def test_a_websocket_ends_when_its_token_is_revoked(serve: Any, tmp_path: Path) -> None:
    make_token(tmp_path, "other", "read")
    headers = bearer(make_token(tmp_path, "ci", "read"))
    service = await serve(users=USERS)
    session = await log_in(service, "ada", "lovelace")
    both = session | await csrf_of(service, session)
    with pytest.raises(WSServerHandshakeError) as refused:
        await service.client.ws_connect("/ws/error-visualization")
    assert refused.value.status == 401
    by_token = await service.client.ws_connect("/ws/error-visualization", headers=headers)
    by_session = await service.client.ws_connect("/ws/error-visualization", headers=session)
    revoke(tmp_path, "ci")
    assert await closed(by_token) == 1008
    await by_session.send_json({"type": "ping"})
    assert await by_session.receive_json(timeout=5) == {"type": "pong"}
    async with service.client.post("/logout", headers=both) as response:
        assert response.status == 200
    assert await closed(by_session) == 1008
    assert not service.client.app[access.SOCKETS]


async def test_a_websocket_of_anybody_ends_when_access_control_begins(serve: Any, tmp_path: Path) -> None:
    service = await serve()
    socket = await service.client.ws_connect("/ws/error-visualization")
    make_token(tmp_path, "ci", "read")
    assert await closed(socket) == 1008


async def test_a_client_that_does_not_confirm_is_cut_off(serve: Any, tmp_path: Path) -> None:
    headers = bearer(make_token(tmp_path, "ci", "read"))
    service = await serve()
    socket = await service.client.ws_connect("/ws/error-visualization", headers=headers, autoclose=False)
    revoke(tmp_path, "ci")
    await eventually(lambda: not service.service.live.clients)
    await socket.close()


async def closed(socket: Any) -> int:
    """Waits until the service closes the connection. Returns the code."""
    message = await socket.receive(timeout=10)
    assert message.type is WSMsgType.CLOSE
    await socket.close()
    code: int = message.data
    return code
