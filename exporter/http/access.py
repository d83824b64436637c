"""Asks each request who sends it, and whether that caller may do this. A plain report does not come here while access
control is off, or if its token was seen before (shortcut.py).

    check_host ─► is access control on? ─► does the route need a scope? ─► who is it?  ─► the scope ─► CSRF ─► handler
    403           no: anybody may          no: anybody may                 401           403          403

Who it is says the header of a trusted proxy, else `Authorization`, else the cookie of a session, else a client
certificate. The first that is there decides: a wrong token is refused even if there is a good cookie. Requests of
another protocol may have the token in a place of their own (`SECRETS`), which is looked at after `Authorization`.

A browser sends cookies, passwords that it remembers, and certificates by itself, also when a page of another site makes
it send a request. So a change that is authorised by one of these needs proof that our own page sends it.
"""

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from aiohttp import WSCloseCode, hdrs, web
from multidict import istr

from exporter.access.caller import ANYBODY, Caller, Scope
from exporter.access.control import Access, Identity, TooManyAttemptsError
from exporter.access.tokens import names_of
from exporter.http.addresses import ACCESS, address_of
from exporter.http.refusals import Refusal
from exporter.http.responses import SERVICE, ApiError, Handler, check_origin, failure, refuse
from exporter.live.client import GOODBYE_SECONDS

SCOPES: Final = web.AppKey("scopes", dict[web.AbstractRoute, Scope])
SECRETS: Final = web.AppKey("secrets", dict[web.AbstractRoute, Callable[[web.Request], Awaitable[str]]])
SOCKETS: Final = web.AppKey("sockets", dict[web.WebSocketResponse, web.Request])
CALLER: Final = web.RequestKey("caller", Caller)  # who sends the request
IDENTITY: Final = web.RequestKey("identity", Identity)  # and how that is known; absent where access control is off
REALM: Final = "error-visualization"
AUTHORIZATION: Final = "Authorization"  # as `field` of an error
CSRF: Final = "X-CSRF-Token"
RECHECK_SECONDS: Final = 2.0  # between two looks whether the clients of WebSockets still may read
COOKIE: Final = "error_visualization_session"
_SAFE: Final = (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS)
_FETCH_SITE: Final = istr("Sec-Fetch-Site")
_FETCH_MODE: Final = istr("Sec-Fetch-Mode")
_NOBODY: Final = Caller("", Scope(0))
_log = logging.getLogger(__name__)


