"""Takes reports: puts them on disk, and delivers them in the background."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import weakref
from collections.abc import Mapping
from typing import Any, Callable

from error_visualization import context
from error_visualization.body import encoded, encoded_whole, event_id
from error_visualization.delivery import REPORT, Delivery, sender
from error_visualization.frames import Record
from error_visualization.memory import Memory
from error_visualization.spool import MAX_BYTES, Spool, SpoolError
from error_visualization.writer import Pending, Writer

AT_EXIT = 2.0  # seconds in which the last reports are delivered when the process ends
_reporters: weakref.WeakSet[Reporter] = weakref.WeakSet()
_hooked = False


class Reporter:
    """Reports errors to the service at `url`. Any thread may use it, also a signal handler, at interpreter exit and in
    a forked child. Nothing is raised, and a call takes at most about `block` seconds beside the conversion to JSON.

    `spool` is the folder for reports that are not delivered yet (default: ERROR_VISUALIZATION_SPOOL, else in the user's
    state folder), of at most `spool_bytes`. The token is `token`, that in `token_file`, or that of the environment."""

    def __init__(
        self,
        url: str,
        *,
        worker_id: str | None = None,
        token: str | None = None,
        token_file: str | None = None,
        spool: str | os.PathLike[str] | None = None,
        block: float = 0.05,
        spool_bytes: int = MAX_BYTES,
    ) -> None:
        self.url = str(url).rstrip("/")
        self.worker_id = worker_id or context.worker_id(os.environ)
        self.block = block
        self.problem = why_no_service(self.url)  # "" if the address can be that of a service
        self._token, self._token_file = token, token_file
        self._spool = Spool(self.url, os.environ, spool, spool_bytes)
        self._begin()
        if self.problem:
            warn("no errors can be reported to %r: %s", url, self.problem)
            return
        _hook()
        _reporters.add(self)
        if self._spool.has_leftovers():
            with contextlib.suppress(Exception):
                self._spool.open()
                self._delivery.start()

    def _begin(self) -> None:
        from error_visualization.authorization import authorization

        self._pid = os.getpid()
        self._memory = Memory()
        self._counted = 0
        headers: Callable[[], Mapping[str, str]] = lambda: authorization(self._token_file, self._token)  # noqa: E731
        self._delivery = Delivery(self._spool, self._memory, sender(self.url, headers), self._drops)
        self._writer = Writer(self._spool, self._memory, self._delivery.wake)

    def report(self, fields: Mapping[str, Any]) -> bool:
        """Takes a report, completed with worker, time, event id, run, test and process. Returns whether it is on disk,
        or stored; False also if that took longer than `block`: then it may still get there."""
        pending = self._submit(fields)
        return pending is not None and pending.wait(self.block)

    async def report_async(self, fields: Mapping[str, Any], timeout: float = 10.0) -> bool:
        """As `report`, for code on an event loop, which goes on meanwhile. Waits for the disk at most `timeout`
        seconds."""
        import asyncio

        loop = asyncio.get_running_loop()
        safe = loop.create_future()

        def settle() -> None:
            if not safe.done():
                safe.set_result(True)

        def on_safe() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(settle)

        pending = self._submit(fields, on_safe)
        if pending is None or pending.safe:
            return pending is not None
        try:
            return bool(await asyncio.wait_for(safe, timeout))
        except asyncio.TimeoutError:
            return pending.safe

    def post(self, path: str, body: Mapping[str, Any]) -> bool:
        """As `report`, for another path of the service, such as "/api/runs". `body` is sent with all of its values; one
        that is longer than the service takes is not sent."""
        try:
            pending = None if self.problem else self._accept(Record(path, encoded_whole(body)), None)
            return pending is not None and pending.wait(self.block)
        except Exception:
            warn("a request could not be made", exc_info=True)
            return False

    def flush(self, timeout: float) -> bool:
        """Waits until everything is delivered, at most `timeout` seconds. Returns whether it is."""
        return self._flush(timeout, give_up=False)

    def close(self, timeout: float = 2.0) -> None:
        """Delivers what it can in `timeout` seconds; the rest stays in the spool for the next process. If the service
        does not answer, it does not wait longer for it."""
        try:
            if self._pid != os.getpid() or self.problem:
                return
            began = time.monotonic()
            self._flush(timeout, give_up=True)
            self._writer.stop()
            self._delivery.stop()
            self._spool.close(max(began + timeout - time.monotonic(), 0.05))
        except Exception:
            warn("reports could not be delivered", exc_info=True)

    def _submit(self, fields: Mapping[str, Any], on_safe: Callable[[], None] | None = None) -> Pending | None:
        if self.problem:
            return None
        try:
            report = context.completed(fields, self.worker_id, os.environ)
            report["event_id"] = report.get("event_id") or event_id()
            return self._accept(Record(REPORT, encoded(report)), on_safe)
        except Exception:
            warn("an error could not be reported", exc_info=True)
            return None

    def _accept(self, record: Record, on_safe: Callable[[], None] | None) -> Pending:
        if self._pid != os.getpid():  # forked without the hooks of Python
            self._after_fork()
        pending = Pending(record, on_safe)
        if sys.is_finalizing() or not self._writer.submit(pending):
            self._spool.write_alone(record)
            pending.settle()
        return pending

    def _flush(self, timeout: float, give_up: bool) -> bool:
        began = time.monotonic()
        deadline = began + timeout
        if self.problem:
            return True
        if self._spool.has_leftovers():  # of a process before this one, or of forked children
            with contextlib.suppress(SpoolError):
                self._spool.open()
                self._spool.adopt(max(timeout, 0.0))
        self._delivery.hurried_until = deadline
        if not self._is_idle():
            self._delivery.wake()
        while not self._is_idle():
            if time.monotonic() >= deadline or sys.is_finalizing():
                return False
            if give_up and self._writer.is_idle and self._delivery.last_failure >= began:
                return False
            if not self._delivery.is_running:
                self._delivery.start()
                if not self._delivery.is_running:
                    return False
            time.sleep(0.005)
        return True

    def _is_idle(self) -> bool:
        return self._writer.is_idle and self._spool.is_empty() and not len(self._memory)

    def _drops(self) -> int:
        """Returns how many reports were dropped from memory since the last call."""
        count = self._memory.dropped + self._writer.dropped
        added, self._counted = count - self._counted, count
        return added

    def _after_fork(self) -> None:
        """In a forked child: what the parent has taken, the parent delivers."""
        self._spool.forget()
        self._begin()


def why_no_service(url: str) -> str:
    """Returns why `url` cannot be the address of a service; "" if it can."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        return str(error)
    return "" if valid else "expected an address such as http://errors.example.com:8080"


def _hook() -> None:
    """Registers, once, what happens at the end of the process and in forked children."""
    global _hooked
    if _hooked:
        return
    _hooked = True
    import atexit

    atexit.register(_at_exit)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_in_child)


def _at_exit() -> None:
    deadline = time.monotonic() + AT_EXIT
    for reporter in list(_reporters):
        reporter.close(max(deadline - time.monotonic(), 0.05))


def _in_child() -> None:
    for reporter in list(_reporters):
        reporter._after_fork()


def warn(words: str, *arguments: Any, exc_info: bool = False) -> None:
    with contextlib.suppress(Exception):
        import logging

        logging.getLogger("error_visualization").warning(words, *arguments, exc_info=exc_info)
