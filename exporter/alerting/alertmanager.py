"""Pushes alerts to every Alertmanager's API v2, each at its own pace.

An alert that waits is replaced by its newer state, so an Alertmanager that was away gets each once, also one that
ended meanwhile. What is sent over and over is what Alertmanager expects of its clients: an alert that is not heard of
any more ends by itself.
"""

import asyncio
import contextlib
import datetime as dt
import logging
import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from exporter.alerting.alerts import Alert, Alerts, Labels, Push
from exporter.events.event import ErrorEvent
from exporter.log import Log

BATCH: Final = 64
TICK_SECONDS: Final = 0.5
TIMEOUT_SECONDS: Final = 10.0
RESENDS_UNTIL_END: Final = 4  # unheard, an alert ends after so many resends: as with Prometheus' own
STOP_SECONDS: Final = 1.0  # what waits at the end may still be sent
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 15.0
READER: Final = "alertmanager:"  # and the queue's name: the name under which the log keeps a position
REFUSED: Final = (400, 413, 422)  # because of the alerts themselves: they would be refused again
MAX_ANSWER: Final = 4_096  # bytes of an answer that are read
MAX_SHOWN: Final = 300  # and of what is logged of it
_JSON: Final = {"Content-Type": "application/json"}
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)


class Notifier:
    """A reader of the log that keeps the alerts which its events are, and sends them. For each Alertmanager the log
    keeps the position up to which it has accepted everything, so that a restart sends what it has not."""

    def __init__(self, log: Log, urls: Sequence[str], push: Push, capacity: int) -> None:
        self.position = log.last
        self._log = log
        self.queues = list({queue.name: queue for queue in (Queue(url, push, capacity) for url in urls)}.values())
        self._alerts = Alerts(push)
        self._tasks: list[asyncio.Task[None]] = []

    def on_events(self, events: Sequence[ErrorEvent]) -> None:
        if not self.queues:
            self.position = events[-1].id
            return
        now = time.monotonic()
        for event in events:
            self._send(self._alerts.on_events((event,), now))
            self.position = event.id

    def accepted(self) -> int:
        """The position up to which every Alertmanager has accepted everything; the end of the log for a new one."""
        saved = [self._log.position(READER + queue.name) for queue in self.queues]
        return min([position for position in saved if position is not None], default=self._log.last)

    def resume(self, events: Sequence[ErrorEvent]) -> None:
        """Restores the alerts after a restart, from the events that may still hold and those that were not accepted
        everywhere, oldest first. The latter hold from now on, however long the service was away."""
        now, clock, accepted = dt.datetime.now(dt.UTC), time.monotonic(), self.accepted()
        for event in events:
            age = (now - event.received_at).total_seconds() if event.id <= accepted else 0.0
            self._send(self._alerts.on_events([event], clock - max(age, 0.0)))  # the clock may have been set back

    def start(self) -> None:
        if self.queues:
            self._tasks = [asyncio.create_task(queue.run()) for queue in self.queues]
            self._tasks.append(asyncio.create_task(self._keep()))

    async def stop(self) -> None:
        """Sends what can be sent at once. Alerts that hold end by themselves, unless the service is back before."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(queue.idle.wait() for queue in self.queues)), STOP_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._save()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            self._send(self._alerts.due(now))
            self._send(self._alerts.end(now), ended=dt.datetime.now(dt.UTC))
            self._save()

    def _save(self) -> None:
        for queue in self.queues:
            if not queue and self._log.position(READER + queue.name) != self.position:
                self._log.save_position(READER + queue.name, self.position)

    def _send(self, alerts: Sequence[Alert], ended: dt.datetime | None = None) -> None:
        for queue in self.queues if alerts else ():
            queue.put(alerts, ended)


class Queue:
    """What waits for one Alertmanager. `name` tells it from others in metrics: its address without a password."""

    def __init__(self, url: str, push: Push, capacity: int) -> None:
        parts = urlsplit(url)
        self.name = parts.netloc.rpartition("@")[2] + parts.path.rstrip("/")
        self.capacity = capacity
        self.sent = 0
        self.errors = 0
        self.dropped = 0
        self._url = f"{url.rstrip('/')}/api/v2/alerts"
        self._lasting = dt.timedelta(seconds=RESENDS_UNTIL_END * push.resend_seconds)
        self._waiting: dict[Labels, tuple[Alert, dt.datetime | None]] = {}
        self._more = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, alerts: Sequence[Alert], ended: dt.datetime | None = None) -> None:
        for alert in alerts:
            if ended is None or self.name in alert.told:
                self._waiting[alert.labels] = (alert, ended)
        while len(self._waiting) > self.capacity:
            del self._waiting[next(iter(self._waiting))]
            self.dropped += 1
        if self._waiting:
            self.idle.clear()
            self._more.set()

    async def run(self) -> None:
        """Sends what waits, and again what could not be sent, until it is cancelled."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        pause = FIRST_PAUSE
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                await self._more.wait()
                batch = dict(list(self._waiting.items())[:BATCH])
                try:
                    failure = await self._post(session, batch)
                except Exception as error:
                    _log.exception("alerts for %s", self.name)
                    failure = repr(error)
                if failure:
                    self.errors += len(batch)
                    _log.warning("Alertmanager %s did not take %d alerts: %s", self.name, len(batch), failure)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
                    continue
                pause = FIRST_PAUSE
                for labels, state in batch.items():
                    state[0].told.add(self.name)
                    if self._waiting.get(labels) is state:  # not replaced meanwhile
                        del self._waiting[labels]
                if not self._waiting:
                    self._more.clear()
                    self.idle.set()

    async def _post(self, session: aiohttp.ClientSession, batch: dict[Labels, tuple[Alert, dt.datetime | None]]) -> str:
        """Sends a batch; returns why it must be sent again, or "". What was refused is not: Alertmanager has stored the
        good ones of the batch, and would refuse the rest again.

        What else is no answer of API v2 comes from something before Alertmanager or at a wrong address: a redirect,
        which would turn the POST into a GET, or the page of a proxy that wants a password.
        """
        lasting = dt.datetime.now(dt.UTC) + self._lasting
        body: list[dict[str, Any]] = [alert.as_json(ended or lasting) for alert, ended in batch.values()]
        try:
            async with session.post(self._url, data=_encode(body), headers=_JSON, allow_redirects=False) as response:
                answer = await _read(response.content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return str(error) or type(error).__name__
        status, said = response.status, answer[:MAX_SHOWN].decode(errors="replace")
        if status in REFUSED:
            self.errors += len(batch)
            _log.error("Alertmanager %s refused alerts with status %d: %s", self.name, status, said)
            return ""
        if 300 <= status < 400:
            return f"status {status}, location {response.headers.get('Location', 'none')[:MAX_SHOWN]}"
        if status != 200:
            return f"status {status}: {said}"
        if not _empty_or_json(answer):
            return f"status 200 with content of type {response.content_type}, not an answer of Alertmanager: {said}"
        self.sent += len(batch)
        return ""


async def _read(content: aiohttp.StreamReader) -> bytes:
    """The beginning of an answer, as much as any of Alertmanager has."""
    try:
        return await content.readexactly(MAX_ANSWER)
    except asyncio.IncompleteReadError as error:
        return error.partial


def _empty_or_json(answer: bytes) -> bool:
    try:
        return not answer.strip() or bool(msgspec.json.decode(answer, type=msgspec.Raw))
    except (msgspec.DecodeError, RecursionError):
        return False
