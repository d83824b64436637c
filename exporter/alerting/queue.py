"""The alerts that wait for one Alertmanager, and whether it holds those that it accepted.

Queued alerts are coalesced by label set: a newer state replaces the queued state. After an outage, an Alertmanager
therefore receives only the latest state of each alert, including resolutions.
"""

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec

from exporter.access.secrets import without_secrets
from exporter.alerting.alert import Alert, Labels, Push
from exporter.alerting.words import without_texts

BATCH: Final = 64
TIMEOUT_SECONDS: Final = 10.0
RESENDS_UNTIL_END: Final = 4  # `endsAt` is this many resend intervals ahead, as in Prometheus' alerts
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 15.0
CONFIRM_SECONDS: Final = 30.0  # between two questions whether an Alertmanager holds what it accepted
UNCONFIRMED_SECONDS: Final = 60.0  # after its acceptance an alert must be held
REFUSED: Final = (400, 413, 422)  # statuses that refuse the alerts themselves; a retry would be refused, too
MAX_ANSWER: Final = 4_096  # bytes of a response to a push that are read
MAX_HELD: Final = 2**25  # bytes of a list of alerts that are read
MAX_SHOWN: Final = 300  # bytes of a response that are logged
_JSON: Final = {"Content-Type": "application/json"}
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)
State = tuple[Alert, dt.datetime | None]  # an alert, and when it ended


class _Held(msgspec.Struct):
    labels: dict[str, str]


class _Accepted(msgspec.Struct):
    """When an Alertmanager accepted a firing alert for the first and for the last time, in monotonic seconds. It holds
    the alert for some time after the last."""

    first: float
    latest: float


_decode_held = msgspec.json.Decoder(list[_Held]).decode


