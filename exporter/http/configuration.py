"""Handler of the request for the settings."""

from aiohttp import web

from exporter.access.secrets import without_secrets
from exporter.config.settings import names
from exporter.http.answers import Configuration
from exporter.http.parameters import refuse_unknown
from exporter.http.responses import SERVICE, success


async def config(request: web.Request) -> web.Response:
    """GET /api/config: the settings that the service runs with."""
    refuse_unknown(request)
    settings = request.app[SERVICE].settings
    return success(Configuration({name: _shown(getattr(settings, name)) for name in names()}))


def _shown(value: bool | float | str | tuple[str, ...]) -> bool | float | str | list[str]:
    """Returns the value without user names, passwords and queries in addresses."""
    if isinstance(value, tuple):
        return [without_secrets(one) for one in value]
    return without_secrets(value) if isinstance(value, str) else value
