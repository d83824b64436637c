"""A second address that serves metrics and probes only, for a network in which Prometheus is and nobody else should be.

It has the same TLS, access control and limits as the first one, and names of its own in `Host`.
"""

from typing import Final

from aiohttp import web

from exporter.access.caller import Scope
from exporter.config import Settings
from exporter.http import reads
from exporter.http.access import SCOPES, check_access, scopes_of
from exporter.http.addresses import ACCESS
from exporter.http.headers import WEB_CONFIG, secure
from exporter.http.hosts import KnownHosts
from exporter.http.responses import HOSTS, REFUSALS, SERVICE, answer_errors

HANDLERS: Final = {
    "/metrics": (reads.metrics, Scope.READ),
    "/-/healthy": (reads.healthy, Scope(0)),
    "/-/ready": (reads.ready, Scope(0)),
}


def make_metrics_app(main: web.Application, settings: Settings) -> web.Application:
    """Returns the application of the second address, which shares the parts of `main`. `settings` has its host."""
    app = web.Application(middlewares=[answer_errors, check_access])
    app[SERVICE] = main[SERVICE]
    app[ACCESS] = main[ACCESS]
    app[REFUSALS] = main[REFUSALS]
    app[WEB_CONFIG] = main[WEB_CONFIG]
    app[reads.SCRAPES] = main[reads.SCRAPES]
    app[HOSTS] = KnownHosts(settings)
    app.on_response_prepare.append(secure)
    app.add_routes([web.get(path, handler) for path, (handler, _) in HANDLERS.items()])
    app[SCOPES] = scopes_of(app, {("GET", handler): scope for handler, scope in HANDLERS.values()})
    return app
