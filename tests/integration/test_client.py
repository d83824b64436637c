"""The Python client, against a real service and against one with scripted failures."""

import asyncio
import datetime as dt
import functools
import json
import numbers
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from conftest import REPORT, InProcess
from error_visualization import answers, api, post, segment
from stub import listening

from exporter.client import error_report, report_error, report_error_sync

pytestmark = pytest.mark.dashboard
Reporter = Callable[[str, Any], Any]


async def sync(url: str, data: Any) -> bool:
    return await asyncio.to_thread(report_error_sync, url, data)


@pytest.fixture(params=[report_error, sync], ids=["async", "sync"])
def report(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reporter]:
    monkeypatch.setattr(api, "_by_url", {})
    monkeypatch.setattr(api, "Reporter", functools.partial(api.Reporter, block=10.0))  # the machine may be busy
    monkeypatch.setattr(answers, "MAX_RETRY_AFTER", 0.01)
    monkeypatch.setattr(answers, "PATIENCE", 0.01)
    yield request.param
    for reporter in api._by_url.values():
        reporter.close(0.0)


class Scripted:
    """A service that gives each of `answers` once, then success."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.bodies: list[dict[str, Any]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        answer = self.answers.pop(0) if self.answers else 200
        if answer == "hang up":
            assert request.transport
            request.transport.close()
        if answer == "hang":
            await asyncio.sleep(1)
        if isinstance(answer, str):
            return web.Response(text=answer)
        return web.json_response({"status": "success" if answer == 200 else "error"}, status=answer,
                                 headers={"Retry-After": "3600"} if answer == 503 else None)  # fmt: skip

    async def body(self) -> dict[str, Any]:
        """Returns the first body, when it has come and is answered."""
        await delivered()
        return self.bodies[0]


@pytest.fixture
async def scripted() -> AsyncIterator[tuple[Scripted, str]]:
    behaviour = Scripted()
    async with listening(behaviour.handle, "/api/report-error", "POST") as url:
        yield behaviour, f"{url}/"


async def delivered() -> None:
    """Waits until all reporters have delivered everything."""
    assert await asyncio.to_thread(lambda: all([one.flush(15) for one in api._by_url.values()]))  # noqa: C419


async def test_a_report_is_stored(service: InProcess, report: Reporter) -> None:
    sent = dict(REPORT)
    assert await report(str(service.client.make_url("/")), sent) is True
    assert sent == REPORT  # the caller's object is not changed
    await delivered()
    assert (await service.get("/api/errors"))["summary"]["total_errors"] == 1


@pytest.mark.parametrize(
    "script", [[503, 503], [429], ["hang up", 502], ["hang"], [504], [500], [401], [404], ["not json"]]
)
async def test_it_is_tried_again_with_the_same_id(
    scripted: Any, report: Reporter, script: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    behaviour, url = scripted
    if script == ["hang"]:
        monkeypatch.setattr(post, "TIMEOUT", 0.5)
    behaviour.answers = list(script)
    assert await report(url, REPORT) is True
    await delivered()
    assert len(behaviour.bodies) == len(script) + 1
    assert len({body["event_id"] for body in behaviour.bodies}) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_refused_report_is_put_aside_and_does_not_block_the_next(
    scripted: Any, report: Reporter, status: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    behaviour, url = scripted
    behaviour.answers = [status]
    assert await report(url, REPORT | {"event_id": "bad"}) is True
    await delivered()
    assert await report(url, REPORT | {"event_id": "good"}) is True
    await delivered()
    assert [body["event_id"] for body in behaviour.bodies] == ["bad", "good"]
    (refused,) = (tmp_path / "spool").rglob("refused")
    kept = json.loads(refused.read_text())
    assert kept["why"].startswith(str(status))
    assert json.loads(kept["body"])["event_id"] == "bad"
    assert str(status) in caplog.text


async def test_an_unreachable_service_keeps_nobody_waiting(report: Reporter) -> None:
    assert await report("http://127.0.0.1:9", REPORT) is True  # it is on disk


@pytest.mark.parametrize("url", ["nonsense", "", "ftp://x", "http://[::bad", "http://", None])
async def test_nothing_is_raised_into_the_caller(report: Reporter, url: Any) -> None:
    assert await report(url, REPORT) is False
    assert await report(url, None) is False
    assert await report("http://127.0.0.1:9", None) is False


async def test_values_that_json_does_not_have(scripted: Any, report: Reporter) -> None:
    behaviour, url = scripted
    circle: dict[str, Any] = {}
    circle["self"] = circle
    odd = {"when": dt.datetime(2026, 1, 2), "nan": float("nan"), "bytes": b"a\xff", "set": {1}, "bad": "x\udcff",
           "object": ValueError("v"), 3: "key", "circle": circle, "event_id": None}  # fmt: skip
    assert await report(url, REPORT | odd) is True
    sent = await behaviour.body()
    assert (sent["when"], sent["nan"], sent["bytes"], sent["set"]) == ("2026-01-02T00:00:00", None, "a\ufffd", [1])
    assert (sent["bad"], sent["object"], sent["3"]) == ("x\ufffd", "v", "key")
    assert sent["event_id"]


class Scalar:
    """A number of NumPy or PyTorch: no Python number, but its `item()` is one. Several items have no such."""

    dtype = "float32"

    def __init__(self, *items: float) -> None:
        self.items = items

    def item(self) -> float:
        (one,) = self.items
        return one

    def __str__(self) -> str:
        return f"array of {len(self.items)}"


class SilentError(Exception):
    """Its conversion to text fails."""

    def __str__(self) -> str:
        raise TypeError("no text")

    __repr__ = __str__


@numbers.Integral.register
class WholeNumber:
    """As NumPy's, which are registered as numbers and are no subclass of `int`."""

    def __int__(self) -> int:
        return 8


