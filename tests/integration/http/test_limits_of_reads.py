"""Beyond the limits of expensive requests, the answer says when to come back; kept answers are given all the same."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientResponse
from conftest import InProcess, eventually

from exporter.http import reads

pytestmark = pytest.mark.dashboard


async def refused(answer: ClientResponse) -> bool:
    return answer.status == 503 and "Retry-After" in answer.headers and (await answer.json())["status"] == "error"


async def test_reads_and_changes_beyond_the_limit_are_refused(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    service: InProcess = await serve(max_waiting_reads=2)
    await service.get("/api/errors")
    database = service.service.store
    answered = asyncio.Event()
    ask, call = database._flights._ask, database._call

    async def slowly(payload: bytes, at: int) -> bytes:
        await answered.wait()
        return await ask(payload, at)

    async def call_slowly(kind: Any, payload: bytes, seconds: float) -> bytes:
        if kind == "pin":
            await answered.wait()
        return await call(kind, payload, seconds)

    monkeypatch.setattr(database._flights, "_ask", slowly)
    monkeypatch.setattr(database, "_call", call_slowly)
    waiting = [asyncio.create_task(service.get("/api/errors/list", limit=limit)) for limit in (1, 2)]
    changing = [asyncio.create_task(service.ask(f"/api/errors/{id_}/pin", status=404)) for id_ in (1, 2)]
    await eventually(lambda: len(database._flights._running) == 2 and database._changing == 2)
    async with service.client.get("/api/errors/list?limit=3") as answer:
        assert await refused(answer)
    async with service.client.post("/api/errors/3/pin") as answer:
        assert await refused(answer)
    async with service.client.get("/api/errors", headers={"Cache-Control": "max-age=10"}) as answer:
        assert answer.status == 200
    joined = asyncio.create_task(service.get("/api/errors/list", limit=1))
    answered.set()
    await asyncio.gather(*waiting, *changing, joined)
    await service.get("/api/errors/list", limit=3)


async def test_scrapes_beyond_the_limit_are_refused(service: InProcess) -> None:
    scrapes = service.client.server.app[reads.SCRAPES]
    for _ in range(reads.MAX_SCRAPES):
        await scrapes.acquire()
    async with service.client.get("/metrics") as answer:
        assert await refused(answer)
    scrapes.release()
    assert await service.metrics()