@web.middleware
async def check_access(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Sets `request[CALLER]`, or refuses the request. Inside of `answer_errors`."""
    app = request.app
    access = app[ACCESS]
    if not access.is_on:
        request[CALLER] = ANYBODY
        return await handler(request)
    scope = app[SCOPES].get(request.match_info.route)
    if not scope:
        if scope is None and request.match_info.http_exception is None:
            raise LookupError(f"the route {request.path} has no scope")
        request[CALLER] = _NOBODY
        return await handler(request)
    try:
        identity = await _identify(request, access)
    except TooManyAttemptsError as error:
        return failure(429, str(error), AUTHORIZATION, retry_after=error.seconds)
    if identity is None:
        return _ask_who(request, scope)
    caller = identity.caller
    if scope not in caller.scopes:
        return _forbid(request, scope, identity)
    if request.method not in _SAFE:
        check_csrf(request, identity)
        if scope is Scope.ADMIN:
            _log.info("%s %s by %r from %s", request.method, request.path, caller.name, address_of(request))
    request[CALLER] = caller
    request[IDENTITY] = identity
    return await handler(request)


def scopes_of(app: web.Application, scopes: Mapping[tuple[str, Any], Scope]) -> dict[web.AbstractRoute, Scope]:
    """Returns the scope of each route of `app`. `scopes` has it by method and handler. Raises LookupError for a route
    without one, so that none can be forgotten."""
    found = {}
    for route in app.router.routes():
        method = hdrs.METH_GET if route.method == hdrs.METH_HEAD else route.method
        if (method, route.handler) not in scopes:
            raise LookupError(f"the route {method} {route.resource} has no scope")
        found[route] = scopes[method, route.handler]
    return found


def require_scope(request: web.Request, scope: Scope, why: str) -> None:
    """Raises `ApiError` unless the caller has a scope that only some requests to this path need; `why` names them."""
    if scope not in request[CALLER].scopes:
        (name,) = names_of(scope)
        raise ApiError(403, f"{why} needs the scope {name}", reason="forbidden_scope")


def session_cookie(request: web.Request) -> str:
    """Returns the id of the session that the browser sent, "" for none."""
    return request.cookies.get(cookie_name(request), "") if hdrs.COOKIE in request.headers else ""


def cookie_name(request: web.Request) -> str:
    """`__Host-` makes a browser refuse the cookie from any other host, and without TLS."""
    return f"__Host-{COOKIE}" if is_secure(request) else COOKIE


def is_secure(request: web.Request) -> bool:
    """Whether browsers reach the service by https: directly, or through the proxy of `external_url`."""
    return request.secure or request.app[SERVICE].settings.external_url.startswith("https:")


def check_csrf(request: web.Request, identity: Identity) -> None:
    """Refuses a change that a page of another site makes the browser send. Raises `ApiError`."""
    if identity.csrf is not None:
        sent = request.headers.get(CSRF, "")
        if not hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), identity.csrf().encode()):
            words = "expected the csrf_token of GET /api/session; load the page again"
            raise ApiError(403, f"{CSRF}: {words}", field=CSRF, reason="forbidden_csrf")
    elif identity.method != "token":
        check_own_origin(request)


def check_own_origin(request: web.Request) -> None:
    """Refuses what a browser sends for a page that is not our own; `allowed_origins` are not our own either. Raises
    `ApiError`."""
    site = request.headers.get(_FETCH_SITE, "none")
    if site == "none":
        check_origin(request)
    if site not in ("same-origin", "none") or (
        request.headers.get(hdrs.ORIGIN) in request.app[SERVICE].settings.allowed_origins
    ):
        words = "a page of another site must not send this with your login"
        raise ApiError(403, words, field="Origin", reason="forbidden_origin")


async def watch_sockets(app: web.Application) -> AsyncIterator[None]:
    """Disconnects WebSocket clients whose token, session or user is no longer valid."""
    task = asyncio.create_task(_watch(app))
    yield
    task.cancel()
    await app[ACCESS].sessions.close()


async def _watch(app: web.Application) -> None:
    leaving: set[asyncio.Task[None]] = set()
    while True:
        await asyncio.sleep(RECHECK_SECONDS)
        for socket, request in list(app[SOCKETS].items()):
            identity = request.get(IDENTITY)
            is_valid = not app[ACCESS].is_on if identity is None else identity.is_valid()
            if not is_valid and not socket.closed:
                task = asyncio.create_task(_hang_up(socket, request))
                leaving.add(task)
                task.add_done_callback(leaving.discard)


async def _hang_up(socket: web.WebSocketResponse, request: web.Request) -> None:
    try:
        async with asyncio.timeout(GOODBYE_SECONDS):
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"no longer logged in")
    except (TimeoutError, ConnectionError, RuntimeError):
        pass  # it is gone, or does not listen
    if request.transport is not None:
        request.transport.abort()


async def _identify(request: web.Request, access: Access) -> Identity | None:
    """Returns who sends the request, None for nobody or a wrong secret. Raises `TooManyAttemptsError`."""
    headers = request.headers
    if access.proxy_header:
        identity = access.by_proxy(request.remote or "", headers.getall(access.proxy_header, ()))
        if identity is not None:
            return identity
    values = headers.getall(hdrs.AUTHORIZATION, ())
    if values:
        return await access.by_authorization(values[0], address_of(request)) if len(values) == 1 else None
    secret_of = request.app.get(SECRETS, {}).get(request.match_info.route)
    if secret_of is not None and (secret := await secret_of(request)):
        return await access.by_authorization(f"Bearer {secret}", address_of(request))
    if cookie := session_cookie(request):
        return access.by_session(cookie)
    return access.by_certificate()


def _ask_who(request: web.Request, scope: Scope) -> web.StreamResponse:
    """Returns 401; a browser that opens a page is led to the login. Only reports count as rejected reports."""
    has_page = request.app[SERVICE].settings.error_visualization
    if has_page and _is_navigation(request):
        raise web.HTTPSeeOther(f"/login?next={quote(request.raw_path, safe='')}")
    if scope is Scope.REPORT:
        refuse(request, Refusal("unauthenticated", AUTHORIZATION))
    given = hdrs.AUTHORIZATION in request.headers
    words = "the token or password is wrong, or no longer valid" if given else "this needs a token or a login"
    answer = failure(401, f"{words}: send Authorization: Bearer TOKEN", AUTHORIZATION)
    answer.headers.add(hdrs.WWW_AUTHENTICATE, f'Bearer realm="{REALM}"')
    if not (has_page and _FETCH_MODE in request.headers):  # to our own page, the browser would open a dialog of its own
        answer.headers.add(hdrs.WWW_AUTHENTICATE, f'Basic realm="{REALM}", charset="UTF-8"')
    return answer


def _is_navigation(request: web.Request) -> bool:
    """Whether a person opens this address in a browser."""
    return (
        request.method in (hdrs.METH_GET, hdrs.METH_HEAD)
        and "text/html" in request.headers.get(hdrs.ACCEPT, "")
        and request.headers.get(_FETCH_MODE, "navigate") == "navigate"
        and hdrs.AUTHORIZATION not in request.headers
    )


def _forbid(request: web.Request, scope: Scope, identity: Identity) -> web.StreamResponse:
    if scope is Scope.REPORT:
        refuse(request, Refusal("forbidden_scope", AUTHORIZATION))
    (needed,) = names_of(scope)
    has = ", ".join(names_of(identity.caller.scopes)) or "none"
    return failure(403, f"this needs the scope {needed}; {identity.caller.name} has: {has}", AUTHORIZATION)


def own_path(text: str, default: str) -> str:
    """Returns `text` if it leads to a path of this service, else `default`: a link to the login must not lead on to
    another site."""
    plain = text.isascii() and text.isprintable() and "\\" not in text and " " not in text
    if not plain or not text.startswith("/") or text.startswith("//"):
        return default
    try:
        parts = urlsplit(text)
    except ValueError:
        return default
    return text if not parts.netloc and not parts.scheme else default
