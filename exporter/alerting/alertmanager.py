"""Pushes alerts to the API v2 of each Alertmanager. Each Alertmanager has its own queue and its own retries.

Queued alerts are coalesced by label set: a newer state replaces the queued state. After an outage, an Alertmanager
therefore receives only the latest state of each alert, including resolutions. Firing alerts are resent regularly, as
Alertmanager expects of its clients: it resolves an alert that is not resent before its `endsAt`.
"""

import asyncio
import contextlib
import datetime as dt
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from exporter.access.secrets import without_secrets
from exporter.alerting.alerts import Alert, Alerts, Labels, Push
from exporter.events.event import ErrorEvent
from exporter.log import Log

BATCH: Final = 64
TICK_SECONDS: Final = 0.5
TIMEOUT_SECONDS: Final = 10.0
RESENDS_UNTIL_END: Final = 4  # `endsAt` is this many resend intervals ahead, as in Prometheus' alerts
STOP_SECONDS: Final = 1.0  # a shutdown waits this long for queued alerts to be sent
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 15.0
READER: Final = "alertmanager:"  # + name of the queue: the key of its position in the log
REFUSED: Final = (400, 413, 422)  # statuses that refuse the alerts themselves; a retry would be refused, too
MAX_ANSWER: Final = 4_096  # bytes of a response that are read
MAX_SHOWN: Final = 300  # bytes of a response that are logged
_JSON: Final = {"Content-Type": "application/json"}
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)


class Notifier:
    """A reader of the log that turns events into alerts and sends the alerts. The log stores, per Alertmanager, the
    position up to which it has accepted all alerts, so that a restart sends the others."""

    def __init__(self, log: Log, urls: Sequence[str], push: Push, capacity: int) -> None:
        self.position = log.last
        self._log = log
        self._push = push
        self._capacity = capacity
        self.queues = self._queues(urls)
        self._alerts = Alerts(push)
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by the name of the queue; "": that of the alerts

    def on_events(self, events: Sequence[ErrorEvent]) -> None:
        if not self.queues:
            self.position = events[-1].id
            return
        now = time.monotonic()
        for event in events:
            self._send(self._alerts.on_events((event,), now))
            self.position = event.id

    def accepted(self) -> int:
        """Returns the position up to which every Alertmanager has accepted all alerts. Ignores Alertmanagers without a
        stored position; if none has a stored position, returns the end of the log."""
        saved = [self._log.position(READER + queue.name) for queue in self.queues]
        return min([position for position in saved if position is not None], default=self._log.last)

    def resume(self, events: Iterable[ErrorEvent]) -> None:
        """Restores the alerts after a restart. `events`, oldest first, are those whose alerts may still be firing and
        those that an Alertmanager has not accepted. The hold time of the latter begins now, however long the service
        was down."""
        now, clock, accepted = dt.datetime.now(dt.UTC), time.monotonic(), self.accepted()
        for event in events:
            age = (now - event.received_at).total_seconds() if event.id <= accepted else 0.0
            self._send(self._alerts.on_events([event], clock - max(age, 0.0)))  # the clock may have been set back

    def start(self) -> None:
        self._tasks = {queue.name: asyncio.create_task(queue.run()) for queue in self.queues}
        self._tasks[""] = asyncio.create_task(self._keep())

    def use(self, urls: Sequence[str]) -> None:
        """Sends alerts to these Alertmanagers from now on. One that stays keeps its queue and its counters; a new one
        gets the alerts that fire with their next resend."""
        known = {queue.name: queue for queue in self.queues}
        wanted = self._queues(urls)
        for queue in wanted:
            if queue.name in known:
                known[queue.name].url = queue.url  # perhaps with another password
            else:
                self._tasks[queue.name] = asyncio.create_task(queue.run())
        names = {queue.name for queue in wanted}
        for name in known.keys() - names:
            self._tasks.pop(name).cancel()
        self.queues[:] = [known.get(queue.name, queue) for queue in wanted]  # in place: metrics hold the list, too

    def _queues(self, urls: Sequence[str]) -> "list[Queue]":
        return list({one.name: one for one in (Queue(url, self._push, self._capacity) for url in urls)}.values())

    async def stop(self) -> None:
        """Gives the queues `STOP_SECONDS` to send their alerts, and saves the positions. Alertmanager resolves firing
        alerts at their `endsAt`, unless the service restarts before."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(queue.idle.wait() for queue in self.queues)), STOP_SECONDS)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
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
    """The alerts queued for one Alertmanager. `name` identifies it in metrics: its address without credentials."""

    def __init__(self, url: str, push: Push, capacity: int) -> None:
        parts = urlsplit(url)
        self.name = parts.netloc.rpartition("@")[2] + parts.path.rstrip("/")
        self.capacity = capacity
        self.sent = 0
        self.errors = 0
        self.dropped = 0
        self.url = f"{url.rstrip('/')}/api/v2/alerts"
        self._lasting = dt.timedelta(seconds=RESENDS_UNTIL_END * push.resend_seconds)
        self._waiting: dict[Labels, tuple[Alert, dt.datetime | None]] = {}
        self._more = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, alerts: Sequence[Alert], ended: dt.datetime | None = None) -> None:
        for alert in alerts:
            if ended is None or self.name in alert.accepted_by:
                self._waiting[alert.labels] = (alert, ended)
        while len(self._waiting) > self.capacity:
            del self._waiting[next(iter(self._waiting))]
            self.dropped += 1
        if self._waiting:
            self.idle.clear()
            self._more.set()

    async def run(self) -> None:
        """Sends queued alerts in batches, and retries failed batches with backoff, until it is cancelled."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        pause = FIRST_PAUSE
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                await self._more.wait()
                batch = dict(list(self._waiting.items())[:BATCH])
                try:
                    failure = await self._post(session, batch)
                except Exception as error:
                    _log.exception("sending alerts to %s failed", self.name)
                    failure = repr(error)
                if failure := without_secrets(failure):  # the location of a redirect may have some
                    self.errors += len(batch)
                    _log.warning("Alertmanager %s did not take %d alerts: %s", self.name, len(batch), failure)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
                    continue
                pause = FIRST_PAUSE
                for labels, state in batch.items():
                    state[0].accepted_by.add(self.name)
                    if self._waiting.get(labels) is state:  # not replaced meanwhile
                        del self._waiting[labels]
                if not self._waiting:
                    self._more.clear()
                    self.idle.set()

    async def _post(self, session: aiohttp.ClientSession, batch: dict[Labels, tuple[Alert, dt.datetime | None]]) -> str:
        """Sends a batch. Returns why it must be retried, or "" if it must not.

        A refused batch is not retried: Alertmanager has stored its valid alerts and would refuse the others again.

        A response that is not from API v2 is retried. It comes from a proxy or a wrong address: for example a redirect,
        which would turn the POST into a GET, or a login page.
        """
        lasting = dt.datetime.now(dt.UTC) + self._lasting
        body: list[dict[str, Any]] = [alert.as_json(ended or lasting) for alert, ended in batch.values()]
        try:
            async with session.post(self.url, data=_encode(body), headers=_JSON, allow_redirects=False) as response:
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
    """Returns the first `MAX_ANSWER` bytes of a response; Alertmanager's responses are shorter."""
    try:
        return await content.readexactly(MAX_ANSWER)
    except asyncio.IncompleteReadError as error:
        return error.partial


def _empty_or_json(answer: bytes) -> bool:
    try:
        return not answer.strip() or bool(msgspec.json.decode(answer, type=msgspec.Raw))
    except (msgspec.DecodeError, RecursionError):
        return False
