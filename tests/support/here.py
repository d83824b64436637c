"""The service and its commands in the test's process, for tests whose point is no process: starting Python and importing
the libraries takes more CPU than what such a test does."""

import argparse
import asyncio
import contextlib
import io
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Requests, free_port
from running import RunningServer

from exporter import config
from exporter.app import make_app
from exporter.cli import main
from exporter.local.hold import HoldListener
from exporter.logs import Logfmt
from exporter.service import Service
from exporter.store import StoreError, offline, repair


class Here(Requests):
    """As `conftest.Served`, in a thread of this process, which also has the store. Raises what `Service.start` raises."""

    def __init__(self, db: Path, *flags: str) -> None:
        self.db = db
        self.log: list[str] = []
        self._handler = _Lines(self.log)
        logging.getLogger().addHandler(self._handler)
        logging.getLogger().setLevel(logging.INFO)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        try:
            self._run(self._start("--db-path", str(db), "--min-free-bytes", "0", *flags))
        except BaseException:
            self._end()
            raise

    async def _start(self, *flags: str) -> None:
        parser = argparse.ArgumentParser()
        config.add_arguments(parser)
        self.service = Service(config.load(vars(parser.parse_args(flags)), {}), process=False)
        self._server = RunningServer(make_app(self.service), port=free_port())
        await self._server.start_server()
        self._holds = HoldListener(self.service.path, self.service.store)
        await self._holds.start()
        self.url = str(self._server.make_url("")).rstrip("/")

    async def _stop(self) -> None:
        await self._holds.stop()
        await self._server.close()

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()
        logging.getLogger().removeHandler(self._handler)

    @property
    def runs(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        if self.runs:
            try:
                self._run(self._stop())
            finally:
                self._end()

    def kill(self) -> None:
        """Stops the service, and leaves its files as they were before."""
        files = self.service.path.parent.glob(f"{self.service.path.name}*")
        kept = {file: file.read_bytes() for file in files if file.is_file()}
        self.stop()
        for file, content in kept.items():
            file.write_bytes(content)


class _Lines(logging.Handler):
    """Keeps the lines of the log."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(Logfmt())
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


def starting(db: Path) -> Iterator[Callable[..., Here]]:
    """For a fixture: yields a function that starts a service on `db`, or on another database. Stops them at the end."""
    running: list[Here] = []

    def start(*flags: str, db: Path = db) -> Here:
        running.append(Here(db, *flags))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def run_here(*arguments: object) -> tuple[int, str]:
    """Runs `error-visualization`; returns its exit status and what it printed."""
    said = io.StringIO()
    umask = os.umask(0o022)
    os.umask(umask)
    try:
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            patch.setattr(os, "nice", lambda _: 0)  # it would last
            status = main([str(one) for one in arguments])
    finally:
        os.umask(umask)
    return status, said.getvalue()


def ok_here(*arguments: object) -> str:
    status, said = run_here(*arguments)
    assert status == 0, said
    return said


def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` and `repair` read files in this process. Not for damage with which LMDB or DuckDB end the process."""

    def here(action: str, path: Path, *more: object) -> offline.Outcome:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = offline.main(action, path, *map(str, more))
        if status:
            raise StoreError(err.getvalue().strip())
        return offline.Outcome(out.getvalue(), died=False)

    monkeypatch.setattr(offline, "in_a_process", here)
    monkeypatch.setattr(repair, "in_a_process", here)
