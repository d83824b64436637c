"""A report on its short way is answered as on the long way, and only the plain request takes it."""

import asyncio
import gzip
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from conftest import REPORT, InProcess
from keys import make_token, now_seen

from exporter.http import shortcut

pytestmark = pytest.mark.dashboard
JSON: Final = json.dumps(REPORT | {"event_id": "e1"}).encode()  # a repeat has the answer of the first
LINE: Final = b"POST /api/report-error HTTP/1.1\r\n"
HOST: Final = b"Host: localhost\r\n"
TYPE: Final = b"Content-Type: application/json\r\n"


def request(line: bytes = LINE, headers: bytes = HOST + TYPE, body: bytes = JSON) -> bytes:
    return b"%s%sContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (line, headers, len(body), body)


SHORT: Final = {
    "plain": request(),
    "without a type": request(headers=HOST),
    "a keep-alive": request().replace(b"Connection: close\r\n", b""),
    "HTTP/1.0": request(b"POST /api/report-error HTTP/1.0\r\n", TYPE),
    "compressed": request(headers=HOST + TYPE + b"Content-Encoding: gzip\r\n", body=gzip.compress(JSON)),
    "an Idempotency-Key": request(headers=HOST + TYPE + b"Idempotency-Key: \xff\r\n", body=json.dumps(REPORT).encode()),
    "chunked": LINE + HOST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\n{\r\n0\r\n\r\n",
    "without a worker": request(body=b'{"message": "m"}'),
    "no JSON": request(body=b"{"),
    "nothing": request(body=b""),
    "too large": request(body=b" " * 1_100_000),
    "another type": request(headers=HOST + b"Content-Type: text/plain\r\n"),
    "another encoding": request(headers=HOST + TYPE + b"Content-Encoding: lzw\r\n"),
    "another host": request(headers=b"Host: evil.example\r\n" + TYPE),
    "two hosts": request(headers=HOST + HOST + TYPE),
    "no host": request(headers=TYPE),
    "a cookie and a token": request(headers=HOST + TYPE + b"Cookie: a=b\r\nAuthorization: Bearer x\r\n"),
}
LONG: Final = {
    "another method": request(b"PUT /api/report-error HTTP/1.1\r\n"),
    "HEAD": request(b"HEAD /api/report-error HTTP/1.1\r\n", body=b""),
    "a preflight": request(b"OPTIONS /api/report-error HTTP/1.1\r\n", HOST + b"Origin: https://ci.example\r\n", b""),
    "a query": request(b"POST /api/report-error?importing=true HTTP/1.1\r\n"),
    "a wrong query": request(b"POST /api/report-error?importing=perhaps HTTP/1.1\r\n"),
    "another path": request(b"POST /api/report-error/ HTTP/1.1\r\n"),
    "an escaped path": request(b"POST /api/report%2Derror HTTP/1.1\r\n"),
    "a whole address": request(b"POST http://localhost/api/report-error HTTP/1.1\r\n"),
    "its own page": request(headers=HOST + TYPE + b"Origin: http://localhost\r\n"),
    "an allowed page": request(headers=HOST + TYPE + b"Origin: https://ci.example\r\n"),
    "a foreign page": request(headers=HOST + TYPE + b"Origin: https://evil.example\r\n"),
    "100-continue": request(headers=HOST + TYPE + b"Expect: 100-continue\r\n"),
    "another expectation": request(headers=HOST + TYPE + b"Expect: miracles\r\n"),
}


async def answered(service: InProcess, sent: bytes) -> bytes:
    """Returns what the service sends, without the time; of a connection that it does not close, one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.client.port)
    try:
        writer.write(sent)
        async with asyncio.timeout(20):
            if b"close" in sent:
                found = await reader.read()
            else:
                found = await reader.readuntil(b"\r\n\r\n")
                found += await reader.readexactly(int(re.search(rb"Content-Length: (\d+)", found)[1]))  # type: ignore[index]
    finally:
        writer.close()
    return re.sub(rb"(?m)^Date: .*$", b"", found)


def count_taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns a list that gets the path of each request that takes the short way of a running service."""
    paths: list[str] = []
    handler = shortcut.report_error

    async def report_error(request: Any) -> Any:
        paths.append(request.raw_path)
        return await handler(request)

    monkeypatch.setattr(shortcut, "report_error", report_error)
    return paths


async def reports_counted(service: InProcess) -> Counter[str]:
    """Returns the counters of received, repeated and rejected reports."""
    metrics = await service.metrics()
    return Counter({name: int(value) for name, value in metrics.items() if re.match(r"\w+_reports_\w+_total", name)})


async def test_the_answers_are_the_same(serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in what is counted."""
    service = await serve(allowed_origins=["https://ci.example"], max_body_bytes=1_000_000)
    await service.post({"event_id": "e1"})
    first = await reports_counted(service)
    short = {name: await answered(service, sent) for name, sent in (SHORT | LONG).items()}
    second = await reports_counted(service)
    monkeypatch.setattr(shortcut, "PATH", "")
    assert {name: await answered(service, sent) for name, sent in (SHORT | LONG).items()} == short
    assert await reports_counted(service) - second == second - first
    assert len(second - first) > 5
    assert {answer[9:12] for answer in short.values()} >= {
        b"200",
        b"400",
        b"403",
        b"404",
        b"405",
        b"413",
        b"415",
        b"417",
    }


async def test_only_plain_reports_take_it(serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    service = await serve(allowed_origins=["https://ci.example"])
    taken = count_taken(monkeypatch)
    for sent in LONG.values():
        await answered(service, sent)
    assert taken == []
    for name in ("plain", "HTTP/1.0", "compressed", "no JSON", "another type"):
        await answered(service, SHORT[name])
    assert taken == [shortcut.PATH] * 5
    await answered(service, SHORT["another host"])
    assert len(taken) == 5  # refused before


async def test_as_soon_as_there_is_a_token_it_is_asked_for(
    service: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = count_taken(monkeypatch)
    with now_seen():
        assert (await answered(service, SHORT["plain"]))[9:12] == b"200"
        make_token(tmp_path, "ci", "report")
        assert (await answered(service, SHORT["plain"]))[9:12] == b"401"
    assert len(taken) == 1
