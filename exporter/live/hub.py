"""Live updates: everybody connected to /ws/error-visualization hears each error once, in order.

Each update has a number, `seq`: how many errors were stored up to and including it, so that it goes on over a restart.
A client that reads too slowly is dropped; nobody waits for it.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from exporter.events.event import ErrorEvent

_log = logging.getLogger(__name__)
TOPIC: Final = "error_visualization"
MAX_QUEUE: Final = 2_000  # updates that one client may lag behind
REMEMBERED: Final = 1_000  # updates that a client which comes back can still get
MAX_BYTES: Final = 2**25  # of the reports in either of the two
GOODBYE_SECONDS: Final = 2.0  # for a client to take leave; then it is cut off
BATCH_SECONDS: Final = 0.1
MAX_BATCH: Final = 500
MAX_TIME_RANGE: Final = 24 * 365 * 10


class Update:
    """One error with its `seq`; turned into JSON once, for all clients, and only if there are any."""

    __slots__ = ("_event", "_json", "seq", "size")

    def __init__(self, seq: int, event: ErrorEvent) -> None:
        self.seq = seq
        self.size = len(event.body)
        self._event: ErrorEvent | None = event
        self._json = b""

    def json(self) -> bytes:
        if self._event is not None:
            self._json = msgspec.json.encode(self._event.as_dict())
            self._event = None
        return self._json


class Client:
    """One connection: what it asked for, and what it has yet to be sent."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None = None) -> None:
        self.socket = socket
        self._transport = transport
        self.time_range = 24
        self.since = 0  # from where on it listens
        self.initialised = False
        self.subscribed = False
        self.batch = False
        self.queue: deque[Update | dict[str, Any]] = deque()
        self._bytes = 0
        self.wake = asyncio.Event()

    @property
    def listens(self) -> bool:
        return self.initialised or self.subscribed

    def put(self, item: Update | dict[str, Any]) -> bool:
        """Queues an update or an answer; False when the client lags too far behind."""
        if len(self.queue) >= MAX_QUEUE or self._bytes > MAX_BYTES:
            return False
        self.queue.append(item)
        self._bytes += item.size if isinstance(item, Update) else 0
        self.wake.set()
        return True

    def take(self) -> Update | dict[str, Any]:
        item = self.queue.popleft()
        self._bytes -= item.size if isinstance(item, Update) else 0
        return item

    async def hang_up(self, code: int, message: bytes) -> None:
        """Says goodbye; who does not take it in time is cut off, or the service could not stop."""
        with contextlib.suppress(TimeoutError, ConnectionError, RuntimeError):
            await asyncio.wait_for(self.socket.close(code=code, message=message), GOODBYE_SECONDS)
        if self._transport is not None:
            self._transport.abort()


class Live:
    """The hub of all clients."""

    def __init__(self) -> None:
        self.seq = 0
        self.clients: set[Client] = set()
        self.sent = 0
        self.dropped = 0
        self._recent: deque[Update] = deque()
        self._bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def resume(self, seq: int) -> None:
        """Goes on from the number of errors that are stored; what was heard of them before is no longer remembered."""
        if seq != self.seq:
            self.seq = seq
            self._recent.clear()
            self._bytes = 0

    def hear(self, events: Sequence[ErrorEvent]) -> None:
        for event in events:
            self.seq += 1
            update = Update(self.seq, event)
            self._remember(update)
            for client in [c for c in self.clients if c.listens and not c.put(update)]:
                self._drop(client)

    async def serve(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        """Talks with one client until it leaves, lags or the service stops."""
        client = Client(socket, transport)
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
        self._listen(client)
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
        self._listen(client)
        client.time_range, client.batch, client.initialised = time_range, batch, True
        confirmed = {"type": "error_visualization_init_confirmed", "time_range": time_range, "seq": self.seq}
        if since is None:
            return [confirmed]
        missed = [update for update in self._recent if since < update.seq <= client.since]
        if (
            len(missed) != max(0, client.since - since)
            or since > self.seq
            or len(client.queue) + len(missed) >= MAX_QUEUE
        ):
            return [confirmed | {"resync": True}]  # more was missed than is remembered: fetch afresh
        return [confirmed | {"resync": False}, *missed]

    def _listen(self, client: Client) -> None:
        if not client.listens:
            client.since = self.seq

    async def close(self) -> None:
        """Says goodbye to all."""
        await asyncio.gather(
            *(client.hang_up(WSCloseCode.GOING_AWAY, b"the service stops") for client in list(self.clients)),
            *self._tasks,
        )

    def _remember(self, update: Update) -> None:
        self._recent.append(update)
        self._bytes += update.size
        while len(self._recent) > REMEMBERED or self._bytes > MAX_BYTES:
            self._bytes -= self._recent.popleft().size

    def _drop(self, client: Client, code: int = WSCloseCode.TRY_AGAIN_LATER, message: bytes = b"too slow") -> None:
        self.clients.discard(client)
        self.dropped += len(client.queue) + 1
        client.queue.clear()
        task = asyncio.create_task(client.hang_up(code, message))
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
        except Exception as error:
            if isinstance(error, ConnectionError) or client.socket.closed:
                self.clients.discard(client)  # it left in the middle of a message
                return
            _log.exception("an update could not be sent")
            self._drop(client, WSCloseCode.INTERNAL_ERROR, b"an error of the service itself")

    async def _send_next(self, client: Client) -> None:
        item = client.take()
        if isinstance(item, dict):
            await client.socket.send_str(msgspec.json.encode(item).decode())
            return
        updates = [item]
        while client.batch and len(updates) < MAX_BATCH and client.queue:
            if not isinstance(client.queue[0], Update):
                break
            updates.append(client.queue[0])
            client.take()
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


def _error(message: str, field: str = "") -> dict[str, Any]:
    return {"type": "error", "message": f"{field}: {message}" if field else message, "field": field}
