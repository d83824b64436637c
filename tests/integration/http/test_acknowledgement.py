"""The answer to a stored report says the same on the short way, where its header is encoded once a second."""

import asyncio
import json
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from aiohttp import hdrs
from conftest import REPORT, InProcess

from exporter.http import reports

pytestmark = pytest.mark.dashboard


async def sent(
    service: InProcess, version: str = "1.1", header: str = ""
) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Sends a report. Returns the status line, the header and the body of the answer."""
    body = json.dumps(REPORT)
    reader, writer = await asyncio.open_connection("127.0.0.1", service.client.port)
    writer.write(
        f"POST /api/report-error HTTP/{version}\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{header}\r\n{body}".encode()
    )
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n").split("\r\n")
    names = [line.partition(": ")[0] for line in lines]
    assert len(set(names)) == len(names), names
    found = dict(line.split(": ", 1) for line in lines)
    answer = json.loads(await reader.readexactly(int(found["Content-Length"])))
    writer.close()
    return status, found, answer


def comparable(header: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in header.items() if name not in ("Date", "Connection", "Content-Length")}


async def test_each_way_of_answering_says_the_same(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    whole = reports.success
    monkeypatch.setattr(reports, "success", lambda *words: made.append(words) or whole(*words))
    status, header, answer = await sent(service)
    assert (status, made) == ("HTTP/1.1 200 OK", [])
    assert "Connection" not in header
    ways = (
        ("1.1", "Connection: close\r\n"),
        ("1.1", "Origin: http://localhost\r\n"),
        ("1.0", ""),
        ("1.0", "Connection: keep-alive\r\n"),
    )
    for number, (version, more) in enumerate(ways, 1):
        other = await sent(service, version, more)
        assert len(made) == number, (version, more)
        assert other[0] == f"HTTP/{version} 200 OK"
        assert comparable(other[1]) == comparable(header)
        assert other[2].keys() == answer.keys()
        assert (other[2]["status"], other[2]["message"]) == (answer["status"], answer["message"])
        assert other[2]["data"].keys() == answer["data"].keys()
        assert other[1].get("Connection") == (more.strip().partition(": ")[2] if "Connection" in more else None)


async def test_the_date_is_that_of_the_second(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    for second in (1_800_000_000, 1_800_000_001.9):
        monkeypatch.setattr("time.time", lambda second=second: second)
        _, header, _ = await sent(service)
        assert parsedate_to_datetime(header["Date"]).timestamp() == int(second)


async def test_another_origin_may_read_it(serve: Callable[..., Any]) -> None:
    origin = "https://tests.example.com"
    service: InProcess = await serve(allowed_origins=(origin,))
    async with service.client.post("/api/report-error", json=REPORT, headers={hdrs.ORIGIN: origin}) as response:
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (200, origin)
