"""What is not a request of HTTP, and what is not UTF-8, is answered as every error: one JSON object, no traceback, no words of
the parser, and never a 500."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Served

pytestmark = pytest.mark.dashboard
HOST = b"Host: localhost\r\n"
END = b"Connection: close\r\n\r\n"
POST = b"POST /api/report-error HTTP/1.1\r\n" + HOST
SOCKET = b"GET /ws/error-visualization HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
REPORT = b'{"worker_id":"w","message":"abc"}'
HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(100)  # of TLS

NO_REQUEST = {
    "words": b"hello\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": HELLO + b"\r\n\r\n",
    "HTTP/3.7": b"GET / HTTP/3.7\r\n" + HOST + b"\r\n",
    "no path": b"GET foo HTTP/1.1\r\n" + HOST + END,
    "a port that is none": b"GET http://localhost:99999/ HTTP/1.1\r\n" + HOST + END,
    "an address that is none": b"GET http://[::1 HTTP/1.1\r\n" + HOST + END,
    "a method that is none": b"BREW / HTTP/1.1\r\n" + HOST + END,
    "line feeds only": b"GET /-/healthy HTTP/1.1\nHost: localhost\n\n",
    "a continued header": b"GET /-/healthy HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "a space before the colon": b"GET /-/healthy HTTP/1.1\r\n" + HOST + b"X : a\r\n\r\n",
    "a zero in a header": b"GET /-/healthy HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n",
    "too many headers": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 500 + b"\r\n",
    "length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "a signed length": POST + b"Content-Length: +5\r\n\r\nabcde",
    "a negative length": POST + b"Content-Length: -5\r\n\r\nabcde",
    "an unknown coding": POST + b"Transfer-Encoding: x\r\n\r\nabc",
    "chunks before the last coding": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a chunk without size": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "a path of other bytes": b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + END,
    "a query of other bytes": b"GET /api/errors/list?q=\xff HTTP/1.1\r\n" + HOST + END,
    "a header name of other bytes": b"GET /api/errors HTTP/1.1\r\n" + HOST + b"X\xff: a\r\n" + END,
}  # fmt: skip
TOO_LONG = {
    "the request line": b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n" + HOST + END,
    "a header": b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 9_000 + b"\r\n" + END,
    "all headers": b"GET / HTTP/1.1\r\n" + HOST + (b"X: " + b"a" * 4_000 + b"\r\n") * 10,
}
ANSWERED = {
    "Origin": (POST + b"Origin: http://\xff\xfe\r\nContent-Length: 0\r\n" + END, 403),
    "Host": (b"GET /-/healthy HTTP/1.1\r\nHost: \xff\xfe\r\n" + END, 403),
    "Content-Type": (POST + b"Content-Type: \xff\r\nContent-Length: 2\r\n" + END + b"{}", 415),
    "Content-Encoding": (POST + b"Content-Encoding: \xff\r\nContent-Length: 2\r\n" + END + b"{}", 415),
    "chained encodings": (POST + b"Content-Encoding: gzip, gzip\r\nContent-Length: 2\r\n" + END + b"{}", 415),
    "Idempotency-Key": (POST + b"Idempotency-Key: \xff\r\nContent-Length: 33\r\n" + END + REPORT, 400),
    "Cookie": (b"GET /api/errors HTTP/1.1\r\n" + HOST + b"Cookie: a=\xff\r\n" + END, 200),
    "If-None-Match": (b"GET /api/errors HTTP/1.1\r\n" + HOST + b"If-None-Match: \xff\r\nCache-Control: \xff\r\n" + END, 200),
    "Expect": (POST + b"Expect: \xff\r\nContent-Length: 2\r\n" + END + b"{}", 417),
    "Expect of nothing known": (b"GET /nowhere HTTP/1.1\r\n" + HOST + b"Expect: gold\r\n" + END, 417),
    "Sec-WebSocket-Key": (SOCKET + HOST + b"Sec-WebSocket-Key: \xff\r\n\r\n", 426),
    "a path": (b"GET /%ff%fe HTTP/1.1\r\n" + HOST + END, 404),
    "a file": (b"GET /static/%ff HTTP/1.1\r\n" + HOST + END, 404),
    "a pattern": (b"GET /api/patterns/%ff HTTP/1.1\r\n" + HOST + END, 404),
    "a lone surrogate": (b"GET /api/errors/list?q=%ed%a0%80 HTTP/1.1\r\n" + HOST + END, 200),
    "a parameter": (b"GET /api/errors/list?%ff=1 HTTP/1.1\r\n" + HOST + END, 400),
    "TRACE": (b"TRACE / HTTP/1.1\r\n" + HOST + END, 405),
    "CONNECT": (b"CONNECT localhost:443 HTTP/1.1\r\n" + HOST + END, 404),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\n" + HOST + END, 404),
    "the address of a proxy's request": (b"GET http://localhost/-/healthy HTTP/1.1\r\n" + HOST + END, 200),
    "another address": (b"GET http://evil.example/-/healthy HTTP/1.1\r\n" + HOST + END, 403),
    "Host of another": (b"GET http://localhost/-/healthy HTTP/1.1\r\nHost: evil.example\r\n" + END, 403),
    "X-Forwarded-Host": (b"GET /api/errors HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost\r\n" + END, 403),
    "a WebSocket of another": (SOCKET + b"Host: evil.example\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 403),
}  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    one = Served(tmp_path_factory.mktemp("parser") / "errors.duckdb")
    yield one
    one.stop()
    assert not [line for line in one.log if "traceback" in line], one.log


def ask(service: Served, request: bytes, *, closes: bool = True) -> tuple[int, bytes]:
    """Returns the status and the body of the answer. Asserts that the connection is closed after it."""
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(request)
        answer = b""
        while part := client.recv(65_536):
            answer += part
            if not closes and b"}" in answer:
                break
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def is_error(body: bytes) -> bool:
    answer = json.loads(body)
    return set(answer) == {"status", "message", "field"} and answer["status"] == "error" and bool(answer["message"])


@pytest.mark.parametrize("name", NO_REQUEST)
def test_what_is_no_request_is_refused(service: Served, name: str) -> None:
    status, body = ask(service, NO_REQUEST[name])
    assert status == 400
    assert is_error(body)
    assert json.loads(body)["message"] == "this is not a request that the service can read: send HTTP/1.1"


@pytest.mark.parametrize("name", TOO_LONG)
def test_a_header_that_is_too_long_is_refused(service: Served, name: str) -> None:
    status, body = ask(service, TOO_LONG[name])
    assert status == 431
    assert is_error(body)


@pytest.mark.parametrize("name", ANSWERED)
def test_other_bytes_and_methods_have_answers(service: Served, name: str) -> None:
    request, status = ANSWERED[name]
    found, body = ask(service, request, closes=b"close" in request)
    assert (found, status < 400 or is_error(body)) == (status, True), body


def test_a_second_request_is_not_smuggled(service: Served) -> None:
    """A proxy in front that goes by the length would take the second request as a part of the first one's body."""
    smuggled = b"POST /api/reset-counts HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n"
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        length = b"Content-Length: %d\r\n" % (5 + len(smuggled))
        client.sendall(POST + length + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled)
        answer = b""
        while part := client.recv(65_536):
            answer += part
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert answer.count(b"Content-Length") == 1


@pytest.mark.parametrize(
    "path", ["/", "/error-visualization", "/static/page.js", "/sounds/x.mp3", "/metrics", "/api/errors", "/api/errors/list",
             "/api/errors/facets", "/api/errors/deletions", "/api/export", "/api/patterns", "/api/patterns/decisions", "/api/storage",
             "/api/history", "/api/openapi.json", "/-/healthy", "/-/ready"],
)  # fmt: skip
def test_head_works_where_get_does(service: Served, path: str) -> None:
    head = ask(service, b"HEAD " + path.encode() + b" HTTP/1.1\r\n" + HOST + END)
    get, _ = ask(service, b"GET " + path.encode() + b" HTTP/1.1\r\n" + HOST + END)
    assert head == (get, b"")


def test_a_refused_request_is_counted(served: Callable[..., Served], tmp_path: Path) -> None:
    service = served()
    ask(service, NO_REQUEST["words"])
    assert service.metrics()['distributed_testing_reports_rejected_total{reason="malformed"}'] == 1
