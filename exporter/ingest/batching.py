"""Group commit: while groups of submissions are on their way to disk, the next gathers.

So a commit is shared by many requests under load, and alone it is never waited for. Two groups are on their way: while
one is answered here, the store has the other to work on.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from msgspec import Struct

from exporter.ingest.pipeline import Refusal, Submission, Taken

IN_FLIGHT: Final = 2
MAX_GROUP: Final = 4_000
MAX_GROUP_BYTES: Final = 2**24
Result = bytes | Refusal


class QueueFullError(Exception):
    """More waits to be written than there is room for."""


class Entry(Struct, gc=False):
    """One request's submissions, and where their results go."""

    submissions: Sequence[Submission]
    done: Any
    since: float
    size: int


class Intake:
    """Takes submissions to the store in groups, by `call`ing what is there. `taken` hears of each group after its
    commit and before the senders are answered."""

    def __init__(
        self,
        call: Callable[..., Awaitable[Any]],
        *,
        taken: Callable[[Taken], None],
        capacity: int,
        capacity_bytes: int,
        linger: float = 0.0,
    ) -> None:
        self._call = call
        self._taken = taken
        self._linger = linger
        self.capacity = capacity
        self.capacity_bytes = capacity_bytes
        self.queued = 0
        self.bytes = 0
        self._waiting: list[Entry] = []
        self._sent: deque[list[Entry]] = deque()
        self._free = asyncio.Semaphore(IN_FLIGHT)
        self._tasks: set[asyncio.Task[None]] = set()
        self._sender: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    def start(self) -> None:
        self._sender = asyncio.create_task(self._send())

    def submit(self, submissions: Sequence[Submission]) -> "asyncio.Future[list[Result]]":
        """The result of each submission, when all are on disk or refused. Raises `QueueFullError`."""
        size = sum(len(one.body) for one in submissions)
        if self.queued + len(submissions) > self.capacity or self.bytes + size > self.capacity_bytes:
            raise QueueFullError
        self.queued += len(submissions)
        self.bytes += size
        done: asyncio.Future[list[Result]] = asyncio.get_running_loop().create_future()
        self._waiting.append(Entry(submissions, done, time.monotonic(), size))
        self._wake.set()
        return done

    def oldest_seconds(self) -> float:
        """For how long the oldest report that is not on disk has been waiting."""
        first = self._sent[0] if self._sent else self._waiting
        return time.monotonic() - first[0].since if first else 0.0

    async def drain(self) -> None:
        """Waits until everything that was submitted is settled, then takes no more."""
        entries = itertools.chain(*self._sent, self._waiting)
        await asyncio.gather(*(entry.done for entry in entries), return_exceptions=True)
        if self._sender:
            self._sender.cancel()

    async def _send(self) -> None:
        while True:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            if self._linger:
                await asyncio.sleep(self._linger)
            await self._free.acquire()
            group = self._next_group()
            self._sent.append(group)
            task = asyncio.create_task(self._take(group))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _next_group(self) -> list[Entry]:
        """All that waits, up to a size that keeps a commit short."""
        count = size = 0
        for number, entry in enumerate(self._waiting):
            count += len(entry.submissions)
            size += entry.size
            if number and (count > MAX_GROUP or size > MAX_GROUP_BYTES):
                group, self._waiting = self._waiting[:number], self._waiting[number:]
                return group
        group, self._waiting = self._waiting, []
        return group

    async def _take(self, group: list[Entry]) -> None:
        """Has a group written. Groups are answered in the order in which they were sent."""
        submissions = [one for entry in group for one in entry.submissions]
        try:
            taken: Taken = await self._call("take", [tuple(one) for one in submissions])
        except Exception as error:
            taken = Taken([Refusal(str(error), "", "store_failed")] * len(submissions), [], [], 0, str(error), 0.0)
        for event, place in zip(taken.events, taken.places, strict=True):
            event.body = event.body or submissions[place].body.decode()
        self._sent.remove(group)
        self._free.release()
        self.queued -= len(submissions)
        self.bytes -= sum(entry.size for entry in group)
        self._taken(taken)
        place = 0
        for entry in group:
            end = place + len(entry.submissions)
            if not entry.done.done():
                entry.done.set_result(taken.results[place:end])
            place = end
