"""How answers look: one shape for success, one for every error, and what no request may do."""

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from aiohttp import HttpVersion11, hdrs, web
from multidict import CIMultiDict

from exporter.access.users import BusyError
from exporter.http.addresses import address_of
from exporter.http.headers import SECURITY
from exporter.http.hosts import KnownHosts
from exporter.http.refusals import Refusal, Refusals
from exporter.ingest.ingest import QueueFullError
from exporter.ingest.parse import ReportError
from exporter.service import Service
from exporter.store import StoreError

SERVICE: Final = web.AppKey("service", Service)
REFUSALS: Final = web.AppKey("refusals", Refusals)
HOSTS: Final = web.AppKey("hosts", KnownHosts)
PROBES: Final = ("/-/healthy", "/-/ready")
_PATH: Final = re.compile(r"""(?<![\w/.:])["']?(?:~|\.{1,2})?/[^\s"':,;)]*["']?""")
JSON_HEADERS: Final = CIMultiDict({hdrs.CONTENT_TYPE: "application/json"} | SECURITY)
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RetryLaterError(Exception):
    """A report could not be accepted now. `reason` is the label value of the counter of rejected reports, `body` the
    report."""

    def __init__(self, message: str, reason: str, body: bytes = b"") -> None:
        super().__init__(message)
        self.reason = reason
        self.body = body


class ApiError(Exception):
    """An answer other than success; `field` names the parameter that is wrong, `reason` how a refused report is
    counted, `body` is the report, if it is known. With `retry_after`, it may succeed after so many seconds."""

    def __init__(
        self, status: int, message: str, *, field: str = "", reason: str = "", retry_after: int = 0, body: bytes = b""
    ) -> None:
        super().__init__(message)
        self.body = body
        self.status = status
        self.field = field
        self.retry_after = retry_after
        self.reason = reason


def json_answer(content: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    every = JSON_HEADERS.copy()
    every.update(headers or {})
    return web.Response(body=_encode(content), status=status, headers=every)


def success(data: Any, message: str = "") -> web.Response:
    """`data` is an object, or is JSON already."""
    return web.Response(body=success_body(data, message), headers=JSON_HEADERS.copy())


def success_body(data: Any, message: str = "") -> bytes:
    """The body of `success`."""
    words = b',"message":' + _encode(message) if message else b""
    content = data if isinstance(data, bytes) else _encode(data)
    return b'{"status":"success"%s,"data":%s}' % (words, content)


def failure(status: int, message: str, field: str = "", *, retry_after: int = 0) -> web.Response:
    """The one shape of every error. Bytes of the request that are not UTF-8, and are repeated in it, are escaped."""
    headers = {"Retry-After": str(retry_after)} if retry_after else None
    content = {"status": "error", "message": _printable(message), "field": _printable(field)}
    return json_answer(content, status=status, headers=headers)


def without_paths(text: str) -> str:
    """Returns the first line of an error of the database or the log, without paths of this machine."""
    return _PATH.sub("(a file)", text.partition("\n")[0])


def _printable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Gives every error its shape and counts what was refused."""
    try:
        check_host(request)
        return await handler(request)
    except Exception as error:
        return error_answer(request, error)


def error_answer(request: web.Request, error: Exception) -> web.StreamResponse:
    """Returns the answer to a request that raised `error`; raises a redirect again."""
    match error:
        case ReportError():
            refuse(request, Refusal(error.reason, error.field))
            return failure(400, str(error), error.field)
        case ApiError():
            if error.reason:
                refuse(request, Refusal(error.reason, error.field, error.body))
            return failure(error.status, str(error), error.field, retry_after=error.retry_after)
        case QueueFullError():
            refuse(request, Refusal("queue_full"))
            return failure(503, "too many reports wait to be written; send it again", retry_after=1)
        case RetryLaterError():
            refuse(request, Refusal(error.reason, body=error.body))
            return failure(
                503, f"the report could not be stored; send it again ({without_paths(str(error))})", retry_after=5
            )
        case BusyError():
            return failure(503, f"{error}; try again", retry_after=1)
        case StoreError():
            return failure(
                503, f"the database cannot answer now; ask again ({without_paths(str(error))})", retry_after=5
            )
        case web.HTTPRequestEntityTooLarge():
            refuse(request, Refusal("too_large"))
            return failure(413, f"the body is larger than {request.app[SERVICE].settings.max_body_bytes} bytes")
        case web.HTTPException():
            if error.status < 400:
                raise error
            answer = failure(error.status, error.reason)
            if "Allow" in error.headers:
                answer.headers["Allow"] = error.headers["Allow"]
            return answer
        case web.RequestPayloadError():  # what is left of the body cannot be read past
            refuse(request, Refusal("malformed"))
            answer = failure(400, "the body cannot be read")
            answer.force_close()
            return answer
        case ConnectionError():  # the sender is gone, and nobody will read this
            return failure(400, "the request ended before its body did")
        case _:
            refuse(request, Refusal("internal_error"))
            _log.error("%s %s", request.method, request.path, exc_info=error)
            return failure(500, "an error of the service itself; its log on stderr has the details")


def refuse(request: web.Request, refusal: Refusal) -> None:
    """Counts a refused report, and logs who sent it."""
    request.app[REFUSALS].add(address_of(request), refusal)


def check_host(request: web.Request) -> None:
    """Refuses a request whose `Host` is not this service's: DNS rebinding (hosts.py). Raises `ApiError`.

    Every browser sends `Host`, so a request of HTTP/1.0 without it is answered; HTTP/1.1 requires the header."""
    values = request.headers.getall(hdrs.HOST, ())
    if len(values) != 1:
        if not values and request.version < HttpVersion11:
            return
        raise ApiError(400, "expected the header Host once", field="Host", reason="malformed")
    if request.host != values[0]:  # the request line has a whole address, as for a proxy
        values = [*values, request.host]
    hosts = request.app[HOSTS]
    for host in values:
        if not (hosts.accepts(host) or (request.path in PROBES and hosts.accepts_probe(host))):
            words = f"the host {host} is not allowed (setting allowed_hosts)"
            raise ApiError(403, words, field="Host", reason="forbidden_host")


def check_origin(request: web.Request) -> None:
    """Refuses what another site's page makes a browser send. Raises `ApiError`."""
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None or _host(origin) == request.host or origin == request.app[HOSTS].origin:
        return
    if origin not in request.app[SERVICE].settings.allowed_origins:
        raise ApiError(403, f"the origin {origin} is not allowed", field="Origin", reason="forbidden_origin")


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


async def allow_origin(request: web.Request, response: web.StreamResponse) -> None:
    """Lets the pages of allowed origins read what they are answered."""
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and origin in request.app[SERVICE].settings.allowed_origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers[hdrs.VARY] = ", ".join([*response.headers.getall(hdrs.VARY, ()), hdrs.ORIGIN])


async def preflight(request: web.Request) -> web.Response:
    """OPTIONS: what a browser asks before another origin's page may send a report."""
    check_origin(request)
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding, Idempotency-Key",
            "Access-Control-Max-Age": "600",
        },
    )
