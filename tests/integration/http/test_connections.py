"""Connections that keep the service waiting are closed, and never take the place of others."""

import contextlib
import json
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import REPORT, Served
from keys import make_token

pytestmark = pytest.mark.dashboard
HEALTHY = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /api/report-error HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
SOON = 20.0  # seconds; the deadlines of these tests are 1 s, and the service looks once a second
DEADLINES = ("--header-timeout", "1", "--body-timeout", "1", "--idle-timeout", "1")


def connected(service: Served) -> socket.socket:
    host, port = service.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=SOON)


def heard(client: socket.socket) -> bytes:
    """What the service sends until it closes the connection."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65_536):
            found += part
    return found


def asked(client: socket.socket, request: bytes = HEALTHY) -> int:
    client.sendall(request)
    return int(client.recv(65_536).split()[1])


def wait_for_successes(client: socket.socket, number: int) -> None:
    found = b""
    while found.count(b"HTTP/1.1 200 ") < number:
        part = client.recv(65_536)
        assert part, found
        found += part


def drip(client: socket.socket, content: bytes) -> threading.Thread:
    """Sends a byte each fifth of a second, until the connection is closed."""

    def run() -> None:
        with contextlib.suppress(OSError):
            for byte in content:
                client.sendall(bytes([byte]))
                time.sleep(0.2)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with short deadlines."""
    one = Served(tmp_path_factory.mktemp("strict") / "errors.duckdb", *DEADLINES)
    yield one
    one.stop()
    assert not [line for line in one.log if "traceback" in line]


def test_a_silent_connection_is_closed(strict: Served) -> None:
    with connected(strict) as client:
        assert heard(client) == b""


def test_an_idle_connection_is_closed(strict: Served) -> None:
    with connected(strict) as client:
        assert asked(client) == 200
        assert heard(client) == b""


@pytest.mark.parametrize("slowly", [False, True])
def test_half_a_header_has_a_deadline(strict: Served, slowly: bool) -> None:
    with connected(strict) as client:
        if slowly:
            drip(client, HEALTHY * 10)
        else:
            client.sendall(HEALTHY[:20])
        assert heard(client).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("slowly", [False, True])
def test_half_a_body_has_a_deadline(strict: Served, slowly: bool) -> None:
    """Also one of which some byte always comes."""
    with connected(strict) as client:
        client.sendall(POST + b"Content-Length: 1000\r\n\r\n{")
        if slowly:
            drip(client, b" " * 900)
        answer = client.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == "error"


def test_who_is_refused_keeps_no_connection(served: Callable[..., Served], tmp_path: Path) -> None:
    """The rest of the body never comes."""
    make_token(tmp_path, "ci", "report")
    service = served()
    with connected(service) as client:
        client.sendall(POST + b"Content-Length: 1000\r\n\r\n{")
        began = time.monotonic()
        assert heard(client).startswith(b"HTTP/1.1 401 ")
        assert time.monotonic() - began < 5


def test_large_bodies_at_once_are_all_read(served: Callable[..., Served]) -> None:
    """aiohttp stops reading while such a body waits; whoever reads the body has to make it go on."""
    body = json.dumps(REPORT).encode().ljust(1_000_000)
    with connected(served()) as client:
        client.sendall(3 * (POST + b"Content-Length: %d\r\n\r\n" % len(body) + body) + HEALTHY)
        wait_for_successes(client, 4)


def test_many_pipelined_reports_are_all_answered(served: Callable[..., Served]) -> None:
    """aiohttp's parser stops at 32 requests. It goes on only because each body that is read makes it: it counts one
    request more than the server, because the first header came before its body."""
    body = json.dumps(REPORT).encode()
    header = POST + b"Content-Length: %d\r\n\r\n" % len(body)
    with connected(served()) as client:
        client.sendall(header)
        time.sleep(0.2)
        client.sendall(body + 40 * (header + body))
        wait_for_successes(client, 41)


def test_a_body_that_goes_on_is_waited_for(served: Callable[..., Served]) -> None:
    """It needs longer than the time for its beginning."""
    service = served("--body-timeout", "1")
    body = json.dumps(REPORT).encode().ljust(1_000_000)
    with connected(service) as client:
        client.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body))
        for start in range(0, len(body), 100_000):
            client.sendall(body[start : start + 100_000])
            time.sleep(0.2)
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_unfinished_bodies_count_as_waiting_bytes(served: Callable[..., Served]) -> None:
    """Half of `queue_bytes` is theirs. Senders of whole reports do not notice."""
    service = served("--queue-bytes", "4194304")
    with contextlib.ExitStack() as stack:
        part = POST + b"Content-Length: 1000000\r\n\r\n" + b" " * 999_000
        statuses = []
        for _ in range(6):
            client = stack.enter_context(connected(service))
            client.sendall(part)
            client.settimeout(1)
            with contextlib.suppress(TimeoutError):
                answer = client.recv(65_536)
                assert b"Retry-After: " in answer
                statuses.append(int(answer.split()[1]))
        assert statuses == [503] * 4
        service.post({})
    assert service.metrics()['distributed_testing_reports_rejected_total{reason="queue_full"}'] == 4


