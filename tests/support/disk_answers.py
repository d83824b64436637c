"""Requests to a service whose disk is full or whose files are gone, with the status and headers of each answer."""

import json
import urllib.error
import urllib.request
from typing import Any

from conftest import REPORT, Served


def answer(service: Served, path: str, body: Any = None) -> tuple[int, Any, Any]:
    """Returns status, headers and body of an answer."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(service.url + path, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.headers, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.load(error)


def report(service: Served, event_id: str, size: int = 100) -> tuple[int, Any, Any]:
    return answer(service, "/api/report-error", REPORT | {"event_id": event_id, "traceback": "x" * size})


def send(service: Served, prefix: str, count: int, size: int = 100) -> list[str]:
    """Sends reports until one is refused; returns the event_ids of the accepted ones."""
    accepted = []
    for number in range(count):
        status, _, _ = report(service, f"{prefix}{number}", size)
        if status != 200:
            break
        accepted.append(f"{prefix}{number}")
    return accepted
