"""The short way of a report to its handler: not through aiohttp's router, and without asking who sends it.

It saves a twelfth of the time of a single report (docs/performance.md), because each worker always sends the same
request. On this way, too, `Host` is checked and errors have their shape. A query, `Origin`, `Expect`, access control,
or another spelling of the path lead to the long way.
"""

from typing import Any, Final

from aiohttp import hdrs, web

from exporter.access.caller import ANYBODY
from exporter.http.access import CALLER
from exporter.http.addresses import ACCESS
from exporter.http.reports import report_error
from exporter.http.responses import Handler, answer_errors

PATH: Final = "/api/report-error"


def with_shortcut(app: web.Application, long_way: Handler) -> Handler:
    """Returns a handler that takes the short way of a report where it may, else `long_way`. `app` has its routes."""
    route = next(route for route in app.router.routes() if route.handler is report_error)
    found = web.UrlMappingMatchInfo({}, route)  # what the router finds; nothing in it depends on the request
    found.add_app(app)
    found.freeze()
    access = app[ACCESS]

    async def handle(request: Any) -> web.StreamResponse:
        headers = request.headers
        if (
            request.raw_path != PATH
            or request.method != hdrs.METH_POST
            or access.is_on
            or hdrs.ORIGIN in headers
            or hdrs.EXPECT in headers
        ):
            return await long_way(request)
        request._match_info = found
        request[CALLER] = ANYBODY
        return await answer_errors(request, report_error)

    return handle
