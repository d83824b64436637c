"""Every route for every kind of caller. A route without a row here fails, and so does a row without a route."""

import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import InProcess
from keys import PAST, bearer, csrf_of, log_in, make_token, now_seen, revoke

from exporter.app import API, PAGE, RUNBOOKS
from exporter.http.headers import WEB_CONFIG
from exporter.http.openapi import document, scope_of

pytestmark = pytest.mark.dashboard

# What each route needs: a scope, or "" for a route that is open to everybody.
ROWS = {
    "POST /api/report-error": "report",
    "POST /api/report-errors": "report",
    "POST /api/{project}/envelope/": "report",
    "POST /api/{project}/store/": "report",
    "POST /api/alerts": "report",
    "POST /api/junit": "report",
    "POST /v1/logs": "report",
    "POST /v1/traces": "report",
    "POST /api/reset-counts": "admin",
    "GET /api/errors": "read",
    "GET /api/verdict": "read",
    "GET /api/errors/list": "read",
    "GET /api/errors/facets": "read",
    "POST /api/errors/delete": "admin",
    "GET /api/errors/deletions": "admin",
    "GET /api/errors/{id}": "read",
    "POST /api/errors/{id}/pin": "admin",
    "POST /api/errors/{id}/unpin": "admin",
    "GET /api/export": "read",
    "GET /api/patterns": "read",
    "GET /api/patterns/decisions": "read",
    "POST /api/patterns/decisions/{number}/undo": "admin",
    "GET /api/patterns/{id}": "read",
    "POST /api/patterns/{id}/merge": "admin",
    "POST /api/patterns/{id}/split": "admin",
    "POST /api/patterns/{id}/pin": "admin",
    "POST /api/patterns/{id}/unpin": "admin",
    "GET /api/patterns/{id}/state": "read",
    "POST /api/patterns/{id}/claim": "admin",
    "POST /api/patterns/{id}/resolve": "admin",
    "POST /api/patterns/{id}/mute": "admin",
    "POST /api/patterns/{id}/reopen": "admin",
    "POST /api/patterns/{id}/note": "admin",
    "POST /api/workers/{id}/drain": "admin",
    "POST /api/workers/{id}/undrain": "admin",
    "GET /api/audit": "read",
    "POST /api/runs": "report",
    "GET /api/runs": "read",
    "GET /api/runs/{id}": "read",
    "GET /api/rankings": "read",
    "GET /api/workers": "read",
    "GET /api/workers/{id}": "read",
    "POST /api/heartbeat": "report",
    "GET /api/heartbeats": "read",
    "GET /api/storage": "read",
    "GET /api/service": "read",
    "GET /api/history": "read",
    "GET /api/config": "admin",
    "GET /api/session": "read",
    "GET /api/openapi.json": "read",
    "GET /metrics": "read",
    "POST /-/reload": "admin",
    "GET /-/healthy": "",
    "GET /-/ready": "",
    "GET /runbooks/": "",
    "GET /runbooks/{name}": "",
    "GET /": "",
    "GET /error-visualization": "read",
    "GET /ws/error-visualization": "read",
    "GET /login": "",
    "POST /login": "",
    "POST /logout": "read",
    "GET /sounds/{name}": "",
    "GET /static/{name:.+}": "",
}
PATHS = {"{id}": "999", "{number}": "999", "{name}": "error-info.mp3", "{name:.+}": "page.js", "{project}": "1"}
ORIGIN_CHECKED = {"GET /ws/error-visualization"}  # besides all POST requests
FOREIGN = {"Origin": "https://evil.example"}
CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}
ALL = frozenset({"report", "read", "admin"})
PROXY = {"auth_proxy_header": "X-Forwarded-User", "trusted_proxies": ("127.0.0.1/32",)}


class Setting(NamedTuple):
    service: InProcess
    folder: Path


Headers = Callable[[Setting], Awaitable[dict[str, str]]]


class Who(NamedTuple):
    """A kind of caller. `headers` are sent with each request; `scopes` are what it may do, None for a caller that is not
    known. `changes`: whether its POST requests are accepted; `foreign`: whether a page of another site sends them."""

    name: str
    headers: Headers
    scopes: frozenset[str] | None
    changes: bool = True
    foreign: bool = False
    settings: dict[str, Any] = {}  # noqa: RUF012  # never changed


def with_token(*scopes: str, **more: Any) -> Headers:
    async def headers(at: Setting) -> dict[str, str]:
        return bearer(make_token(at.folder, "one", *scopes, **more))

    return headers


def sending(**headers: str) -> Headers:
    async def given(_: Setting) -> dict[str, str]:
        return {name.replace("_", "-"): value for name, value in headers.items()}

    return given


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


