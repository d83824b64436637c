"""Live updates: every client of /ws/error-visualization receives each event once, in order.

The `seq` of an update is the id of its event, which is its position in the log. A client that reconnects sends the last
`seq` it received, and the service reads the missed updates from the log, also after a restart. With the name of the log
that it knows, it learns that the service has another one now. The service disconnects a client that reads too slowly;
it never waits for a client.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from exporter.events.event import ErrorEvent, decode_batch
from exporter.live.client import MAX_BATCH, MAX_BYTES, MAX_QUEUE, Client, Message, Update
from exporter.live.frames import text_frame
from exporter.log import Log, LogError
from exporter.store.parameters import MAX_TIME_RANGE

TOPIC: Final = "error_visualization"
BATCH_SECONDS: Final = 0.1
READ_BYTES: Final = 2**20
MAX_MISSED_BYTES: Final = 2**26  # of the missed updates that all clients together have in their queues
RESUMING_AT_ONCE: Final = 4  # clients whose missed updates are read at the same time
_log = logging.getLogger(__name__)


class Live:
    """The hub of all clients, `max_clients` at most, and a reader of `log`."""

    def __init__(self, log: Log, max_clients: int = 1_000) -> None:
        self.position = log.last
        self.clients: set[Client] = set()
        self.sent = 0
        self.dropped = 0
        self.version = ""  # of the page; a page of another version loads itself again
        self.topics: dict[str, Callable[[], bytes]] = {}  # further topics → their present data as JSON
        self._log = log
        self._max_clients = max_clients
        self._resuming = asyncio.Semaphore(RESUMING_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def on_events(self, events: Sequence[ErrorEvent]) -> None:
        if not self.clients:
            self.position = events[-1].id
            return
        updates = [Update(event) for event in events]
        self.position = events[-1].id
        for client in [one for one in self.clients if one.listens and not one.put(*updates)]:
            self._drop(client, len(updates))

    async def serve(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        """Serves one client until it disconnects or is too slow, or the service stops."""
        client = Client(socket, transport)
        if len(self.clients) >= self._max_clients:
            await client.hang_up(WSCloseCode.TRY_AGAIN_LATER, b"too many clients")
            return
        self.clients.add(client)
        sender = asyncio.create_task(self._send(client))
        try:
            async for message in socket:
                answer = await self.answer(client, message.data if message.type == WSMsgType.TEXT else "")
                if not client.put(answer) if answer else client not in self.clients:
                    self._drop(client)
                    break
        finally:
            self.clients.discard(client)
            sender.cancel()

    async def answer(self, client: Client, text: str) -> Message | None:
        """Handles a message and returns the answer; None if the answer is queued already."""
        try:
            message = msgspec.json.decode(text)
            kind = message["type"]
        except (msgspec.DecodeError, TypeError, KeyError, RecursionError):
            return _error('expected a JSON object with "type"')
        if kind == "ping":
            return {"type": "pong"}
        if kind == "error_visualization_init":
            return await self._init(client, message)
        if kind not in ("subscribe", "unsubscribe"):
            return _error("expected error_visualization_init, subscribe, unsubscribe or ping", field="type")
        topic = message.get("topic")
        if isinstance(topic, str) and topic in self.topics:
            return self._subscribe(client, topic, subscribe=kind == "subscribe")
        if topic != TOPIC:
            return _error(f'expected "{TOPIC}"', field="topic")
        self._listen(client)
        client.subscribed = kind == "subscribe"
        if kind == "subscribe":
            return {"type": "subscription_confirmed", "topic": TOPIC}
        client.initialised = False
        return {"type": "unsubscription_confirmed", "topic": TOPIC}

    def _subscribe(self, client: Client, topic: str, *, subscribe: bool) -> Message | None:
        """Subscribes to a further topic, or ends that."""
        if not subscribe:
            client.topics.discard(topic)
            return {"type": "unsubscription_confirmed", "topic": topic}
        if not client.put({"type": "subscription_confirmed", "topic": topic}):
            self._drop(client)
            return None
        client.topics.add(topic)
        client.put_latest(topic, _frame(topic, self.topics[topic]()))
        return None

    def publish(self, topic: str, data: bytes) -> None:
        """Sends the present data of a further topic, as JSON, to its subscribers."""
        subscribers = [client for client in self.clients if topic in client.topics]
        frame = _frame(topic, data) if subscribers else b""
        for client in subscribers:
            client.put_latest(topic, frame)

    async def _init(self, client: Client, message: dict[str, Any]) -> Message | None:
        time_range, since = message.get("time_range", 24), message.get("since")
        batch, most, known = message.get("batch", False), message.get("most"), message.get("log")
        if type(time_range) is not int or not 1 <= time_range <= MAX_TIME_RANGE:
            return _error("expected whole hours, 1 or more", field="time_range")
        if since is not None and (type(since) is not int or since < 0):
            return _error("expected the seq of an earlier update", field="since")
        if known is not None and not isinstance(known, str):
            return _error("expected the log of an earlier confirmation", field="log")
        if type(batch) is not bool:
            return _error("expected true or false", field="batch")
        if most is not None and (type(most) is not int or not 1 <= most <= MAX_BATCH):
            return _error(f"expected a whole number from 1 to {MAX_BATCH}", field="most")
        if most is not None and not batch:
            return _error('expected only with "batch": true', field="most")
        self._listen(client)
        client.time_range, client.batch, client.most, client.initialised = time_range, batch, most, True
        confirmed = {"type": "error_visualization_init_confirmed", "time_range": time_range, "seq": self.position,
                     "version": self.version, "log": self._log.identity}  # fmt: skip
        if since is None:
            return confirmed
        if known not in (None, self._log.identity):  # `since` counts the events of another log
            return confirmed | {"resync": True}
        client.resuming = True  # new updates are queued, and sent after the missed ones
        try:
            missed = await self._missed(since, client.since)
        finally:
            client.resuming = False
        if missed is None or len(client.queue) + len(missed) >= MAX_QUEUE or not self._has_room(missed):
            client.put_first([confirmed | {"resync": True}])  # the client has to fetch a snapshot
        else:
            client.put_first([confirmed | {"resync": False}, *missed])
        return None

    def _has_room(self, missed: Sequence[Update]) -> bool:
        held = sum(client.missed_bytes for client in self.clients)
        return held + sum(update.size for update in missed) <= MAX_MISSED_BYTES

    async def _missed(self, since: int, until: int) -> list[Update] | None:
        """Returns the updates after `since` up to `until` from the log; None if they are too many, or the log cannot
        be read or no longer has them."""
        if since == until:
            return []
        if since > until or until - since >= MAX_QUEUE:
            return None
        async with self._resuming:
            try:
                return await asyncio.to_thread(self._read, since, until)
            except LogError:
                return None

    def _read(self, since: int, until: int) -> list[Update] | None:
        updates: list[Update] = []
        while since < until:
            records = self._log.read(since + 1, READ_BYTES)
            if not records:
                return None
            for record in records:
                events = decode_batch(record.payload, record.first)
                updates += [Update(event, missed=True) for event in events if since < event.id <= until]
            since = records[-1].last
            if sum(update.size for update in updates) > MAX_BYTES:  # more than a client's queue may hold
                return None
        return updates

    def _listen(self, client: Client) -> None:
        if not client.listens:
            client.since = self.position

    async def close(self) -> None:
        """Closes every connection."""
        await asyncio.gather(
            *(client.hang_up(WSCloseCode.GOING_AWAY, b"the service stops") for client in list(self.clients)),
            *self._tasks,
        )

    def _drop(
        self, client: Client, lost: int = 1, code: int = WSCloseCode.TRY_AGAIN_LATER, message: bytes = b"too slow"
    ) -> None:
        """Disconnects a client that does not get what is in its queue, and `lost` more messages."""
        self.clients.discard(client)
        self.dropped += len(client.queue) + lost
        client.queue.clear()
        task = asyncio.create_task(client.hang_up(code, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, client: Client) -> None:
        try:
            while True:
                await client.wake.wait()
                client.wake.clear()
                while client.queue and not client.resuming:
                    before = len(client.queue)
                    frames = client.next()
                    await client.send(frames)
                    self.sent += 1 if client.batch else before - len(client.queue)
                if client.batch:
                    await asyncio.sleep(BATCH_SECONDS)
        except Exception as error:
            if isinstance(error, ConnectionError) or client.socket.closed:
                self.clients.discard(client)  # the client closed the connection while a message was being sent
                return
            _log.exception("an update could not be sent")
            self._drop(client, 1, WSCloseCode.INTERNAL_ERROR, b"an error of the service itself")


def _frame(topic: str, data: bytes) -> bytes:
    return text_frame(b'{"type":"%s","data":%s}' % (topic.encode(), data))


def _error(message: str, field: str = "") -> Message:
    return {"type": "error", "message": f"{field}: {message}" if field else message, "field": field}
