"""Functions that report errors to the service. They log failures instead of raising, and are cheap to import.

`report_error` has the signature of the guide and needs an event loop; `report_error_sync` needs none. Both retry while
the service is unreachable or busy. They add an `event_id`, so that the service stores a report once, however often it
is sent. If the service needs a token, they take it from the variable ERROR_VISUALIZATION_TOKEN, or from the file that
ERROR_VISUALIZATION_TOKEN_FILE names.
"""

import asyncio
import datetime as dt
import http.client
import io
import itertools
import json
import logging
import math
import numbers
import os
import random
import time
import traceback
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

TRIES: Final = 5  # about 3 s if connections are refused: longer than a restart of the service
TIMEOUT: Final = 10.0  # seconds per attempt
MAX_PAUSE: Final = 5.0  # seconds between two attempts, even if `Retry-After` is longer
AGAIN: Final = (429, 502, 503, 504)
MAX_BODY: Final = 4_000_000  # bytes; the service takes 4 MiB, unless its `max_body_bytes` says otherwise
MAX_TEXTS: Final = (
    MAX_BODY,
    200_000,
    20_000,
    2_000,
)  # characters of a text; the next is tried if a report is too large
MAX_ITEMS: Final = 10_000  # of a list or an object
PATH: Final = "/api/report-error"
_log = logging.getLogger(__name__)


async def report_error(dashboard_url: str, error_data: Mapping[str, Any]) -> bool:
    """Sends an error to the service at `dashboard_url` ("http://localhost:8080"). Returns whether it was stored."""
    import aiohttp

    try:
        body, headers = _body(error_data), _HEADERS | authorization()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session:
            for attempt in range(TRIES):
                try:
                    data = io.BytesIO(body)  # aiohttp warns of large `bytes`
                    async with session.post(_url(dashboard_url), data=data, headers=headers) as response:
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
        for name, value in authorization().items():
            request.add_unredirected_header(name, value)  # never to another host
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
        "message": _text_of(error) or type(error).__name__,
        "traceback": _traceback(error),
        "system_context": system_context(),
        "hardware_context": hardware_context(),
        **fields,
    }


def authorization(token_file: str | None = None) -> dict[str, str]:
    """Returns the header with the token from `token_file`, else from the environment; {} for none. Raises OSError, and
    ValueError for a file without a token."""
    file = token_file or os.environ.get("ERROR_VISUALIZATION_TOKEN_FILE")
    token = "" if token_file else os.environ.get("ERROR_VISUALIZATION_TOKEN", "").strip()
    if file and not token:
        token = Path(file).read_text("utf-8").strip()
        if not token:
            raise ValueError(f"{file} has no token")
    if not token.isascii() or not token.isprintable():
        raise ValueError("a token has no other characters than letters, digits and _")
    return {"Authorization": f"Bearer {token}"} if token else {}


_HEADERS: Final = {"Content-Type": "application/json"}


def _url(dashboard_url: str) -> str:
    return dashboard_url.rstrip("/") + PATH


def _body(error_data: Mapping[str, Any]) -> bytes:
    """Returns the report as JSON, with an `event_id` if it has none. Values that JSON lacks are converted. If the JSON
    would be longer than `MAX_BODY`, long texts are cut, and if that is not enough, the contexts are left out."""
    report = {"event_id": str(uuid.uuid4()), **error_data}
    report["event_id"] = report["event_id"] or str(uuid.uuid4())
    body = b""
    for most in MAX_TEXTS:
        body = _encoded(report, most)
        if len(body) <= MAX_BODY:
            return body
    _log.warning("a report of %d bytes is too large: it is sent without its contexts", len(body))
    return _encoded({name: _short(report[name]) for name in _SHORT if report.get(name) is not None}, MAX_TEXTS[-1])


_SHORT: Final = ("event_id", "timestamp", "worker_id", "type", "error_category", "message", "traceback")


def _short(value: Any) -> Any:
    return value if isinstance(value, int | float | dt.datetime) else _text_of(value)


def _encoded(report: Mapping[str, Any], most: int) -> bytes:
    return json.dumps(_plain(report, 0, most), allow_nan=False).encode()


def _plain(value: Any, depth: int, most: int) -> Any:
    """Returns `value` converted to JSON types: NaN and infinity become None, other objects their `str()`. A text longer
    than `most` characters is cut."""
    if isinstance(value, numbers.Number) or hasattr(value, "dtype"):
        value = _python_number(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return _cut(value, most).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if depth > 30:
        return "…"
    if isinstance(value, Mapping):
        items = itertools.islice(value.items(), MAX_ITEMS)
        return {_plain(_text_of(key), depth, most): _plain(item, depth + 1, most) for key, item in items}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1, most) for item in itertools.islice(value, MAX_ITEMS)]
    if isinstance(value, bytes):
        return _plain(value.decode(errors="replace"), depth, most)
    return _plain(_text_of(value), depth, most)


def _python_number(value: Any) -> Any:
    """Returns a number of NumPy or PyTorch, or an array with one item, as Python's own; anything else as it is."""
    if isinstance(value, bool | int | float):
        return value
    try:
        if isinstance(value, numbers.Integral):
            return int(value)
        if isinstance(value, numbers.Real):
            return float(value)
        item = value.item()
    except Exception:  # an array of several items, or another library's object
        return value
    return item if isinstance(item, bool | int | float) else value


def _cut(text: str, most: int) -> str:
    """Returns `text`; if it is longer than `most` characters, a quarter of them from its beginning, the rest from its
    end, where a traceback names the error."""
    if len(text) <= most:
        return text
    first = most // 4
    last = most - first
    return f"{text[:first]}\n… {len(text) - most} characters left out …\n{text[-last:]}"


def _text_of(value: Any) -> str:
    """Returns `str(value)`, also of an object whose own conversion to text fails."""
    for convert in (str, repr):
        try:
            return convert(value)
        except Exception:
            _log.debug("an object of the type %s has no text", type(value).__name__, exc_info=True)
    return f"<{type(value).__name__}>"


def _traceback(error: BaseException) -> str | None:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # the traceback module calls methods of the error
        _log.debug("a traceback cannot be formatted", exc_info=True)
        return None


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
