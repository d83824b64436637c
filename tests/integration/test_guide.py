"""The guide's own examples, run unchanged against a service started by its command."""

import ast
import asyncio
import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Served, eventually, free_port

pytestmark = pytest.mark.dashboard
GUIDE = Path(__file__).parent / "guide"


def free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def guides_port() -> Iterator[int]:
    """Port 8080, which the examples use, or another one if 8080 is in use, for example by a parallel test."""
    with (Path(tempfile.gettempdir()) / f"error-visualization-{os.getuid()}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = free(8080)
        except BlockingIOError:
            mine = False
        yield 8080 if mine else free_port()


@pytest.fixture
def service(served: Callable[..., Served]) -> Iterator[Served]:
    with guides_port() as port:
        one = served(port=port)
        yield one
        one.stop()


def example(name: str, service: Served) -> str:
    text = (GUIDE / name).read_text()
    return (
        text if service.url.endswith(":8080") else text.replace("localhost:8080", service.url.removeprefix("http://"))
    )


def test_curl_reports_and_reads(service: Served) -> None:
    for name in ("report_error.sh", "errors.sh"):
        done = subprocess.run(["sh", "-c", example(name, service)], capture_output=True, text=True, check=True)
        answer = json.loads(done.stdout)
        assert answer["status"] == "success"
        if name == "report_error.sh":
            assert answer["message"] == "Error reported successfully"
            assert answer["data"]["severity"] == "critical"
        else:
            assert set(answer["data"]) >= {"summary", "timestamp", "recent_errors", "error_distribution",
                                           "error_patterns", "worker_errors", "hardware_errors"}  # fmt: skip
            assert answer["data"]["summary"]["time_range_hours"] == 24
    error = service.get("/api/errors/1")
    assert (error["worker_id"], error["hardware_context"]["hardware_type"]) == ("worker-1", "cuda")


async def test_report_error_reports(service: Served) -> None:
    """The snippet ends in a bare `await`, so it runs as top-level code, as in a notebook."""
    code = compile(example("report_error.py", service), "report_error.py", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, object] = {}
    coroutine = eval(code, names)
    await coroutine
    assert await names["report_error"](service.url, names["error_data"]) is True  # type: ignore[operator]
    errors = (await asyncio.to_thread(service.get, "/api/errors"))["recent_errors"]
    assert [e["message"] for e in errors] == ["Failed to allocate GPU memory"] * 2
    assert errors[0]["severity"] == "critical"
    assert errors[0]["is_recurring"]
    assert errors[0]["system_context"]["gpu_metrics"]["devices"][1]["temperature"] == 75


async def test_the_websocket_client_hears_each_error_once(service: Served) -> None:
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-c", example("websocket_client.py", service), stdout=asyncio.subprocess.PIPE, cwd=ROOT,
        env={**os.environ, "no_proxy": "*"},
    )  # fmt: skip
    try:
        await eventually(lambda: service.metrics()["distributed_testing_websocket_clients"] == 1, 30)
        assert client.stdout
        first = asyncio.create_task(client.stdout.readline())
        sent = 0

        async def heard() -> bool:  # the client gets only errors after its first message
            nonlocal sent
            await asyncio.to_thread(service.post, {"type": f"T{sent}", "message": "m"})
            sent += 1
            return first.done()

        await eventually(heard)
        for _ in range(3):
            await heard()
        begin = int(first.result().decode().removeprefix("New error: T").removesuffix(" - m\n"))
        for number in range(begin + 1, sent):
            line = await asyncio.wait_for(client.stdout.readline(), 15)
            assert line.decode() == f"New error: T{number} - m\n"
    finally:
        client.terminate()
        await client.wait()
