"""Sends reports to a service. (Scaffold: replaced by the spool and its delivery.)"""

from __future__ import annotations

import json
import os
import socket
import urllib.request
from collections.abc import Mapping
from typing import Any


class Reporter:
    """Reports errors to the service at `url`."""

    def __init__(
        self,
        url: str,
        *,
        worker_id: str | None = None,
        token: str | None = None,
        spool: str | os.PathLike[str] | None = None,
        block: float = 0.05,
    ) -> None:
        self.url, self.worker_id = url.rstrip("/"), worker_id or socket.gethostname()

    def report(self, fields: Mapping[str, Any]) -> bool:
        """Takes a report, completed with worker, time, event id, run and machine. Returns whether it is on disk."""
        body = json.dumps({"worker_id": self.worker_id, **fields}, default=str).encode()
        request = urllib.request.Request(
            self.url + "/api/report-error", body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return bool(response.status == 200)

    def post(self, path: str, body: Mapping[str, Any]) -> bool:
        """As `report`, for another path of the service, such as "/api/runs"."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body, default=str).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return bool(response.status == 200)

    def flush(self, timeout: float) -> bool:
        """Waits until everything is delivered, at most `timeout` seconds. Returns whether it is."""
        return True

    def close(self, timeout: float = 2.0) -> None:
        """Delivers what it can in `timeout` seconds; the rest stays in the spool for the next process."""
