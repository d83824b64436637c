"""The service's parts, put together: what the handlers work with."""

import asyncio
import datetime as dt
import itertools
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from exporter.alerting.alertmanager import Notifier
from exporter.alerting.alerts import Push
from exporter.config import Settings
from exporter.events.event import ErrorEvent
from exporter.ingest.batching import Intake
from exporter.ingest.pipeline import Taken
from exporter.live.hub import Live
from exporter.metrics.error_metrics import ErrorMetrics
from exporter.metrics.service_metrics import ServiceMetrics
from exporter.store import State, StoreError
from exporter.store import process as backend
from exporter.store.channel import GONE, Channel

STUCK_SECONDS: Final = 10.0
LONGEST_PAUSE: Final = 30.0  # between attempts to start the store's process again
_log = logging.getLogger(__name__)


class Listener(Protocol):
    """Hears of events on the event loop, after their commit, in the order of their ids. Must not block or raise."""

    def hear(self, events: Sequence[ErrorEvent]) -> None: ...


class Service:
    """Runs the store's process, and tells what was stored to all who listen. `process=False` runs it in a thread."""

    def __init__(self, settings: Settings, *, process: bool = True) -> None:
        self.settings = settings
        self._process = process
        self._folder = Path(settings.db_path).absolute().parent
        self.failure = "the store is not open yet"
        self.errors = ErrorMetrics(
            max_workers=settings.max_worker_labels, max_types=settings.max_type_labels, max_series=settings.max_series
        )
        self.live = Live()
        self.notifier = Notifier(settings.alertmanager_url, _push(settings), settings.alert_queue_capacity)
        self.listeners: list[Listener] = [self.errors, self.live, self.notifier]
        self.intake = Intake(
            self._write,
            taken=self._taken,
            capacity=settings.queue_capacity,
            capacity_bytes=settings.queue_bytes,
            linger=settings.linger_ms / 1000,
        )
        self.metrics = ServiceMetrics(self.errors)
        self.metrics.watch(self.intake, self.live, self.notifier.queues, self.size, lambda: not self.failure)
        self._stopping = False
        self._renewal: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Opens the store. Raises `StoreError`."""
        await self._open()
        if self.notifier.queues:
            since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=self.settings.alert_hold_seconds)
            self.notifier.resume(await self._read("recent_critical", since))
        self.intake.start()
        self.notifier.start()

    async def stop(self) -> None:
        """Writes what waits, closes the store."""
        self._stopping = True
        if self._renewal:
            self._renewal.cancel()
        await self.intake.drain()
        await self.notifier.stop()
        for reader in self._readers:
            reader.close()
        try:
            await self._writer.call("close")
        except ConnectionError:
            _log.error("the store was gone before it could be closed")
        self._writer.close()
        await asyncio.to_thread(backend.end, self._backend, patience=5.0)

    async def read(self, method: str, *values: Any) -> bytes | None:
        """What a reader of the store answers, as JSON. Raises `StoreError`."""
        found: bytes | None = await self._read(method, *values)
        return found

    async def _read(self, method: str, *values: Any) -> Any:
        reader = min(self._readers, key=lambda channel: channel.load)
        try:
            return await reader.call(method, *values)
        except OSError as error:
            raise StoreError(str(error)) from error

    async def reset_counts(self) -> dt.datetime:
        """Moves the mark from which the page and the gauge of critical errors count. Deletes nothing."""
        at = dt.datetime.now(dt.UTC)
        try:
            await self._write("reset_counts", at)
        except ConnectionError as error:
            raise StoreError(str(error)) from error
        self.errors.reset(at)
        return at

    async def why_not_ready(self) -> str:
        """Why nothing can be committed now; "" when it can."""
        try:
            failure = self.failure or await self._read("failure")
        except StoreError as error:
            failure = str(error)
        if failure:
            return f"the store fails: {failure}"
        waited = self.intake.oldest_seconds()
        if waited > STUCK_SECONDS:
            return f"the oldest report has been waiting to be written for {waited:.0f} s"
        free = shutil.disk_usage(self._folder).free
        if free < self.settings.min_free_bytes:
            return f"the disk is nearly full: {free} bytes are free, {self.settings.min_free_bytes} are wanted"
        return ""

    def size(self) -> int:
        """Bytes of the database, its log and the journal on disk."""
        path = Path(self.settings.db_path)
        files = [path, *(path.with_name(path.name + end) for end in (".wal", ".journal.0", ".journal.1"))]
        return sum(file.stat().st_size for file in files if file.exists())

    async def _open(self) -> None:
        """Starts a backend, and takes it over once its store is open; one that fails is ended. Raises `StoreError`."""
        started, sockets = await asyncio.to_thread(backend.start, self.settings, process=self._process)
        channels = [Channel(one) for one in sockets]
        try:
            for channel in channels:
                await channel.open()
            state: State = await channels[0].call("open")
            if channels[0].closed:
                raise ConnectionError(GONE)
        except (StoreError, OSError) as error:
            for channel in channels:
                channel.close()
            await asyncio.to_thread(backend.end, started)
            raise StoreError(str(error)) from error
        self._backend, self._writer, self._readers = started, channels[0], channels[1:]
        self._writer.lost = self._lost
        self.errors.resume(state)
        self.live.resume(sum(count.errors for count in state.counters.values()))
        self.failure = ""

    async def _write(self, method: str, *values: Any) -> Any:
        return await self._writer.call(method, *values)

    def _taken(self, taken: Taken) -> None:
        self.metrics.taken(taken)
        if taken.failure:
            self.failure = taken.failure
            _log.error("a transaction was not kept: %s", taken.failure)
        elif taken.events:
            self.failure = ""
        for listener in self.listeners if taken.events else ():
            listener.hear(taken.events)

    def _lost(self) -> None:
        if not self._stopping:
            self.failure = "its process died and is started again"
            self._renewal = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        """Starts the store's process again, for as long as it takes; what it had on disk is there."""
        for reader in self._readers:
            reader.close()
        await asyncio.to_thread(backend.end, self._backend)
        for attempt in itertools.count():
            try:
                await self._open()
                return
            except Exception as error:
                self.failure = f"it does not start: {error}"
                _log.error("the store does not start: %s", error)
                await asyncio.sleep(min(0.5 * 2 ** min(attempt, 10), LONGEST_PAUSE))


def _push(settings: Settings) -> Push:
    host = "localhost" if settings.host in ("", "0.0.0.0", "::", "127.0.0.1") else settings.host
    page_url = settings.external_url or f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    return Push(
        critical=settings.push_critical,
        system_critical=settings.push_system_critical,
        new_patterns=settings.push_new_patterns,
        resend_seconds=settings.alert_resend_seconds,
        hold_seconds=settings.alert_hold_seconds,
        page_url=page_url.rstrip("/"),
        runbook_url=settings.runbook_url.rstrip("/"),
    )
