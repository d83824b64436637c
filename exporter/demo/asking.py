"""Requests of the demo to the service."""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from exporter.access.secrets import without_secrets
from exporter.logs import printable

MAX_WAIT: Final = 10.0
_log = logging.getLogger(__name__)


class DeniedError(Exception):
    """The service does not let the demo do this, or the demo must not do it there."""


async def ask(
    session: aiohttp.ClientSession, method: str, url: str, content: Any = None, query: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Sends a request and returns the JSON of the response. Retries with backoff on connection errors, 429 and 5xx.
    Raises `DeniedError` for 401 and 403, and logs other refusals."""
    for attempt in itertools.count():
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with session.request(method, url, json=content, params=query) as response:
                if response.status < 500 and response.status != 429:
                    answer: dict[str, Any] = await response.json()
                    message = printable(str(answer.get("message")))
                    if response.status in (401, 403):
                        raise DeniedError(f"{without_secrets(url)}: {without_secrets(message)}")
                    if response.status >= 400:
                        _log.warning("refused: %s", message)
                    return answer
        if attempt == 2:
            _log.info("%s does not answer; retrying", without_secrets(url))
        await asyncio.sleep(min(0.2 * 2**attempt, MAX_WAIT))
    raise AssertionError