async def test_numbers_of_other_libraries_are_numbers(scripted: Any, report: Reporter) -> None:
    behaviour, url = scripted
    odd = {"scalar": Scalar(12.5), "nan": Scalar(float("nan")), "array": Scalar(1, 2), "count": WholeNumber(),
           "fraction": Fraction(1, 4), "decimal": Decimal("1.50"), "flag": Scalar(True), "silent": SilentError(),
           "path": Path("/w")}  # fmt: skip
    assert await report(url, REPORT | odd) is True
    sent = await behaviour.body()
    assert {name: sent[name] for name in odd} == {
        "scalar": 12.5, "nan": None, "array": "array of 2", "count": 8, "fraction": 0.25, "decimal": "1.50",
        "flag": True, "silent": "<SilentError>", "path": "/w",
    }  # fmt: skip


async def test_a_report_that_is_too_large_is_cut(service: InProcess, report: Reporter) -> None:
    url = str(service.client.make_url("/"))
    lines = [f"E   - tensor([{number}])\n" for number in range(250_000)]
    assert await report(url, REPORT | {"traceback": "".join(lines), "labels": {"a": "é" * 2_000}}) is True
    await delivered()
    (error,) = (await service.get("/api/errors/list"))["errors"]
    stored = (await service.get(f"/api/errors/{error['id']}"))["report"]
    assert stored["traceback"].startswith(lines[0])
    assert stored["traceback"].endswith(lines[-1])
    assert "characters left out" in stored["traceback"]
    assert len(stored["traceback"]) < 210_000
    assert stored["labels"] == {"a": "é" * 2_000}  # other texts are whole
    contexts = {f"context {number}": {"rows": ["x" * 100] * 10_000} for number in range(9)}
    assert await report(url, REPORT | contexts | {"worker_id": Path("/w"), "traceback": "short"}) is True
    await delivered()
    error = (await service.get("/api/errors/list"))["errors"][0]
    stored = (await service.get(f"/api/errors/{error['id']}"))["report"]
    assert stored.pop("timestamp")
    assert stored == REPORT | {"worker_id": "/w", "traceback": "short", "event_id": error["event_id"]}


async def test_a_long_report_below_the_limit_is_whole(serve: Any, report: Reporter) -> None:
    service: InProcess = await serve(max_report_bytes=2**23)
    traceback = "x" * 3_500_000
    assert await report(str(service.client.make_url("/")), REPORT | {"traceback": traceback}) is True
    await delivered()
    (error,) = (await service.get("/api/errors/list"))["errors"]
    assert (await service.get(f"/api/errors/{error['id']}"))["traceback"] == traceback


async def test_cancelling_is_not_swallowed(report: Reporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk hangs meanwhile, and so does nothing else."""
    disk = threading.Event()
    monkeypatch.setattr(segment, "_flush", lambda _: disk.wait(10))
    task = asyncio.create_task(report_error("http://127.0.0.1:9", REPORT))
    began = time.monotonic()
    await asyncio.sleep(0.1)
    assert time.monotonic() - began < 5
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    disk.set()


async def test_an_exception_as_a_report(service: InProcess, report: Reporter) -> None:
    try:
        raise RuntimeError("boom")
    except RuntimeError as error:
        made = error_report(error, worker_id="w", error_category="TEST_X", labels={"a": 1})
    assert json.loads(json.dumps(made)) == made
    assert (made["type"], made["message"], made["labels"]) == ("RuntimeError", "boom", {"a": 1})
    assert "test_an_exception_as_a_report" in made["traceback"]
    assert await report(str(service.client.make_url("/")), made)
    await delivered()
    assert (await service.get("/api/errors"))["recent_errors"][0]["traceback"] == made["traceback"]


async def test_an_exception_without_a_text_as_a_report(service: InProcess, report: Reporter) -> None:
    try:
        raise SilentError
    except SilentError as error:
        made = error_report(error, worker_id="w")
    assert (made["type"], made["message"]) == ("SilentError", "<SilentError>")
    assert "test_an_exception_without_a_text_as_a_report" in made["traceback"]
    assert await report(str(service.client.make_url("/")), made)
    await delivered()


def test_the_client_is_light() -> None:
    code = "import sys, exporter.client; print([m for m in ('duckdb', 'aiohttp', 'psutil', 'msgspec') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
