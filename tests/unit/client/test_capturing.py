"""Exceptions: how they are described, and that each is reported once by hooks, blocks, functions and log records."""

import asyncio
import gc
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import error_visualization
import pytest
from error_visualization import api, hooks
from error_visualization.exceptions import described

pytestmark = pytest.mark.dashboard


class Collected:
    """Stands for a reporter, and keeps what it gets."""

    worker_id, problem, url = "w", "", "http://127.0.0.1:9"

    def __init__(self) -> None:
        self.reports: list[dict[str, Any]] = []

    def report(self, fields: dict[str, Any]) -> bool:
        self.reports.append(fields)
        return True

    @property
    def types(self) -> list[str]:
        return [report["type"] for report in self.reports]


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Collected:
    reporter = Collected()
    monkeypatch.setattr(api, "_current", reporter)
    return reporter


@pytest.fixture
def hooked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Installs the hooks. What the previous ones got is in the list."""
    previous: list[str] = []
    monkeypatch.setattr(hooks, "_installed", False)
    monkeypatch.setattr(sys, "excepthook", lambda kind, *_: previous.append(kind.__name__))
    monkeypatch.setattr(threading, "excepthook", lambda arguments: previous.append(arguments.exc_type.__name__))
    monkeypatch.setattr(sys, "unraisablehook", lambda arguments: previous.append(arguments.exc_type.__name__))
    monkeypatch.setattr(asyncio.BaseEventLoop, "default_exception_handler", lambda *_: previous.append("loop"))
    hooks.install()
    return previous


def test_a_chain_and_a_group_are_described() -> None:
    try:
        try:
            raise KeyError("cause")
        except KeyError as cause:
            raise ExceptionGroup("several", [ValueError("inner one"), TypeError("inner two")]) from cause
    except ExceptionGroup as error:
        error.add_note("seen on node 7")
        found = described(error)
    assert (found["type"], found["message"]) == ("ExceptionGroup", "several (2 sub-exceptions)\nseen on node 7")
    for words in ("KeyError: 'cause'", "direct cause", "ValueError: inner one", "TypeError: inner two"):
        assert words in found["traceback"]


def test_an_exception_that_fails_itself_is_described() -> None:
    class BadError(Exception):
        @property
        def __notes__(self) -> Any:
            raise RuntimeError

        def __str__(self) -> str:
            raise RuntimeError

    found = described(BadError())
    assert (found["type"], found["message"]) == ("BadError", "BadError()")


def test_captured_once(collected: Collected) -> None:
    assert error_visualization.capture_exception() is False  # there is none
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError as error:
        assert error_visualization.capture_exception(error_category="X")
        assert error_visualization.capture_exception(error)
        logging.getLogger("x").addHandler(handler := error_visualization.LogHandler())
        try:
            logging.getLogger("x").exception("again")
        finally:
            logging.getLogger("x").removeHandler(handler)
    (report,) = collected.reports
    assert (report["type"], report["error_category"], report["worker_id"]) == ("ZeroDivisionError", "X", "w")
    assert report["system_context"]["hostname"]


async def test_monitor(collected: Collected) -> None:
    with pytest.raises(ValueError, match="block"), error_visualization.monitor(labels={"a": 1}):
        raise ValueError("block")
    with pytest.raises(KeyError):
        async with error_visualization.monitor():
            raise KeyError

    @error_visualization.monitor
    def function(number: int) -> int:
        """Its text."""
        return 1 // number

    @error_visualization.monitor(error_category="C")
    async def coroutine() -> None:
        raise OSError

    @error_visualization.monitor
    def generator() -> Iterator[int]:
        yield 1
        raise LookupError

    assert (function(1), function.__doc__) == (1, "Its text.")
    with pytest.raises(ZeroDivisionError):
        function(0)
    with pytest.raises(OSError):
        await coroutine()
    with pytest.raises(LookupError):
        list(generator())
    with pytest.raises(KeyboardInterrupt), error_visualization.monitor():
        raise KeyboardInterrupt
    assert collected.types == ["ValueError", "KeyError", "ZeroDivisionError", "OSError", "LookupError"]
    assert (collected.reports[0]["labels"], collected.reports[3]["error_category"]) == ({"a": 1}, "C")


async def test_what_nothing_catches_is_reported_and_passed_on(collected: Collected, hooked: list[str]) -> None:
    def fail() -> None:
        raise RuntimeError("thread")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()

    class Last:
        def __del__(self) -> None:
            raise LookupError("del")

    Last()
    gc.collect()

    async def task() -> None:
        raise OSError("task")

    asyncio.get_running_loop().set_exception_handler(None)
    running = asyncio.create_task(task())
    await asyncio.sleep(0.01)
    del running
    gc.collect()
    error = TypeError("main")
    sys.excepthook(TypeError, error, None)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert collected.types == ["RuntimeError", "LookupError", "OSError", "TypeError"]
    assert hooked == ["RuntimeError", "LookupError", "loop", "TypeError", "KeyboardInterrupt"]
    hooks.install()  # not twice
    sys.excepthook(ValueError, ValueError("once"), None)
    assert collected.types[4:] == ["ValueError"]


def test_log_records(collected: Collected) -> None:
    log, handler = logging.getLogger("jobs"), error_visualization.LogHandler(labels={"l": 1})
    log.addHandler(handler)
    try:
        log.warning("below")
        log.error("job %d failed", 7)
        handler.handle(logging.makeLogRecord({"name": "jobs", "levelno": 40, "msg": "%d", "args": ("no number",)}))
        logging.getLogger("error_visualization").error("its own")
        handler.handle(logging.makeLogRecord({"name": "error_visualization", "levelno": 40, "msg": "its own"}))
    finally:
        log.removeHandler(handler)
    assert [report["message"] for report in collected.reports] == ["job 7 failed", "%d"]
    assert collected.reports[0]["type"] == "jobs"
    assert collected.reports[0]["labels"] == {"l": 1}
    assert collected.reports[0]["log"]["level"] == "ERROR"


@pytest.mark.parametrize("url", ["", "nonsense"])
def test_without_a_service_nothing_is_raised(url: str) -> None:
    code = f"""
import error_visualization as ev
ev.init({url!r})
try: 1 / 0
except ZeroDivisionError: assert ev.capture_exception() is False
assert ev.flush(0.1)
ev.close()
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.count("no errors can be reported") == 1


def test_threads_that_log_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = threading.Barrier(2, timeout=5)  # broken unless both threads report at the same time

    class Slow(Collected):
        def report(self, fields: dict[str, Any]) -> bool:
            inside.wait()
            return super().report(fields)

    reporter, handler = Slow(), error_visualization.LogHandler()
    handler.addFilter(lambda record: record.msg != "left out")
    monkeypatch.setattr(api, "_current", reporter)
    handler.handle(logging.makeLogRecord({"name": "jobs", "levelno": 40, "msg": "left out"}))
    record = logging.makeLogRecord({"name": "jobs", "levelno": 40, "msg": "x"})
    threads = [threading.Thread(target=handler.handle, args=(record,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reporter.types == ["jobs", "jobs"]
