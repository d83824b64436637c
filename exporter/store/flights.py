"""Equal reads at the same time are computed once. No request gets an answer that was read before the request came.

For each key at most one read is running and one is waiting to start. A request joins the running read if that read has
not been sent yet, or sees the data at least as it was when the request came, or is not older than the request allows;
else it joins the waiting one. What a read sees is decided when it is sent. A read that nobody waits for any more is
cancelled.

Readers who got one answer together often ask again together, within some milliseconds, while reports arrive. If the
read of the first were sent at once, the others could not join it: they would wait until it ends, and then for a second
read. So before such a read is sent, it waits for more requests.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from exporter.store import StoreError
from exporter.store.answers import KEPT_SECONDS, Answer, Answers, Version

GATHERING: Final = 0.1  # time to wait for more requests, as a share of the time that the previous read took
MAX_GATHERING_SECONDS: Final = 0.1
Ask = Callable[[bytes, int], Awaitable[bytes]]


class Flight:
    """One read: its payload and when that was made, whether its answer is kept, the version of the data that it sees
    (None: it is not sent yet), its future answer, and how many requests wait for it."""

    __slots__ = ("answer", "asked", "keep", "payload", "task", "version", "waiting")

    def __init__(self, *, keep: bool) -> None:
        self.keep = keep
        self.payload = b""
        self.asked = 0.0
        self.version: Version | None = None
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None] | None = None
        self.waiting = 0

    def sees(self, version: Version, max_age: float) -> bool:
        """Returns whether its answer will include everything up to `version`, or lacks only events and is at most
        `max_age` seconds old now."""
        return (
            self.version is None
            or self.version >= version
            or bool(
                max_age and self.version.generation == version.generation and time.monotonic() - self.asked <= max_age
            )
        )


class Flights:
    """The reads that are under way, and the answers that may be given again. `ask` sends a read, which sees the log at
    least up to a position, and returns its answer; cancelling that cancels the read. `version` returns the version of
    the data at the moment. At most `most` different reads are under way; kept answers are given beyond that, too."""

    def __init__(self, ask: Ask, version: Callable[[], Version], most: int = 100) -> None:
        self.answers = Answers()
        self._most = most
        self._ask = ask
        self._version = version
        self._running: dict[bytes, Flight] = {}
        self._next: dict[bytes, Flight] = {}

    async def join(self, key: bytes, payload: bytes, *, keep: bool = False, max_age: float = 0.0) -> Answer:
        """Returns an answer to the read `payload` that includes everything up to now, or lacks only events and is at
        most `max_age` seconds old, and `KEPT_SECONDS`. With `keep`, equal requests may get this answer later. Raises
        what the read raises."""
        max_age = min(max_age, KEPT_SECONDS)
        version = self._version()
        if (answer := self.answers.current(key, version, max_age)) is not None:
            return answer
        flight = self._running.get(key)
        if flight is None and len(self._running) >= self._most:
            raise StoreError(f"{self._most} other reads wait for the database")
        if flight is None:
            before = self.answers.latest(key)
            flight = self._start(key, Flight(keep=keep), before.seconds if before and before.requests > 1 else 0.0)
        elif not flight.sees(version, max_age):
            flight = self._next.setdefault(key, Flight(keep=keep))
        if flight.version is None:
            flight.payload, flight.asked = payload, time.monotonic()
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.answer)
        finally:
            flight.waiting -= 1
            if not flight.waiting and flight.task is not None and not flight.answer.done():
                flight.answer.cancel()
                flight.task.cancel()
                self._land(key, flight, 0.0)  # a task that has not begun yet never gets to its `finally`

    def _start(self, key: bytes, flight: Flight, seconds: float) -> Flight:
        """Starts a read. `seconds` is how long the previous one took, if several requests shared it; else 0."""
        self._running[key] = flight
        flight.task = asyncio.create_task(self._fly(key, flight, min(seconds * GATHERING, MAX_GATHERING_SECONDS)))
        return flight

    async def _fly(self, key: bytes, flight: Flight, gathering: float) -> None:
        sent = time.monotonic()
        try:
            if gathering:
                await asyncio.sleep(gathering)
            sent = time.monotonic()
            version = flight.version = self._version()
            json = await self._ask(flight.payload, version.position)
            seconds = time.monotonic() - sent
            answer = Answer(json, version, flight.asked, seconds=seconds, requests=flight.waiting)
            if flight.keep:
                self.answers.keep(key, answer)
            if not flight.answer.done():
                flight.answer.set_result(answer)
        except Exception as error:
            if not flight.answer.done():
                flight.answer.set_exception(error)
                flight.answer.exception()  # marks it as seen, in case every request has gone
        finally:
            self._land(key, flight, time.monotonic() - sent)

    def _land(self, key: bytes, flight: Flight, seconds: float) -> None:
        """Starts the read that waits for the end of `flight`, which took so many seconds. May be called again."""
        if self._running.get(key) is flight:
            del self._running[key]
            following = self._next.pop(key, None)
            if following is not None and following.waiting:
                self._start(key, following, seconds)
