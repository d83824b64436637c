"""Reads the settings again while the service runs: SIGHUP and POST /-/reload.

settings file, variables ─┐
web config file ──────────┼─► is all of it good? ─► yes: use it; counters, alerts and connections go on
file of the tokens ───────┘                     └─► no:  change nothing, and say what is wrong
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from aiohttp import web

from exporter.access.control import Access
from exporter.access.token_file import TokenFileError
from exporter.access.web_config import WebConfig, WebConfigError
from exporter.config import ConfigError, Settings, merge
from exporter.http.answers import Reloaded
from exporter.http.parameters import refuse_unknown
from exporter.http.responses import ApiError, check_origin, success, without_paths
from exporter.redaction.rules_file import read_rules
from exporter.service import Service

_log = logging.getLogger(__name__)


class ReloadError(Exception):
    """The settings cannot be used. `field` is the name of the one that is wrong, "" if the settings file cannot be
    read."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class Reloader:
    """`load` reads the settings from their sources, as at the start; it raises `ConfigError`."""

    def __init__(
        self, service: Service, web_config: WebConfig, access: Access, load: Callable[[], Settings] | None
    ) -> None:
        self._service = service
        self._web_config = web_config
        self._access = access
        self._load = load or (lambda: service.settings)
        self._one = asyncio.Lock()

    async def reload(self) -> Reloaded:
        """Reads everything again and uses it. Raises `ReloadError`, which is logged and has changed nothing."""
        async with self._one:
            try:
                reloaded = await self._reload()
            except Exception as error:
                self._service.metrics.reloaded(successful=False)
                if isinstance(error, ReloadError):
                    _log.error("the settings were read again and cannot be used; nothing has changed: %s", error)
                raise
            self._service.metrics.reloaded(successful=True)
        changed, restart = ", ".join(reloaded.changed), ", ".join(reloaded.restart)
        _log.info(
            "the settings and the files that they name were read again; changed: %s; need a restart: %s",
            changed or "none", restart or "none",
        )  # fmt: skip
        return reloaded

    async def _reload(self) -> Reloaded:
        read_rules.cache_clear()
        try:
            merged = merge(self._service.settings, await asyncio.to_thread(self._load))
            use_settings = await self._service.prepare(merged.settings)
            use_web_config = self._web_config.read_again()
            self._access.tokens.read_again()  # the last that may fail
        except ConfigError as error:
            raise ReloadError(str(error), error.field) from None
        except WebConfigError as error:
            raise ReloadError(str(error), "web_config_file") from None
        except TokenFileError as error:
            raise ReloadError(str(error), "tokens_file") from None
        use_web_config()
        use_settings()
        return Reloaded(list(merged.changed), list(merged.restart))


RELOADER: Final = web.AppKey("reloader", Reloader)


async def reload(request: web.Request) -> web.Response:
    """POST /-/reload: reads the settings again."""
    check_origin(request)
    refuse_unknown(request)
    try:
        reloaded = await request.app[RELOADER].reload()
    except ReloadError as error:
        raise ApiError(400, without_paths(str(error)), field=error.field) from None
    return success(reloaded, "Settings reloaded")