class Queue:
    """`name` identifies the Alertmanager in metrics: its address without credentials."""

    def __init__(self, url: str, push: Push, capacity: int) -> None:
        parts = urlsplit(url)
        self.name = parts.netloc.rpartition("@")[2] + parts.path.rstrip("/")
        self.capacity = capacity
        self.sent = 0
        self.errors = 0
        self.dropped = 0
        self.confirmed = 0
        self.unconfirmed = 0
        self.url = f"{url.rstrip('/')}/api/v2/alerts"
        self._labels = push.labels
        self._most = BATCH  # alerts of one push
        self._lasting = dt.timedelta(seconds=RESENDS_UNTIL_END * push.resend_seconds)
        self._waiting: dict[Labels, State] = {}
        self._accepted: dict[Labels, _Accepted] = {}  # firing alerts
        self._seen: set[Labels] = set()  # of these, those that the Alertmanager was seen to hold
        self._more = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, alerts: Sequence[Alert], ended: dt.datetime | None = None) -> None:
        """Queues alerts that fire or have ended. One that ended is told only to whom it was told before."""
        for alert in alerts:
            if ended is None or self.name in alert.accepted_by:
                self._waiting[alert.labels] = (alert, ended)
        while len(self._waiting) > self.capacity:
            del self._waiting[next(iter(self._waiting))]
            self.dropped += 1
        if self._waiting:
            self.idle.clear()
            self._more.set()

    def forget(self, ids: Collection[int]) -> None:
        """Removes the texts of errors from what is queued. An alert that is being sent with them is sent again."""
        for labels, (alert, ended) in self._waiting.items():
            if int(alert.annotations["error_id"]) in ids:
                alert.annotations = without_texts(alert.annotations)
                self._waiting[labels] = (alert, ended)  # another state than the one that `run` sends

    def waiting(self) -> list[State]:
        """Returns what is queued, oldest first."""
        return list(self._waiting.values())

    async def run(self) -> None:
        """Sends queued alerts in batches, and retries failed batches with backoff, until it is cancelled."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        pause = FIRST_PAUSE
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                await self._more.wait()
                batch = dict(list(self._waiting.items())[: self._most])
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
                    self._most = BATCH  # what refused a large push may be gone
                    self._more.clear()
                    self.idle.set()

    async def confirm(self) -> None:
        """Asks the Alertmanager from time to time which alerts it holds, until it is cancelled."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        said = ""
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                await asyncio.sleep(CONFIRM_SECONDS)
                failure = ""
                if self._accepted:
                    try:
                        self.compare(await self._held(session), time.monotonic())
                    except Exception as error:
                        failure = without_secrets(str(error) or type(error).__name__)[:MAX_SHOWN]
                        self.compare(None, time.monotonic())
                if failure and failure != said:
                    _log.warning("Alertmanager %s does not say which alerts it holds: %s", self.name, failure)
                said = failure

    def compare(self, held: Sequence[Mapping[str, str]] | None, now: float) -> None:
        """Counts which accepted alerts are in `held`, the label sets that the Alertmanager holds; None if it does not
        say."""
        lasting = self._lasting.total_seconds()
        self._accepted = {labels: one for labels, one in self._accepted.items() if now - one.latest < lasting}
        if held is not None:
            sets = {frozenset(labels.items()) for labels in held}
            now_held = {labels for labels in self._accepted if self._key(labels) in sets}
            self.confirmed += len(now_held - self._seen)
            self._seen = now_held
        missing = [
            labels
            for labels, accepted in self._accepted.items()
            if labels not in self._seen and now - accepted.first > UNCONFIRMED_SECONDS
        ]
        if len(missing) > self.unconfirmed:
            _log.error("Alertmanager %s accepted %d alerts that it does not hold", self.name, len(missing))
        self.unconfirmed = len(missing)

    def _key(self, labels: Labels) -> frozenset[tuple[str, str]]:
        return frozenset(labels.as_dict(self._labels).items())

    async def _held(self, session: aiohttp.ClientSession) -> list[dict[str, str]]:
        """Returns the labels of the pushed alerts of this service that the Alertmanager holds, also silenced ones."""
        matchers = {"source": "push"} | self._labels
        query = urlencode([("filter", f"{name}={_encode(value).decode()}") for name, value in matchers.items()])
        async with session.get(f"{self.url}?{query}", allow_redirects=False) as response:
            if response.status != 200:
                raise OSError(f"status {response.status}")
            return [one.labels for one in _decode_held(await _read(response.content, MAX_HELD))]

    def _starts_at(self, alert: Alert, now: dt.datetime) -> dt.datetime:
        """Returns from when an Alertmanager is told that an alert fires: the first time, from `now`.

        A group whose first alert began longer ago than `group_wait` is notified at once, with the alerts that came by
        then, and all others wait for `group_interval`. After an outage, that would be most of an incident.
        """
        return alert.starts_at if self.name in alert.accepted_by else now

    async def _post(self, session: aiohttp.ClientSession, batch: dict[Labels, State]) -> str:
        """Sends a batch. Returns why it must be retried, or "" if it must not.

        A refused batch is not retried: Alertmanager has stored its valid alerts and would refuse the others again.
        A batch that is too large for a proxy is sent again in parts.

        A response that is not from API v2 is retried. It comes from a proxy or a wrong address: for example a redirect,
        which would turn the POST into a GET, or a login page.
        """
        now = dt.datetime.now(dt.UTC)
        body: list[dict[str, Any]] = [
            alert.as_json(self._starts_at(alert, now), ended or now + self._lasting, self._labels)
            for alert, ended in batch.values()
        ]
        try:
            async with session.post(self.url, data=_encode(body), headers=_JSON, allow_redirects=False) as response:
                answer = await _read(response.content, MAX_ANSWER)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return str(error) or type(error).__name__
        status, said = response.status, answer[:MAX_SHOWN].decode(errors="replace")
        if status == 413 and len(batch) > 1:
            self._most = len(batch) // 2
            return f"status 413, the next push has at most {self._most} alerts: {said}"
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
        self._note(batch, time.monotonic())
        return ""

    def _note(self, batch: dict[Labels, State], now: float) -> None:
        """Remembers which alerts the Alertmanager has to hold from now on."""
        for labels, (_, ended) in batch.items():
            if ended is None:
                self._accepted.setdefault(labels, _Accepted(now, now)).latest = now
            else:
                self._accepted.pop(labels, None)
                self._seen.discard(labels)


async def _read(content: aiohttp.StreamReader, most: int) -> bytes:
    """Returns the first `most` bytes of a response."""
    try:
        return await content.readexactly(most)
    except asyncio.IncompleteReadError as error:
        return error.partial


def _empty_or_json(answer: bytes) -> bool:
    try:
        return not answer.strip() or bool(msgspec.json.decode(answer, type=msgspec.Raw))
    except (msgspec.DecodeError, RecursionError):
        return False