async def revoked(at: Setting) -> dict[str, str]:
    headers = bearer(make_token(at.folder, "gone", *ALL))
    async with at.service.client.get("/metrics", headers=headers) as response:
        assert response.status == 200
    revoke(at.folder, "gone")
    return headers


async def token_as_password(at: Setting) -> dict[str, str]:
    return basic("any", make_token(at.folder, "one", "read"))


async def session(at: Setting) -> dict[str, str]:
    return await log_in(at.service, "ada", "lovelace")


async def session_of_a_token(at: Setting) -> dict[str, str]:
    headers = await log_in(at.service, "", make_token(at.folder, "one", "read"))
    return headers | await csrf_of(at.service, headers)


async def logged_out(at: Setting) -> dict[str, str]:
    headers = await session(at)
    both = headers | await csrf_of(at.service, headers)
    async with at.service.client.post("/logout", headers=both) as response:
        assert response.status == 200
    return both


def and_csrf(begin: Headers, **more: str) -> Headers:
    async def headers(at: Setting) -> dict[str, str]:
        first = await begin(at)
        return first | await csrf_of(at.service, first) | {name.replace("_", "-"): one for name, one in more.items()}

    return headers


def and_also(begin: Headers, more: dict[str, str]) -> Headers:
    async def headers(at: Setting) -> dict[str, str]:
        return await begin(at) | more

    return headers


def of(headers: dict[str, str]) -> Headers:
    async def given(_: Setting) -> dict[str, str]:
        return headers

    return given


BY_PROXY = {"X-Forwarded-User": "ada"}
CALLERS = [
    Who("nobody", of({}), None),
    Who("report token", with_token("report"), frozenset({"report"})),
    Who("read token", with_token("read"), frozenset({"read"})),
    Who("admin token", with_token("admin"), frozenset({"admin"})),
    Who("token with all scopes", with_token(*ALL), ALL),
    Who("wrong token", sending(Authorization="Bearer ev_00000000_000000000000000000000000000000000000"), None),
    Who("no token at all", sending(Authorization="Bearer "), None),
    Who("other scheme", sending(Authorization="Digest x"), None),
    Who("expired token", with_token(*ALL, expires=PAST), None),
    Who("revoked token", revoked, None),
    Who("token as a password", token_as_password, frozenset({"read"})),
    Who("user", of(basic("ada", "lovelace")), ALL),
    Who("user who is no admin", of(basic("eve", "garden")), frozenset({"report", "read"}),
        settings={"admin_users": ("ada",)}),
    Who("wrong password", of(basic("ada", "byron")), None),
    Who("no user", of(basic("bob", "lovelace")), None),
    Who("user, by a page of another site", of(basic("ada", "lovelace") | FOREIGN), ALL, changes=False, foreign=True),
    Who("user, cross-site", of(basic("ada", "lovelace") | CROSS_SITE), ALL, changes=False),
    Who("user, same-origin", of(basic("ada", "lovelace") | {"Sec-Fetch-Site": "same-origin"}), ALL),
    Who("token, by a page of another site", and_also(with_token(*ALL), FOREIGN), ALL, changes=False, foreign=True),
    Who("session without CSRF token", session, ALL, changes=False),
    Who("session with a wrong CSRF token", and_also(session, {"X-CSRF-Token": "0" * 64}), ALL, changes=False),
    Who("session with CSRF token", and_csrf(session), ALL),
    Who("session of a token", session_of_a_token, frozenset({"read"})),
    Who("session with CSRF token, by a page of another site", and_csrf(session, **FOREIGN), ALL, changes=False, foreign=True),
    Who("session that was logged out", logged_out, None),
    Who("wrong session", sending(Cookie="error_visualization_session=x"), None),
    Who("good session and wrong token", and_also(session, bearer("ev_")), None),
    Who("proxy without CSRF token", of(BY_PROXY), ALL, changes=False, settings=PROXY),
    Who("proxy with CSRF token", and_csrf(of(BY_PROXY)), ALL, settings=PROXY),
    Who("proxy, user who is no admin", and_csrf(of({"X-Forwarded-User": "eve"})), frozenset({"report", "read"}),
        settings=PROXY | {"admin_users": ("ada",)}),
    Who("proxy that names nobody", of({"X-Forwarded-User": " "}), None, settings=PROXY),
    Who("proxy with a list", of({"X-Forwarded-User": "eve, ada"}), None, settings=PROXY),
    Who("untrusted peer with the proxy's header", of(BY_PROXY), None, settings=PROXY | {"trusted_proxies": ("10.0.0.0/8",)}),
    Who("header of a proxy that is not set", of(BY_PROXY), None),
]  # fmt: skip


