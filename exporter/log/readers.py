"""The readers in the HTTP process: each follows the log from its own position.

    append ──► Readers.publish ──► reader.on_events        directly, before the senders are answered
                     └── the reader failed, or is behind ──► a task reads the log from its position, with backoff

Readers only compute; what sends or waits (a WebSocket client, an Alertmanager) has a bounded queue and a task of its
own. A reader that has failed `TRIES` times at one event skips it; the skip is logged and counted. Reading a damaged
event from the log counts as such a failure. So one event cannot stop a reader for good. While the log cannot be read at
all, nothing is skipped. A reader that fails affects neither other readers nor the senders of reports.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final, Protocol

from exporter.backoff import Backoff
from exporter.events.event import ErrorEvent, decode_batch
from exporter.log import Log, LogDamagedError, LogError

READ_BYTES: Final = 2**20  # of the log at once
TRIES: Final = 5
_log = logging.getLogger(__name__)


class Reader(Protocol):
    """`position` is the id of the last event that the reader has finished. The reader sets it after each event, so that
    it is correct even if `on_events` raises half-way. Events up to `position` are not passed again."""

    position: int

    def on_events(self, events: Sequence[ErrorEvent]) -> None:
        """Handles events in the order of their ids. Runs on the event loop and must not block it."""


class Follower:
    """Feeds one reader. `restarts` counts its failures, `skipped` the events that it will never handle."""

    def __init__(self, name: str, reader: Reader, log: Log) -> None:
        self.name = name
        self.reader = reader
        self.restarts = 0
        self.skipped = 0
        self._log = log
        self._published = log.last
        self._catching_up = reader.position < log.last
        self._failed_at = 0  # the event at which the reader failed last
        self._tries = 0  # how often it failed there
        self._behind_since = time.monotonic()
        self._wake = asyncio.Event()

    @property
    def lag(self) -> int:
        """How many events the reader has not finished. Any thread may ask; to one that is not the event loop the reader
        may seem ahead of `_published`, which is read first."""
        return max(0, self._published - self.reader.position)

    def behind_seconds(self) -> float:
        """For how long the reader has not been at the end of the log."""
        return time.monotonic() - self._behind_since if self._catching_up else 0.0

    def publish(self, events: Sequence[ErrorEvent]) -> None:
        """Passes on a batch that was just appended. Never raises."""
        self._published = events[-1].id
        if not self._catching_up:
            try:
                self.reader.on_events(events)
            except Exception as error:
                self._behind_since = time.monotonic()
                self._failed(error)
                self._wake.set()

    async def run(self) -> None:
        """Catches up with the log whenever the reader is behind, until it is cancelled."""
        backoff = Backoff(0.1, 10.0)
        while True:
            while self.lag:
                self._catching_up = True
                try:
                    self.reader.on_events(await self._next())
                    backoff.reset()
                except Exception as error:
                    if isinstance(error, LogError) and not isinstance(error, LogDamagedError):
                        _log.error("reader %s cannot read the log and tries again: %s", self.name, error)
                    else:
                        self._failed(error)
                    await asyncio.sleep(backoff.next())
            self._catching_up = False
            self._wake.clear()
            await self._wake.wait()

    async def _next(self) -> Sequence[ErrorEvent]:
        """Returns the next events after the reader's position. Skips and counts those that the log has deleted."""
        position = self.reader.position
        first = self._log.first
        if position + 1 < first:
            _log.error(
                "reader %s: events %d to %d were deleted before it read them", self.name, position + 1, first - 1
            )
            self.skipped += first - 1 - position
            self.reader.position = position = first - 1
        records = await asyncio.to_thread(self._log.read, position + 1, READ_BYTES)
        events = [event for record in records for event in decode_batch(record.payload, record.first)]
        return [event for event in events if event.id > position]

    def _failed(self, error: Exception) -> None:
        self.restarts += 1
        self._catching_up = True
        event = self.reader.position + 1
        self._tries = self._tries + 1 if event == self._failed_at else 1
        self._failed_at = event
        _log.error("reader %s failed at event %d, try %d", self.name, event, self._tries, exc_info=error)
        if self._tries >= TRIES:
            _log.error("reader %s skips event %d", self.name, event)
            self.reader.position = event
            self.skipped += 1


class Readers:
    """All readers of one log."""

    def __init__(self, log: Log) -> None:
        self.followers: list[Follower] = []
        self._log = log
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, name: str, reader: Reader) -> None:
        self.followers.append(Follower(name, reader, self._log))

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(follower.run(), name=f"reader {follower.name}") for follower in self.followers
        ]

    def publish(self, events: Sequence[ErrorEvent]) -> None:
        """Passes on a batch that was just appended."""
        for follower in self.followers:
            follower.publish(events)

    def position(self) -> int:
        """The position up to which every reader is done."""
        return min((follower.reader.position for follower in self.followers), default=self._log.last)

    def behind(self, seconds: float) -> list[str]:
        """The names of the readers that have been behind for more than `seconds`."""
        return [follower.name for follower in self.followers if follower.behind_seconds() > seconds]

    def lag(self, name: str, seconds: float) -> int:
        """Returns how many events the reader `name` has not finished; 0 unless it is behind for more than `seconds`."""
        late = (one for one in self.followers if one.name == name and one.behind_seconds() > seconds)
        return sum(follower.lag for follower in late)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
