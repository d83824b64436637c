"""The handler of the request about the service itself."""

import msgspec
from aiohttp import web

from exporter import __version__
from exporter.events.event import isoformat
from exporter.http.answers import Period, ServiceState
from exporter.http.parameters import refuse_unknown
from exporter.http.reads import now
from exporter.http.responses import SERVICE, success
from exporter.revision import revision

_encode = msgspec.json.Encoder().encode


async def service_state(request: web.Request) -> web.Response:
    """GET /api/service: the version of the service, and when it ran."""
    refuse_unknown(request)
    *earlier, present = request.app[SERVICE].presence.periods
    ran = [Period(isoformat(present.began), isoformat(now()))]
    ran += [Period(isoformat(one.began), isoformat(one.ended)) for one in reversed(earlier)]
    return success(_encode(ServiceState(version=__version__, revision=revision(), started_at=ran[0].since, ran=ran)))
