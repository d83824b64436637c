"""Equal reads at the same time are computed once, without showing anybody an answer older than their request.

For each key at most one read is running and one is waiting to start. A request joins the running read if that read sees
the log at least up to the position of the request; else it joins the waiting one, which sees everything when it starts.
A read that nobody waits for any more is cancelled.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from exporter.store import StoreError

MAX_READS: Final = 100  # different reads under way
Ask = Callable[[bytes, int], Awaitable[bytes]]


class Flight:
    """One read: its payload, the log position that it sees, its future answer, and how many requests wait for it."""

    __slots__ = ("answer", "at", "payload", "task", "waiting")

    def __init__(self, payload: bytes, at: int) -> None:
        self.payload = payload
        self.at = at
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None] | None = None
        self.waiting = 0


class Flights:
    """The reads that are under way. `ask` sends a read and returns its answer; cancelling that cancels the read."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._running: dict[bytes, Flight] = {}
        self._next: dict[bytes, Flight] = {}

    async def join(self, key: bytes, payload: bytes, at: int) -> bytes:
        """Returns the answer to the read `payload`, which sees the log at least up to `at`. Raises what the read
        raises."""
        flight = self._running.get(key)
        if flight is None and len(self._running) >= MAX_READS:
            raise StoreError(f"{MAX_READS} other reads wait for the database")
        if flight is None or flight.answer.cancelled():
            flight = self._start(key, Flight(payload, at))
        elif flight.at < at:
            flight = self._next.setdefault(key, Flight(payload, at))
            flight.payload, flight.at = payload, max(flight.at, at)
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.answer)
        finally:
            flight.waiting -= 1
            if not flight.waiting and flight.task is not None and not flight.answer.done():
                flight.answer.cancel()
                flight.task.cancel()

    def _start(self, key: bytes, flight: Flight) -> Flight:
        self._running[key] = flight
        flight.task = asyncio.create_task(self._fly(key, flight))
        return flight

    async def _fly(self, key: bytes, flight: Flight) -> None:
        try:
            result = await self._ask(flight.payload, flight.at)
            if not flight.answer.done():
                flight.answer.set_result(result)
        except Exception as error:
            if not flight.answer.done():
                flight.answer.set_exception(error)
                flight.answer.exception()  # marks it as seen, in case every request has gone
        finally:
            if self._running.get(key) is flight:
                del self._running[key]
                following = self._next.pop(key, None)
                if following is not None and following.waiting:
                    self._start(key, following)
