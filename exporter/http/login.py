"""Sessions of people: the page on which they log in, logging out, and what the page may know about its reader."""

import html
from typing import Final
from urllib.parse import parse_qs

from aiohttp import hdrs, web

from exporter.access.control import TooManyAttemptsError
from exporter.access.sessions import LONGEST_SECONDS
from exporter.access.tokens import names_of
from exporter.http.access import (
    CALLER,
    IDENTITY,
    check_own_origin,
    cookie_name,
    is_secure,
    own_path,
    session_cookie,
)
from exporter.http.addresses import ACCESS, address_of
from exporter.http.answers import Session
from exporter.http.arriving import received
from exporter.http.pages import HEADERS, PAGE
from exporter.http.parameters import refuse_unknown
from exporter.http.responses import SERVICE, ApiError, check_origin, success

HOME: Final = "/error-visualization"
FORM: Final = "application/x-www-form-urlencoded"
MAX_FORM: Final = 16_384  # bytes
# With no-referrer, as on other pages, a browser sends "null" as the origin of the form.
_HEADERS: Final = HEADERS | {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


async def login_page(request: web.Request) -> web.StreamResponse:
    """GET /login: the form. `next` is the path that the login leads to."""
    following = own_path(request.query.get("next", HOME), HOME)
    if not request.app[ACCESS].is_on:
        raise web.HTTPSeeOther(following)
    return _form(request, following)


async def log_in(request: web.Request) -> web.StreamResponse:
    """POST /login: begins a session, with a new id, and leads to `next`."""
    check_own_origin(request)
    access = request.app[ACCESS]
    if not access.is_on:
        raise web.HTTPSeeOther(HOME)
    given = await _fields(request)
    following = own_path(given.get("next", HOME), HOME)
    try:
        name, password = given.get("name", "").strip(), given.get("password", "")
        id_ = await access.log_in(name, password, address_of(request))
    except TooManyAttemptsError as error:
        answer = _form(request, following, f"Too many failed logins. Try again in {error.seconds} s.", 429)
        answer.headers[hdrs.RETRY_AFTER] = str(error.seconds)
        return answer
    if id_ is None:
        return _form(request, following, "Name or password is wrong, or the token may not read.", 401)
    await access.sessions.end(session_cookie(request))
    answer = web.Response(status=303, headers={hdrs.LOCATION: following, hdrs.CACHE_CONTROL: "no-store"})
    answer.set_cookie(cookie_name(request), id_, max_age=LONGEST_SECONDS, path="/", secure=is_secure(request),
                      httponly=True, samesite="Lax")  # fmt: skip  # Strict would break links in messages
    return answer


async def log_out(request: web.Request) -> web.StreamResponse:
    """POST /logout: ends the session."""
    check_origin(request)
    await request.app[ACCESS].sessions.end(session_cookie(request))
    answer = success({"logged_out": True}, "Logged out")
    answer.del_cookie(cookie_name(request), path="/", secure=is_secure(request), httponly=True, samesite="Lax")
    return answer


async def session(request: web.Request) -> web.Response:
    """GET /api/session: who the caller is, and what it may do."""
    refuse_unknown(request)
    caller, identity = request[CALLER], request.get(IDENTITY)
    answer = success(
        Session(
            user=caller.name,
            method=identity.method if identity else "none",
            scopes=names_of(caller.scopes),
            csrf_token=identity.csrf() if identity and identity.csrf else "",
        )
    )
    answer.headers[hdrs.CACHE_CONTROL] = "no-store"
    return answer


async def _fields(request: web.Request) -> dict[str, str]:
    """Returns the fields of the form. Raises `ApiError`."""
    if request.content_type != FORM or hdrs.CONTENT_ENCODING in request.headers:
        raise ApiError(415, f"expected {FORM}", field="Content-Type", reason="unsupported_type")
    try:
        body = await received(request, MAX_FORM)
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, f"a login has at most {MAX_FORM} bytes", reason="too_large") from None
    try:
        found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        raise ApiError(400, "the form cannot be read", reason="malformed") from None
    return {name: values[0] for name, values in found.items()}


def _form(request: web.Request, following: str, problem: str = "", status: int = 200) -> web.Response:
    theme = request.app[SERVICE].settings.theme
    text = (PAGE / "login.html").read_text("utf-8").replace('data-theme="system"', f'data-theme="{theme}"', 1)
    text = text.replace('value=""', f'value="{html.escape(following)}"', 1)
    text = text.replace('role="alert"></p>', f'role="alert">{html.escape(problem)}</p>', 1)
    return web.Response(text=text, status=status, content_type="text/html", headers=_HEADERS)
