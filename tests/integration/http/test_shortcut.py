"""A report on its short way is answered as on the long way, and only the plain request takes it."""

import asyncio
import contextlib
import gzip
import json
import re
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from conftest import REPORT, InProcess
from keys import make_token, now_seen, revoke
from running import RunningServer

from exporter.http import shortcut
from exporter.http.reports import Early
from exporter.http.shortcut import ReportConnection
from exporter.ingest.ingest import Settled
from exporter.log import LogError

pytestmark = pytest.mark.dashboard
JSON: Final = json.dumps(REPORT | {"event_id": "e1"}).encode()
LINE: Final = b"POST /api/report-error HTTP/1.1\r\n"
HOST: Final = b"Host: localhost\r\n"
TYPE: Final = b"Content-Type: application/json\r\n"
CLOSE: Final = b"Connection: close\r\n"
HEALTHY: Final = b"GET /-/healthy HTTP/1.1\r\n" + HOST + b"\r\n"


def request(line: bytes = LINE, headers: bytes = HOST + TYPE, body: bytes = JSON) -> bytes:
    return b"%s%sContent-Length: %d\r\n\r\n%s" % (line, headers, len(body), body)


def numbered(number: int, **more: Any) -> bytes:
    return request(body=json.dumps(REPORT | {"event_id": f"n{number}"} | more).encode())


SHORT: Final = {
    "plain": request(),
    "without a type": request(headers=HOST),
    "an Idempotency-Key": request(headers=HOST + TYPE + b"Idempotency-Key: k\r\n", body=json.dumps(REPORT).encode()),
    "a bad Idempotency-Key": request(headers=HOST + TYPE + b"Idempotency-Key: \xff\r\n", body=b'{"message": "m"}'),
    "without a worker": request(body=b'{"message": "m"}'),
    "no JSON": request(body=b"{"),
    "a cookie and a token": request(headers=HOST + TYPE + b"Cookie: a=b\r\nAuthorization: Bearer x\r\n"),
}
LONG: Final = {
    "nothing": request(body=b""),
    "no keep-alive": request(headers=HOST + TYPE + CLOSE),
    "HTTP/1.0": request(b"POST /api/report-error HTTP/1.0\r\n", TYPE + b"Connection: keep-alive\r\n"),
    "an upgrade": request(headers=HOST + TYPE + b"Connection: upgrade\r\nUpgrade: websocket\r\n"),
    "compressed": request(headers=HOST + TYPE + b"Content-Encoding: gzip\r\n", body=gzip.compress(JSON)),
    "another encoding": request(headers=HOST + TYPE + b"Content-Encoding: lzw\r\n"),
    "chunked": LINE + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n",
    "too large": request(headers=HOST + TYPE + CLOSE, body=b" " * 1_100_000),
    "another type": request(headers=HOST + b"Content-Type: text/plain\r\n"),
    "another host": request(headers=b"Host: evil.example\r\n" + TYPE),
    "two hosts": request(headers=HOST + HOST + TYPE),
    "no host": request(headers=TYPE),
    "another method": request(b"PUT /api/report-error HTTP/1.1\r\n"),
    "HEAD": request(b"HEAD /api/report-error HTTP/1.1\r\n", HOST + CLOSE, body=b""),
    "a preflight": request(b"OPTIONS /api/report-error HTTP/1.1\r\n", HOST + CLOSE + b"Origin: https://ci.example\r\n"),
    "a query": request(b"POST /api/report-error?importing=true HTTP/1.1\r\n"),
    "a wrong query": request(b"POST /api/report-error?importing=perhaps HTTP/1.1\r\n"),
    "another path": request(b"POST /api/report-error/ HTTP/1.1\r\n"),
    "an escaped path": request(b"POST /api/report%2Derror HTTP/1.1\r\n"),
    "a whole address": request(b"POST http://localhost/api/report-error HTTP/1.1\r\n"),
    "its own page": request(headers=HOST + TYPE + b"Origin: http://localhost\r\n"),
    "an allowed page": request(headers=HOST + TYPE + b"Origin: https://ci.example\r\n"),
    "a foreign page": request(headers=HOST + TYPE + b"Origin: https://evil.example\r\n"),
    "100-continue": request(headers=HOST + TYPE + CLOSE + b"Expect: 100-continue\r\n"),
    "another expectation": request(headers=HOST + TYPE + b"Expect: miracles\r\n"),
}


