"""Functions that report errors to the service. They log failures instead of raising, and are cheap to import.

`report_error` has the signature of the guide and needs an event loop; `report_error_sync` needs none. Both retry while
the service is unreachable or busy. They add an `event_id`, so that the service stores a report once, however often it
is sent.
"""

import asyncio
import datetime as dt
import http.client
import json
import logging
import math
import random
import time
import traceback
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from typing import Any, Final

TRIES: Final = 5  # about 3 s if connections are refused: longer than a restart of the service
TIMEOUT: Final = 10.0  # seconds per attempt
MAX_PAUSE: Final = 5.0  # seconds between two attempts, even if `Retry-After` is longer
AGAIN: Final = (429, 502, 503, 504)
PATH: Final = "/api/report-error"
_log = logging.getLogger(__name__)


async def report_error(dashboard_url: str, error_data: Mapping[str, Any]) -> bool:
    """Sends an error to the service at `dashboard_url` ("http://localhost:8080"). Returns whether it was stored."""
    import aiohttp

    try:
        body = _body(error_data)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session:
            for attempt in range(TRIES):
                try:
                    async with session.post(_url(dashboard_url), data=body, headers=_HEADERS) as response:
                        text = await response.text(errors="replace")
                        stored, pause = _judge(response.status, text, response.headers.get("Retry-After"), attempt)
                except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError) as error:
                    stored, pause = _away(error, attempt)
                if pause is None:
                    return stored
                await asyncio.sleep(pause)
    except Exception:
        _log.exception("an error could not be reported")
    return False


def report_error_sync(dashboard_url: str, error_data: Mapping[str, Any]) -> bool:
    """`report_error` for code without an event loop; blocks until the last attempt is over."""
    try:
        request = urllib.request.Request(_url(dashboard_url), _body(error_data), _HEADERS, method="POST")
        for attempt in range(TRIES):
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                    stored, pause = _judge(response.status, response.read().decode(errors="replace"), None, attempt)
            except urllib.error.HTTPError as error:
                with error:
                    text = error.read().decode(errors="replace")
                    stored, pause = _judge(error.code, text, error.headers.get("Retry-After"), attempt)
            except (OSError, http.client.HTTPException) as error:
                stored, pause = _away(error, attempt)
            if pause is None:
                return stored
            time.sleep(pause)
    except Exception:
        _log.exception("an error could not be reported")
    return False


def error_report(
    error: BaseException, *, worker_id: str, error_category: str | None = None, **fields: Any
) -> dict[str, Any]:
    """Returns a report of `error` in the guide's schema, with the state of this machine. `fields` override its keys."""
    from exporter.hardware import hardware_context, system_context

    return {
        "timestamp": dt.datetime.now(dt.UTC).isoformat(),
        "worker_id": worker_id,
        "type": type(error).__name__,
        "error_category": error_category,
        "message": str(error) or type(error).__name__,
        "traceback": "".join(traceback.format_exception(error)),
        "system_context": system_context(),
        "hardware_context": hardware_context(),
        **fields,
    }


_HEADERS: Final = {"Content-Type": "application/json"}


def _url(dashboard_url: str) -> str:
    return dashboard_url.rstrip("/") + PATH


def _body(error_data: Mapping[str, Any]) -> bytes:
    """Returns the report as JSON, with an `event_id` if it has none. Values that JSON lacks are converted."""
    report = {"event_id": str(uuid.uuid4()), **error_data}
    report["event_id"] = report["event_id"] or str(uuid.uuid4())
    return json.dumps(_plain(report, 0), allow_nan=False).encode()


def _plain(value: Any, depth: int) -> Any:
    """Returns `value` converted to JSON types: NaN and infinity become None, other objects their `str()`."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if depth > 30:
        return "…"
    if isinstance(value, Mapping):
        return {str(_plain(str(key), depth)): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return _plain(str(value), depth)


def _judge(status: int, text: str, retry_after: str | None, attempt: int) -> tuple[bool, float | None]:
    """Returns whether the error is stored, and the seconds until the next attempt (None: no further attempt)."""
    try:
        stored = status == 200 and json.loads(text).get("status") == "success"
    except (ValueError, AttributeError):
        stored = False
    if stored or status not in AGAIN or attempt + 1 == TRIES:
        if not stored:
            _log.warning("an error was not stored: %s %s", status, text[:500])
        return stored, None
    pause = float(retry_after) if retry_after and retry_after.isdigit() else _backoff(attempt)
    return False, min(pause, MAX_PAUSE)


def _away(error: Exception, attempt: int) -> tuple[bool, float | None]:
    if attempt + 1 == TRIES:
        _log.warning("an error was not reported, the service does not answer: %r", error)
        return False, None
    return False, _backoff(attempt)


def _backoff(attempt: int) -> float:
    pause: float = 0.2 * 2**attempt * random.uniform(0.5, 1.5)
    return pause