def test_every_route_has_a_row() -> None:
    assert {f"{route.method} {route.path}" for route in (*API, *RUNBOOKS, *PAGE)} == set(ROWS)


def test_the_routes_need_what_the_rows_say() -> None:
    for route in (*API, *RUNBOOKS, *PAGE):
        assert "|".join(one.name.lower() for one in route.scope) == ROWS[f"{route.method} {route.path}"], route


def test_the_openapi_document_says_it_too() -> None:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            scope = ROWS[f"{method.upper()} {path}"]
            assert scope == scope_of(method, path)
            assert operation["security"] == (
                [{"token": [scope]}, {"password": [scope]}, {"session": [scope]}, {}] if scope else []
            )
            assert ("401" in operation["responses"]) == bool(scope)


@pytest.mark.parametrize("who", CALLERS, ids=lambda who: who.name)
async def test_each_caller_may_do_what_it_may(serve: Any, tmp_path: Path, who: Who) -> None:
    make_token(tmp_path, "other", "read")
    service = await serve(users={"ada": "lovelace", "eve": "garden"}, **who.settings)
    with now_seen():
        headers = await who.headers(Setting(service, tmp_path))
        rows = sorted(ROWS, key=lambda row: row == "POST /logout")  # which ends the session, last
        wrong = [said for row in rows if (said := await judge(service, row, headers, who))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "who",
    [
        Who("certificate", of({}), ALL),
        Who("certificate, cross-site", of(CROSS_SITE), ALL, changes=False),
        Who("certificate, by a page of another site", of(FOREIGN), ALL, changes=False, foreign=True),
    ],
    ids=lambda who: who.name,
)
async def test_a_client_certificate_alone_admits_to_everything(serve: Any, tmp_path: Path, who: Who) -> None:
    service = await serve()
    service.client.app[WEB_CONFIG].requires_client_certificates = True
    headers = await who.headers(Setting(service, tmp_path))
    wrong = [said for row in ROWS if (said := await judge(service, row, headers, who))]
    assert not wrong, "\n".join(wrong)
    make_token(tmp_path, "one", "read")
    with now_seen():  # beside something else it does not
        wrong = [said for row in ROWS if (said := await judge(service, row, headers, who._replace(scopes=None)))]
    assert not wrong, "\n".join(wrong)


async def test_where_access_control_is_off_anybody_may_do_everything(serve: Any) -> None:
    service = await serve()
    for row in ROWS:
        for headers in ({}, bearer("x"), BY_PROXY):
            assert (await ask(service, row, headers))[0] not in (401, 403, 429, 500), row
        status, _ = await ask(service, row, FOREIGN)
        assert (status == 403) == (row.startswith("POST ") or row in ORIGIN_CHECKED) or row == "POST /logout", row


async def judge(service: InProcess, row: str, headers: dict[str, str], who: Who) -> str:
    """Returns what is wrong with the answer to a request; "" for nothing."""
    status, answer = await ask(service, row, headers)
    expected = outcome(row, who)
    got = {401: "unknown", 429: "unknown", 403: "forbidden", 500: "error"}.get(status, "allowed")
    if got != expected:
        return f"{row}: {status}, expected {expected}: {answer}"
    if (
        status == 403
        and ROWS[row]
        and who.scopes is not None
        and ROWS[row] not in who.scopes
        and ROWS[row] not in answer["message"]
    ):
        return f"{row}: does not name the scope: {answer}"
    return ""


def outcome(row: str, who: Who) -> str:
    scope, changes = ROWS[row], row.startswith("POST ")
    if scope and who.scopes is None:
        return "unknown"
    if scope and who.scopes is not None and scope not in who.scopes:
        return "forbidden"
    if row == "POST /login":  # no login yet, so only the origin of the page counts
        return "forbidden" if who.foreign or "cross-site" in who.name else "allowed"
    if scope and changes and not who.changes:
        return "forbidden"
    return "forbidden" if who.foreign and row in ORIGIN_CHECKED else "allowed"


async def ask(service: InProcess, row: str, headers: dict[str, str]) -> tuple[int, Any]:
    """Sends a request that changes nothing even if it is allowed."""
    method, path = row.split(" ", 1)
    for name, value in PATHS.items():
        path = path.replace(name, value)
    async with service.client.request(method, path, headers=headers, allow_redirects=False) as response:
        if response.status in (401, 403, 429):
            answer = await response.json()
            assert set(answer) == {"status", "message", "field"}
            challenges = response.headers.getall("WWW-Authenticate", [])
            assert [one.split()[0] for one in challenges] == (["Bearer", "Basic"] if response.status == 401 else [])
            return response.status, answer
        return response.status, await response.read()