class Client:
    """A connection to the service."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> tuple[int, dict[str, Any]]:
        """The status and the body of the next answer."""
        header = await self.head()
        length = re.search(rb"Content-Length: (\d+)", header)
        assert length, header
        return int(header.split()[1]), json.loads(await self.reader.readexactly(int(length[1])))

    async def head(self) -> bytes:
        async with asyncio.timeout(20):
            return await self.reader.readuntil(b"\r\n\r\n")


@asynccontextmanager
async def connected(service: InProcess) -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_connection("127.0.0.1", service.client.port))
    try:
        yield client
    finally:
        client.writer.close()
        with contextlib.suppress(ConnectionError):
            await client.writer.wait_closed()


async def answered(service: InProcess, sent: bytes) -> bytes:
    """Returns what the service sends, without the time; of a connection that it does not close, one answer."""
    async with connected(service) as client:
        client.writer.write(sent)
        if CLOSE in sent:
            async with asyncio.timeout(20):
                found = await client.reader.read()
        else:
            found = await client.head()
            found += await client.reader.readexactly(int(re.search(rb"Content-Length: (\d+)", found)[1]))  # type: ignore[index]
    return re.sub(rb"(?m)^Date: .*$", b"", found)


def connection_of(service: InProcess, client: Client) -> ReportConnection:
    server = service.client.server
    assert isinstance(server, RunningServer)
    name = client.writer.get_extra_info("sockname")
    for connection in server.runner.server._open:  # type: ignore[union-attr]
        if connection.socket.get_extra_info("peername") == name:
            assert isinstance(connection, ReportConnection)
            return connection
    raise LookupError(name)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Gets the body of each report that takes the short way."""
    bodies: list[bytes] = []
    settle = ReportConnection._settle

    def _settle(self: ReportConnection, settled: Settled) -> None:
        bodies.append(self._body)
        settle(self, settled)

    monkeypatch.setattr(ReportConnection, "_settle", _settle)
    return bodies


def hold_log(service: InProcess, monkeypatch: pytest.MonkeyPatch, error: LogError | None = None) -> threading.Event:
    """No append to the log of `service` ends before the event is set; then it fails with `error`."""
    may_append, append = threading.Event(), service.service.log.append

    def held(payload: bytes, count: int) -> int:
        may_append.wait(20)
        if error is not None:
            raise error
        return append(payload, count)

    monkeypatch.setattr(service.service.log, "append", held)
    return may_append


