"""HTTP: one POST to the service. Only the sender's thread needs it, so what it imports is loaded there."""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from typing import IO

from error_visualization.answers import Answer, retry_after

TIMEOUT = 10.0  # seconds without any progress
MAX_ANSWER = 2**23  # bytes


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET without the report, and the token would go to another host."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Sends JSON to `url`. Raises OSError, `http.client.HTTPException` and ValueError."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers}, method="POST")
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=TIMEOUT) as response:
            return _answer(response.status, response, response.headers)
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error.code, error, error.headers)


def _answer(status: int, response: IO[bytes], headers: Message) -> Answer:
    text = ""
    with contextlib.suppress(OSError):
        text = response.read(MAX_ANSWER).decode(errors="replace")
    return Answer(status, text, retry_after(headers.get("Retry-After")))
