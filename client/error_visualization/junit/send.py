"""Sends one file to `/api/junit`, again and again while the service is away."""

from __future__ import annotations

import hashlib
import http.client
import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

PATH = "/api/junit"
TIMEOUT = 60.0  # seconds an attempt
MOST_PAUSE = 5.0  # seconds between two attempts
AGAIN = (429, 502, 503, 504)


class Answer(NamedTuple):
    """`said` is a sentence without its subject: "was stored: 3 errors"."""

    accepted: bool
    said: str


class Service:
    """Where files are sent. `parameters` say which worker and run they belong to."""

    def __init__(self, url: str, headers: Mapping[str, str], parameters: Mapping[str, str], wait: float) -> None:
        """`headers` are sent to this service only, never to one that it redirects to. `wait` is how many seconds a
        service that is away is waited for, for all files together."""
        self._url = url.rstrip("/") + PATH
        self._parameters = {name: value for name, value in parameters.items() if value}
        self._headers = headers
        self._until = time.monotonic() + wait

    def send(self, body: bytes, pause: Callable[[float], None] = time.sleep) -> Answer:
        """Returns what the service answered to a file. Raises nothing that has to do with it."""
        request = urllib.request.Request(f"{self._url}?{urlencode(self._parameters)}", body, method="POST")
        request.add_header("Content-Type", "application/xml")
        request.add_header("Idempotency-Key", self._key(body))
        for name, value in self._headers.items():
            request.add_unredirected_header(name, value)
        attempt = 0
        while True:
            answer, seconds = _tried(request, attempt)
            if seconds is None or time.monotonic() + seconds > self._until:
                return answer
            pause(seconds)
            attempt += 1

    def _key(self, body: bytes) -> str:
        """The same file of the same run has the same key, so that it is stored once."""
        return hashlib.sha256(json.dumps(self._parameters, sort_keys=True).encode() + b"\0" + body).hexdigest()[:32]


def _tried(request: urllib.request.Request, attempt: int) -> tuple[Answer, float | None]:
    """Returns the answer to one attempt, and the seconds until the next one (None: there is none)."""
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            return Answer(True, _stored(response.read())), None
    except urllib.error.HTTPError as error:
        with error:
            text, after = error.read(65_536), error.headers.get("Retry-After") or ""
        pause = None
        if error.code in AGAIN:
            pause = min(float(after), MOST_PAUSE) if after.isdigit() else _backoff(attempt)
        return Answer(False, _refused(error.code, text)), pause
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        return Answer(False, f"was not sent: the service does not answer ({reason})"), _backoff(attempt)


def _stored(text: bytes) -> str:
    try:
        data = json.loads(text)["data"]
    except (ValueError, KeyError, TypeError):
        data = None
    if not isinstance(data, dict):
        return "was accepted"
    counts, refused = data.get("counts"), data.get("refused")
    parts = [f"{value} {name}" for name, value in counts.items()] if isinstance(counts, dict) else []
    said = "was accepted" + (f": {', '.join(parts)}" if parts else "")
    if isinstance(refused, list) and refused:
        first = refused[0].get("message") if isinstance(refused[0], dict) else refused[0]
        said += f"; not all failures were stored: {first}"
    return said + (f"; {data['warning']}" if data.get("warning") else "")


def _refused(status: int, text: bytes) -> str:
    try:
        message = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        message = text.decode("utf-8", "replace").strip()[:200]
    if status == 404:
        message = f"this service has no {PATH}; is the URL right, and the service new enough?"
    return f"was refused with {status}: {message}"


def _backoff(attempt: int) -> float:
    return min(0.2 * 2.0**attempt, MOST_PAUSE) * random.uniform(0.5, 1.5)