async def until(holds: Callable[[], object]) -> None:
    for _ in range(2_000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


async def leave_while_it_waits(service: InProcess, client: Client, may_append: threading.Event) -> None:
    """Sends a report, and leaves before it is appended. Waits until ingest is done with it."""
    client.writer.write(numbered(1))
    await until(lambda: service.service.ingest.queued)
    task = connection_of(service, client)._task_handler
    client.writer.transport.abort()
    await until(lambda: task is not None and task.cancelled())
    may_append.set()
    await until(lambda: not service.service.ingest.queued)


async def reports_counted(service: InProcess) -> Counter[str]:
    """Returns the counters of received, repeated and rejected reports."""
    metrics = await service.metrics()
    return Counter({name: int(value) for name, value in metrics.items() if re.match(r"\w+_reports_\w+_total", name)})


async def test_the_answers_are_the_same(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, taken: list[bytes]
) -> None:
    """Also in what is counted. Each report repeats one of before, so its answer has no new id."""
    service = await serve(allowed_origins=["https://ci.example"], max_body_bytes=1_000_000)
    for name in ("plain", "an Idempotency-Key"):
        await answered(service, SHORT[name])
    taken.clear()
    first = await reports_counted(service)
    short = {name: await answered(service, sent) for name, sent in (SHORT | LONG).items()}
    assert len(taken) == len(SHORT)
    second = await reports_counted(service)
    monkeypatch.setattr(shortcut, "PATH", "")
    assert {name: await answered(service, sent) for name, sent in (SHORT | LONG).items()} == short
    assert len(taken) == len(SHORT)
    assert await reports_counted(service) - second == second - first
    assert len(second - first) > 5
    statuses = {answer[9:12] for answer in short.values()}
    assert statuses >= {b"200", b"400", b"403", b"404", b"405", b"413", b"415", b"417"}


@pytest.mark.parametrize("name", LONG)
async def test_only_plain_reports_take_it(serve: Callable[..., Any], taken: list[bytes], name: str) -> None:
    service = await serve(allowed_origins=["https://ci.example"], max_body_bytes=1_000_000)
    await answered(service, LONG[name])
    assert taken == []


async def test_as_soon_as_there_is_a_token_it_is_asked_for(
    service: InProcess, tmp_path: Path, taken: list[bytes]
) -> None:
    async with connected(service) as client:
        with now_seen():
            for status, token in ((200, None), (401, "ci")):
                if token is not None:
                    make_token(tmp_path, token, "report")
                client.writer.write(SHORT["plain"])
                assert (await client.answer())[0] == status
        assert len(taken) == 1


async def test_a_token_that_was_seen_before_is_enough(service: InProcess, tmp_path: Path, taken: list[bytes]) -> None:
    """As long as it holds, and only as far as it goes."""

    async def status(client: Client, number: int, token: str, *more: str) -> int:
        lines = "".join(f"Authorization: {value}\r\n" for value in (f"Bearer {token}", *more))
        body = json.dumps(REPORT | {"worker_id": "gpu-1", "event_id": f"t{number}"}).encode()
        client.writer.write(request(headers=HOST + TYPE + lines.encode(), body=body))
        return (await client.answer())[0]

    with now_seen():
        ci = make_token(tmp_path, "ci", "report")
        reader = make_token(tmp_path, "reader", "read")
        cpu = make_token(tmp_path, "cpu", "report", worker="cpu-")
        async with connected(service) as client:
            assert [await status(client, one, ci) for one in range(3)] == [200, 200, 200]
            assert len(taken) == 2
            assert [await status(client, one, reader) for one in range(3, 6)] == [403, 403, 403]
            assert await status(client, 6, ci, "Bearer x") == 401
            assert len(taken) == 2
            assert [await status(client, one, cpu) for one in (7, 8)] == [403, 403]
            assert len(taken) == 3
            assert (await status(client, 9, ci), len(taken)) == (200, 4)
            revoke(tmp_path, "ci")
            assert (await status(client, 10, ci), len(taken)) == (401, 4)


async def test_where_a_proxy_names_users_no_token_is_enough(
    serve: Callable[..., Any], tmp_path: Path, taken: list[bytes]
) -> None:
    service = await serve(auth_proxy_header="X-User", trusted_proxies=["127.0.0.1"])
    with now_seen():
        token = make_token(tmp_path, "ci", "report")
        async with connected(service) as client:
            for _ in range(2):
                client.writer.write(request(headers=HOST + TYPE + f"Authorization: Bearer {token}\r\n".encode()))
                assert (await client.answer())[0] == 200
    assert taken == []


async def test_a_body_may_arrive_after_its_header(service: InProcess, taken: list[bytes]) -> None:
    """As Python's own client sends it."""
    async with connected(service) as client:
        for number in range(3):
            header, _, body = numbered(number).partition(b"\r\n\r\n")
            for part in (header + b"\r\n\r\n", body[:100], body[100:]):
                client.writer.write(part)
                await asyncio.sleep(0.05)
            assert (await client.answer())[0] == 200
        assert len(taken) > 0  # all three, unless the service looked at its connections meanwhile


async def test_a_body_that_does_not_come_has_the_deadline_of_the_long_way(
    serve: Callable[..., Any], taken: list[bytes]
) -> None:
    service = await serve(body_timeout=1)
    async with connected(service) as client:
        client.writer.write(numbered(1)[:-1])
        assert (await client.answer())[0] == 408
        assert taken == []


async def test_a_large_body_arrives_on_the_long_way(service: InProcess, taken: list[bytes]) -> None:
    sent = numbered(1, traceback="x" * shortcut.MAX_ARRIVING)
    async with connected(service) as client:
        client.writer.write(sent[:-1])
        await asyncio.sleep(0.05)
        client.writer.write(sent[-1:])
        assert (await client.answer())[0] == 200
        assert taken == []


async def test_pipelined_reports_are_answered_in_their_order(
    service: InProcess, taken: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that come while one is on the short way, and other requests between them, wait for it."""
    may_append = hold_log(service, monkeypatch)
    async with connected(service) as client:
        client.writer.write(numbered(0))
        await until(lambda: service.service.ingest.queued)
        client.writer.write(b"".join(numbered(number) + HEALTHY + SHORT["no JSON"] for number in range(1, 20)))
        await asyncio.sleep(0.1)
        may_append.set()
        found = [await client.answer() for _ in range(58)]
        assert [status for status, _ in found] == [200] + 19 * [200, 200, 400]
        assert [answer["data"]["event_id"] for _, answer in (found[0], *found[1::3])] == [
            f"n{one}" for one in range(20)
        ]
        for number in range(20, 60):  # more than aiohttp's parser lets wait
            client.writer.write(numbered(number))
            assert (await client.answer())[1]["data"]["event_id"] == f"n{number}"
        assert len(taken) == 41
        client.writer.write(numbered(60) + numbered(61) + numbered(62))
        assert [(await client.answer())[1]["data"]["event_id"] for _ in range(3)] == ["n60", "n61", "n62"]


async def test_a_connection_is_idle_since_its_last_report(service: InProcess) -> None:
    async with connected(service) as client:
        client.writer.write(numbered(1))
        await client.answer()
        connection = connection_of(service, client)
        since = connection.idle_since
        client.writer.write(numbered(2))
        await client.answer()
        assert connection.is_waiting
        assert connection._body == b""
        assert connection.idle_since > since


async def test_a_report_is_stored_although_its_client_leaves(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_append = hold_log(service, monkeypatch)
    async with connected(service) as client:
        await leave_while_it_waits(service, client, may_append)
    assert (await service.post({"event_id": "n1"}))["id"] == 1


@pytest.mark.parametrize("seen", [False, True])
async def test_a_client_that_leaves_before_its_body_came(service: InProcess, taken: list[bytes], seen: bool) -> None:
    """Also if the service looks at the connection when it is closed, and aiohttp does not know it yet."""
    async with connected(service) as client:
        client.writer.write(HEALTHY)
        await client.answer()
        connection = connection_of(service, client)
        client.writer.write(numbered(1)[:-1])
        await until(lambda: connection._arriving)
        task = connection._task_handler
        if seen:
            connection.socket.abort()
            connection.look()
        client.writer.transport.abort()
        await until(lambda: task is not None and task.cancelled())
    assert taken == []


async def test_a_report_of_a_client_that_left_is_looked_up(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its id may have been evicted from memory, so that only the database knows whether it is a repeat."""
    async with connected(service) as first, connected(service) as second:
        may_append = hold_log(service, monkeypatch)
        first.writer.write(numbered(1))
        await until(lambda: service.service.ingest._appending)
        with monkeypatch.context() as patch:
            patch.setattr(service.service.ingest.pipeline, "_may_repeat_an_evicted", lambda *given: True)
            second.writer.write(numbered(2))
            await until(lambda: service.service.ingest.queued == 2)
            second.writer.transport.abort()
            await asyncio.sleep(0.1)
            may_append.set()
            await until(lambda: service.service.log.last == 2)
    assert (await service.post({"event_id": "n2"}))["id"] == 2


@pytest.mark.parametrize("lost", [False, True])
async def test_a_refusal_counts_although_its_client_leaves(
    service: InProcess, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    """Also in the moment in which the connection is closed already, but aiohttp does not know it yet."""
    settle = ReportConnection._settle

    def leaving(self: ReportConnection, settled: Settled) -> None:
        self.socket.abort()
        if lost:
            self.connection_lost(None)
        settle(self, settled)

    monkeypatch.setattr(ReportConnection, "_settle", leaving)
    async with connected(service) as client:
        client.writer.write(HEALTHY)
        await client.answer()
        task = connection_of(service, client)._task_handler
        client.writer.write(SHORT["no JSON"])
        assert await client.reader.read() == b""
        await until(lambda: task is not None and task.cancelled())
    counted = await reports_counted(service)
    assert counted['distributed_testing_reports_rejected_total{reason="malformed"}'] == 1


async def test_a_failed_append_counts_although_its_clients_left(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They often leave because an append hangs, before it fails."""
    may_fail = hold_log(service, monkeypatch, LogError("no space"))
    async with connected(service) as client:
        await leave_while_it_waits(service, client, may_fail)
    await asyncio.sleep(0.1)
    counted = await reports_counted(service)
    assert counted['distributed_testing_reports_rejected_total{reason="store_failed"}'] == 1


async def test_a_stop_answers_the_report_first(serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """And waits no longer than for that."""
    monkeypatch.setattr("exporter.app.SHUTDOWN_SECONDS", 600)
    service = await serve()
    may_append = hold_log(service, monkeypatch)
    async with connected(service) as client:
        client.writer.write(numbered(1))
        await until(lambda: service.service.ingest.queued)
        stopping = asyncio.create_task(service.client.server.close())
        await asyncio.sleep(0.1)
        assert not stopping.done()
        may_append.set()
        assert (await client.answer())[0] == 200
        async with asyncio.timeout(20):
            assert await client.reader.read() == b""
            await stopping


async def test_a_stop_answers_what_was_not_stored(serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A report whose append fails, one that repeats an earlier one, and one that is refused."""
    monkeypatch.setattr("exporter.app.SHUTDOWN_SECONDS", 600)
    service = await serve()
    await service.post({"event_id": "n1"})
    may_fail = hold_log(service, monkeypatch, LogError("no space"))
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(service)) for _ in range(3)]
        for client, sent in zip(clients, (numbered(2), numbered(1), SHORT["no JSON"]), strict=True):
            queued = service.service.ingest.queued
            client.writer.write(sent)
            await until(lambda queued=queued: service.service.ingest.queued > queued)
            await until(lambda: service.service.ingest._appending)
            client.writer.write(HEALTHY)  # this comes too late to be handled
        stopping = asyncio.create_task(service.client.server.close())
        await asyncio.sleep(0.1)
        may_fail.set()
        async with asyncio.timeout(20):
            assert [(await client.answer())[0] for client in clients] == [503, 200, 400]
            assert [await client.reader.read() for client in clients] == [b"", b"", b""]
            await stopping


async def test_a_failed_append_is_answered_once(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(payload: bytes, count: int) -> int:
        raise LogError("no space")

    async with connected(service) as client:
        with monkeypatch.context() as patch:
            patch.setattr(service.service.log, "append", fails)
            client.writer.write(numbered(1))
            assert (await client.answer())[0] == 503
        client.writer.write(numbered(1))
        status, answer = await client.answer()
        assert (status, answer["data"]["id"]) == (200, 1)
        counted = await reports_counted(service)
        assert counted['distributed_testing_reports_rejected_total{reason="store_failed"}'] == 1


async def test_what_became_of_a_report_is_never_the_answer_to_another(service: InProcess) -> None:
    """The first report was refused, and was not asked for what became of it."""
    async with connected(service) as client:
        client.writer.write(numbered(1))
        await client.answer()
        connection = connection_of(service, client)
        connection.early = Early(object(), b"", Settled([1], None))  # type: ignore[arg-type]
        for number, headers in ((2, HOST + TYPE + b"Origin: http://localhost\r\n"), (3, HOST + TYPE)):
            body = json.dumps(REPORT | {"event_id": f"n{number}"}).encode()
            client.writer.write(request(headers=headers, body=body))
            status, answer = await client.answer()
            assert (status, answer["data"]["event_id"], answer["data"]["id"]) == (200, f"n{number}", number)


async def test_a_bug_in_an_answer_leaves_the_others_alone(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection is closed, and its report is on disk."""
    broken = iter([True])
    acknowledge = shortcut.acknowledgement

    def breaks(stored: bytes) -> bytes:
        if next(broken, False):
            raise RuntimeError("a bug")
        return acknowledge(stored)

    monkeypatch.setattr(shortcut, "acknowledgement", breaks)
    may_append = hold_log(service, monkeypatch)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(service)) for _ in range(3)]
        for number, client in enumerate(clients):
            client.writer.write(numbered(number))
        await until(lambda: service.service.ingest.queued == 3)
        may_append.set()
        assert await clients[0].reader.read() == b""
        assert [(await client.answer())[0] for client in clients[1:]] == [200, 200]
    assert (await service.post({"event_id": "n0"}))["id"] <= 3


async def test_a_client_that_takes_no_answers_is_not_heard(
    service: InProcess, taken: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a client that sends and never reads would fill the memory with answers."""
    async with connected(service) as client:
        client.writer.write(numbered(1))
        await client.answer()
        connection = connection_of(service, client)
        connection.pause_writing()
        client.writer.write(numbered(2))
        await until(lambda: len(taken) == 2)
        client.writer.write(numbered(3))
        await asyncio.sleep(0.2)
        client.writer.write(numbered(4))
        assert len(taken) == 2
        connection.resume_writing()
        assert [(await client.answer())[1]["data"]["event_id"] for _ in range(3)] == ["n2", "n3", "n4"]
        may_append = hold_log(service, monkeypatch)
        client.writer.write(numbered(5))
        await until(lambda: service.service.ingest.queued)
        connection.pause_writing()
        connection.resume_writing()
        await asyncio.sleep(0.1)
        may_append.set()
        assert (await client.answer())[1]["data"]["event_id"] == "n5"
        client.writer.write(numbered(6))
        assert (await client.answer())[1]["data"]["event_id"] == "n6"
    assert [json.loads(body)["event_id"] for body in taken[-2:]] == ["n5", "n6"]
