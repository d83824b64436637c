"""Writes what the real senders send, decompressed, to `tests/fixtures/protocols`: `python tests/sdks/capture.py`."""

import http.server
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path[:0] = [str(Path(__file__).parents[1] / "support"), str(Path(__file__).parents[2])]
from sdks import PROGRAMS, ROOT, run  # noqa: E402

from exporter.http.inflate import inflate  # noqa: E402

OUT = ROOT / "tests/fixtures/protocols"
LONG = 20_000  # bytes; the message that is long enough to be compressed is of no use here
PROGRAM = {
    "sentry-python": ("sentry_python.py",),
    "sentry-node": ("sentry_node.cjs",),
    "otel-python": ("otel_python.py",),
    "otel-node": ("otel_node.cjs", "http"),
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
        if encoding := self.headers.get("Content-Encoding"):
            body = inflate(body, encoding, 10_000_000)
        server.found.append((urlsplit(self.path).path, self.headers.get("Content-Type", ""), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def main() -> None:
    OUT.mkdir(exist_ok=True)
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        for file in PROGRAMS.glob("*.*"):
            shutil.copy(file, folder)
        for name, (program, *more) in PROGRAM.items():
            server.found = []
            run(program, f"http://127.0.0.1:{server.server_port}", *more, folder=Path(folder))
            for number, (path, type_, body) in enumerate(sorted(server.found, key=lambda one: one[0])):
                kind = path.strip("/").rpartition("/")[2]
                ending = "json" if "json" in type_ else "pb" if "protobuf" in type_ else "txt"
                for place in (folder, str(ROOT)):  # as long as before, since protobuf counts the bytes
                    body = body.replace(place.encode(), b"/" + b"s" * (len(place) - 1))
                if len(body) < LONG:
                    (OUT / f"{name}-{number}-{kind}.{ending}").write_bytes(body)
    server.shutdown()


if __name__ == "__main__":
    main()
