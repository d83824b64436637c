"""Live updates: everybody connected to /ws/error-visualization hears each error once, in order.

Each update has a number, `seq`: how many errors were stored up to and including it, so that it goes on over a restart.
A client that reads too slowly is dropped; nobody waits for it.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from exporter.event import ErrorEvent

TOPIC: Final = "error_visualization"
MAX_QUEUE: Final = 1_000  # updates that one client may lag behind
REMEMBERED: Final = 10  # updates that a client which comes back can still get
BATCH_SECONDS: Final = 0.1
MAX_BATCH: Final = 500
MAX_TIME_RANGE: Final = 24 * 365 * 10


class Update:
    """One error with its `seq`; turned into JSON once, for all clients, and only if there are any."""

    __slots__ = ("_json", "event", "seq")

    def __init__(self, seq: int, event: ErrorEvent) -> None:
        self.seq = seq
        self.event = event
        self._json: bytes | None = None

    def json(self) -> bytes:
        if self._json is None:
            self._json = msgspec.json.encode(self.event.as_dict())
        return self._json


class Client:
    """One connection: what it asked for, and what it has yet to be sent."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.time_range = 24
        self.initialised = False
        self.subscribed = False
        self.batch = False
        self.queue: deque[Update | dict[str, Any]] = deque()
        self.wake = asyncio.Event()

    @property
    def listens(self) -> bool:
        return self.initialised or self.subscribed

    def put(self, item: Update | dict[str, Any]) -> bool:
        """Queues an update or an answer; False when the client lags too far behind."""
        if len(self.queue) >= MAX_QUEUE:
            return False
        self.queue.append(item)
        self.wake.set()
        return True


class Live:
    """The hub of all clients."""

    def __init__(self) -> None:
        self.seq = 0
        self.clients: set[Client] = set()
        self.sent = 0
        self.dropped = 0
        self._recent: deque[Update] = deque(maxlen=REMEMBERED)
        self._tasks: set[asyncio.Task[None]] = set()

    def resume(self, seq: int) -> None:
        """Goes on from the number of errors that are stored; what was heard of them before is no longer remembered."""
        if seq != self.seq:
            self.seq = seq
            self._recent.clear()

    def hear(self, events: Sequence[ErrorEvent]) -> None:
        for event in events:
            self.seq += 1
            update = Update(self.seq, event)
            self._recent.append(update)
            for client in [c for c in self.clients if c.listens and not c.put(update)]:
                self._drop(client)

    async def serve(self, socket: web.WebSocketResponse) -> None:
        """Talks with one client until it leaves, lags or the service stops."""
        client = Client(socket)
        self.clients.add(client)
        sender = asyncio.create_task(self._send(client))
        try:
            async for message in socket:
                answers = self.answer(client, message.data if message.type == WSMsgType.TEXT else "")
                if not all(client.put(answer) for answer in answers):
                    self._drop(client)
                    break
        finally:
            self.clients.discard(client)
            sender.cancel()

    def answer(self, client: Client, text: str) -> Sequence[Update | dict[str, Any]]:
        """Does what a message asks, and returns what to send in answer."""
        try:
            message = msgspec.json.decode(text)
            kind = message["type"]
        except (msgspec.DecodeError, TypeError, KeyError, RecursionError):
            return [_error('expected a JSON object with "type"')]
        if kind == "ping":
            return [{"type": "pong"}]
        if kind == "error_visualization_init":
            return self._init(client, message)
        if kind not in ("subscribe", "unsubscribe"):
            return [_error("expected error_visualization_init, subscribe, unsubscribe or ping", field="type")]
        if message.get("topic") != TOPIC:
            return [_error(f'expected "{TOPIC}"', field="topic")]
        client.subscribed = kind == "subscribe"
        if kind == "subscribe":
            return [{"type": "subscription_confirmed", "topic": TOPIC}]
        client.initialised = False
        return [{"type": "unsubscription_confirmed", "topic": TOPIC}]

    def _init(self, client: Client, message: dict[str, Any]) -> Sequence[Update | dict[str, Any]]:
        time_range, since, batch = message.get("time_range", 24), message.get("since"), message.get("batch", False)
        if type(time_range) is not int or not 1 <= time_range <= MAX_TIME_RANGE:
            return [_error("expected whole hours, 1 or more", field="time_range")]
        if since is not None and (type(since) is not int or since < 0):
            return [_error("expected the seq of an earlier update", field="since")]
        if type(batch) is not bool:
            return [_error("expected true or false", field="batch")]
        client.time_range, client.batch, client.initialised = time_range, batch, True
        confirmed = {"type": "error_visualization_init_confirmed", "time_range": time_range, "seq": self.seq}
        if since is None:
            return [confirmed]
        missed = [update for update in self._recent if update.seq > since]
        if len(missed) != self.seq - since or len(client.queue) + len(missed) >= MAX_QUEUE:
            return [confirmed | {"resync": True}]  # more was missed than is remembered: fetch afresh
        return [confirmed | {"resync": False}, *missed]

    async def close(self) -> None:
        """Says goodbye to all."""
        closing = [
            asyncio.wait_for(c.socket.close(code=WSCloseCode.GOING_AWAY, message=b"the service stops"), 2)
            for c in list(self.clients)
        ]
        await asyncio.gather(*closing, return_exceptions=True)

    def _drop(self, client: Client) -> None:
        self.clients.discard(client)
        self.dropped += len(client.queue) + 1
        client.queue.clear()
        task = asyncio.create_task(_hang_up(client.socket))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, client: Client) -> None:
        try:
            while True:
                await client.wake.wait()
                client.wake.clear()
                while client.queue:
                    await self._send_next(client)
                if client.batch:
                    await asyncio.sleep(BATCH_SECONDS)
        except (ConnectionError, RuntimeError):
            self.clients.discard(client)  # it left in the middle of a message

    async def _send_next(self, client: Client) -> None:
        item = client.queue.popleft()
        if isinstance(item, dict):
            await client.socket.send_str(msgspec.json.encode(item).decode())
            return
        updates = [item]
        while client.batch and len(updates) < MAX_BATCH and client.queue:
            if not isinstance(client.queue[0], Update):
                break
            updates.append(client.queue[0])
            client.queue.popleft()
        await client.socket.send_str(_update(client, updates).decode())
        self.sent += 1


def _update(client: Client, updates: Sequence[Update]) -> bytes:
    if client.batch:
        data = b'"errors":[' + b",".join(update.json() for update in updates) + b"]"
    else:
        data = b'"error":' + updates[0].json()
    return b'{"type":"error_visualization_update","data":{%s,"time_range":%d},"seq":%d}' % (
        data,
        client.time_range,
        updates[-1].seq,
    )


async def _hang_up(socket: web.WebSocketResponse) -> None:
    with contextlib.suppress(TimeoutError, ConnectionError, RuntimeError):
        await asyncio.wait_for(socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"too slow"), 2)


def _error(message: str, field: str = "") -> dict[str, Any]:
    return {"type": "error", "message": f"{field}: {message}" if field else message, "field": field}