def test_a_client_that_does_not_read_is_cut_off(strict: Served) -> None:
    """Its answers fill the buffers of the connection, and then the memory of the service."""
    with connected(strict) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.settimeout(1)
        request = b"GET /static/page.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with contextlib.suppress(TimeoutError, ConnectionError):
            client.sendall(request * 2_000)
        own = client.getsockname()[1]
        wait_until(lambda: is_connected(strict, own))  # it may not be accepted yet
        wait_until(lambda: not is_connected(strict, own))


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_connected(service: Served, port: int) -> bool:
    """Whether the service has a connection from this port."""
    found = psutil.Process(service.process.pid).net_connections("tcp")
    return any(one.raddr and one.raddr.port == port for one in found)


def test_at_the_limit_the_oldest_idle_connection_is_closed(served: Callable[..., Served]) -> None:
    """Those that never sent a request go first."""
    service = served("--max-connections", "10")
    with contextlib.ExitStack() as stack:
        used = [stack.enter_context(connected(service)) for _ in range(3)]
        for client in used:
            assert asked(client) == 200
            time.sleep(0.01)  # the clock of the event loop tells milliseconds apart
        silent = [stack.enter_context(connected(service)) for _ in range(7)]
        for _ in range(8):  # each has sent its request before the next one comes
            assert asked(stack.enter_context(connected(service))) == 200
        assert [heard(client) for client in silent] == [b""] * 7
        assert heard(used[0]) == b""
        assert [asked(client) for client in used[1:]] == [200] * 2
    assert len([line for line in service.log if "max_connections" in line]) <= 1


def test_beyond_the_limit_a_new_connection_is_refused(served: Callable[..., Served]) -> None:
    """No connection is idle: each waits for the rest of a body."""
    service = served("--max-connections", "3")
    with contextlib.ExitStack() as stack:
        busy = [stack.enter_context(connected(service)) for _ in range(3)]
        for client in busy:
            client.sendall(POST + b"Content-Length: 100\r\n\r\n{")
        deadline = time.monotonic() + SOON
        while True:
            with connected(service) as client:
                answer = heard_or_nothing(client)
            if answer.startswith(b"HTTP/1.1 503 ") or time.monotonic() > deadline:
                break
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"Retry-After: 1" in head
        assert json.loads(body)["status"] == "error"
        while not any("max_connections" in line for line in service.log) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len([line for line in service.log if "max_connections" in line]) == 1


def heard_or_nothing(client: socket.socket) -> bytes:
    client.settimeout(1)
    try:
        return heard(client)
    except TimeoutError:
        return b""


def test_with_few_files_the_service_answers_and_recovers(served: Callable[..., Served]) -> None:
    """64 descriptors, and 200 clients that connect. The service does not spin, and answers when they have gone."""
    service = served(prefix=["prlimit", "--nofile=64:64"])
    clients = []
    for _ in range(200):
        with contextlib.suppress(OSError):
            clients.append(connected(service))
    with contextlib.ExitStack() as stack:
        for client in clients:
            stack.enter_context(client)
        process = psutil.Process(service.process.pid)
        before = sum(process.cpu_times()[:2])
        time.sleep(1)
        assert sum(process.cpu_times()[:2]) - before < 0.7
        service.post({})
    for _ in range(20):
        with connected(service) as client:
            assert asked(client) == 200
    assert service.get("/api/errors")["summary"]["total_errors"] == 1
    assert any("64 files may be open" in line for line in service.log)


def test_the_limit_of_open_files_is_raised(served: Callable[..., Served]) -> None:
    service = served(prefix=["prlimit", "--nofile=256:4096"])
    assert psutil.Process(service.process.pid).rlimit(resource.RLIMIT_NOFILE) == (4_096, 4_096)


def test_websockets_and_exports_are_never_idle(strict: Served) -> None:
    """A WebSocket without a message for longer than the deadlines of requests goes on."""
    import websockets.sync.client

    url = strict.url.replace("http", "ws") + "/ws/error-visualization"
    with websockets.sync.client.connect(url) as client:
        time.sleep(3)
        client.send('{"type":"ping"}')
        answer: Any = client.recv(timeout=SOON)
        assert json.loads(answer) == {"type": "pong"}
