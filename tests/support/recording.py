"""A service that records what is reported, in threads of the test's process, with scripted answers."""

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

from conftest import free_port


class Recording:
    """`requests` has a path and a body for each request, `reports` those that were stored, once for each event id.
    `answers` are given first: a status, a pair of status and headers, a callable, or "hang up"."""

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self.requests: list[tuple[str, Any]] = []
        self.authorizations: list[str | None] = []
        self.headers: list[dict[str, str]] = []  # of each request, names in lower case
        self.reports: list[dict[str, Any]] = []
        self.answers: list[Any] = []
        self.always: Any = None  # the answer to everything
        self._server: http.server.ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def messages(self) -> list[Any]:
        return [report.get("message") for report in self.reports]

    def start(self) -> None:
        recording = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                recording._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        sent = handler.rfile.read(int(handler.headers["Content-Length"]))
        body = json.loads(sent) if handler.headers["Content-Type"] == "application/json" else sent.decode()
        self.requests.append((handler.path, body))
        self.authorizations.append(handler.headers["Authorization"])
        self.headers.append({name.lower(): value for name, value in handler.headers.items()})
        answer = self.answers.pop(0) if self.answers else self.always
        reports = body if handler.path.endswith("errors") else [body]
        if answer == "hang up":
            handler.close_connection = True
            return
        if callable(answer):
            answer = answer(reports)
        headers: dict[str, str] = {}
        if isinstance(answer, tuple):
            answer, headers = answer
        if answer is None:
            for report in reports:
                if handler.path.startswith("/api/report-error") and not self._has(report):
                    self.reports.append(report)
            answer = {"status": "success", "data": {}}
            if handler.path.endswith("errors"):
                answer["data"] = {"results": [{"index": n, "status": "success"} for n in range(len(reports))]}
        status = answer if isinstance(answer, int) else answer.pop("code", 200)
        text = json.dumps({"status": "error", "message": "no"} if isinstance(answer, int) else answer).encode()
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(text)

    def _has(self, report: dict[str, Any]) -> bool:
        return any(known["event_id"] == report["event_id"] for known in self.reports)


@contextlib.contextmanager
def recording(*, started: bool = True) -> Iterator[Recording]:
    service = Recording()
    if started:
        service.start()
    try:
        yield service
    finally:
        service.stop()


def wait_for(check: Any, seconds: float = 15.0) -> Any:
    """Returns the result of `check` as soon as it is true. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (result := check()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return result
