"""Stands in front of the service for the routes that another change brings: POST /api/runs and POST /api/junit. They are
checked and kept; everything else goes to the service. To be deleted with that change: `front` is then the service
itself, and `summaries` reads GET /api/runs."""

import contextlib
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import jsonschema
import msgspec

_NUMBERS: Final = {"type": "object", "required": ["passed", "failed", "skipped", "errors"], "additionalProperties": {"type": "integer"}}  # fmt: skip
_LISTS: Final = {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}
_TEXT: Final = {"type": ["string", "null"]}
SUMMARY: Final = {
    "type": "object",
    "required": ["run", "worker_id", "started_at", "finished_at", "complete", "counts"],
    "additionalProperties": False,
    "properties": {
        "run": {
            "type": "object", "required": ["id"], "additionalProperties": False,
            "properties": dict.fromkeys(("id", "job", "suite", "commit", "branch", "user", "url"), _TEXT),
        },
        "worker_id": {"type": "string"},
        "started_at": {"type": "string"},
        "finished_at": _TEXT,
        "complete": {"type": "boolean"},
        "counts": _NUMBERS,
        "workers": {"type": "object", "additionalProperties": _LISTS},
    },
}  # fmt: skip
_JUNIT_PARAMETERS: Final = {"worker", "run", "job", "suite", "commit", "branch", "user", "url"}


class Front:
    """A service at `url` with all routes. `answers` are given by /api/junit first: a status each."""

    def __init__(self, upstream: str) -> None:
        self.upstream, self.url = upstream, ""
        self.answers: list[int] = []
        self.junit: list[tuple[dict[str, str], str]] = []  # parameters and text of each accepted file
        self.headers: list[dict[str, str]] = []
        self._summaries: dict[tuple[str, str], dict[str, Any]] = {}

    def summaries(self) -> list[dict[str, Any]]:
        """Returns the last summary of each run and sender."""
        return list(self._summaries.values())

    def answer(self, path: str, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(path)
        if parts.path == "/api/runs":
            try:
                summary = msgspec.json.decode(body)
                jsonschema.validate(summary, SUMMARY)
            except (msgspec.DecodeError, jsonschema.ValidationError) as error:
                return 400, {"status": "error", "message": str(error)}
            self._summaries[summary["run"]["id"], summary["worker_id"]] = summary
            return 200, {"status": "success", "data": {}}
        status = self.answers.pop(0) if self.answers else 200
        parameters = {name: value for name, (value, *_) in parse_qs(parts.query).items()}
        if status == 200 and not parameters.keys() <= _JUNIT_PARAMETERS:
            return 400, {"status": "error", "message": f"unknown parameters: {sorted(parameters)}"}
        if status == 200:
            try:
                count = len(list(ElementTree.fromstring(body).iter("testcase")))
            except ElementTree.ParseError as error:
                return 400, {"status": "error", "message": f"this is no XML: {error}"}
            self.junit.append((parameters, body.decode()))
            return 200, {"status": "success", "data": {"tests": count}}
        return status, {"status": "error", "message": f"scripted {status}"}


@contextlib.contextmanager
def front(upstream: str, port: int = 0) -> Iterator[Front]:
    """Serves on loopback in a thread of its own. `upstream` is the URL of the service."""
    made = Front(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.headers.append({name.lower(): value for name, value in self.headers.items()})
            if urlsplit(self.path).path in ("/api/runs", "/api/junit"):
                status, said = made.answer(self.path, body)
                self._send(status, msgspec.json.encode(said))
            else:
                names = ("Content-Type", "Content-Encoding", "Idempotency-Key", "Authorization")
                self._pass(body, {name: self.headers[name] for name in names if self.headers[name]})

        def do_GET(self) -> None:
            self._pass(None, {})

        def _pass(self, body: bytes | None, headers: dict[str, str]) -> None:
            try:
                with urllib.request.urlopen(urllib.request.Request(made.upstream + self.path, body, headers), timeout=10) as got:  # fmt: skip
                    self._send(got.status, got.read())
            except urllib.error.HTTPError as error:
                with error:
                    self._send(error.code, error.read())
            except OSError:
                self._send(503, b"{}")

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
