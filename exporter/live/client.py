"""One WebSocket client: its subscription and its queue of messages."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from exporter.events.error_object import of_event
from exporter.events.event import ErrorEvent

MAX_QUEUE: Final = 2_000  # updates in the queue of a client, including missed updates when it resumes
MAX_BYTES: Final = 2**25  # of the reports in the queue of a client
GOODBYE_SECONDS: Final = 2.0  # for a client to confirm the close; after that the connection is aborted
MAX_BATCH: Final = 500  # updates in one message
Message = dict[str, Any]


class Update:
    """One event. Its JSON is encoded when the first client needs it, and shared by all clients. `missed`: it was read
    from the log for one client."""

    __slots__ = ("_event", "_json", "missed", "seq", "size")

    def __init__(self, event: ErrorEvent, *, missed: bool = False) -> None:
        self.missed = missed
        self.seq = event.id
        self.size = len(event.body)
        self._event: ErrorEvent | None = event
        self._json = b""

    def json(self) -> bytes:
        if self._event is not None:
            self._json = msgspec.json.encode(of_event(self._event))
            self._event = None
        return self._json


class Client:
    """One connection. `time_range` is in hours; `since` is the `seq` after which it receives updates."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None = None) -> None:
        self.socket = socket
        self._transport = transport
        self.time_range = 24
        self.since = 0
        self.initialised = False
        self.subscribed = False
        self.batch = False
        self.resuming = False  # True while missed updates are read from the log; nothing is sent meanwhile
        self.queue: deque[Update | Message] = deque()
        self._bytes = 0
        self.missed_bytes = 0  # of the updates in the queue that only this client has
        self.wake = asyncio.Event()

    @property
    def listens(self) -> bool:
        return self.initialised or self.subscribed

    def put(self, item: Update | Message) -> bool:
        """Queues an update or an answer. Returns False if the queue is full."""
        if len(self.queue) >= MAX_QUEUE or self._bytes > MAX_BYTES:
            return False
        self.queue.append(item)
        self._bytes += item.size if isinstance(item, Update) else 0
        self.wake.set()
        return True

    def put_first(self, items: Sequence[Update | Message]) -> None:
        """Queues `items` before everything that is queued already."""
        self.queue.extendleft(reversed(items))
        updates = [item for item in items if isinstance(item, Update)]
        self._bytes += sum(update.size for update in updates)
        self.missed_bytes += sum(update.size for update in updates if update.missed)
        self.wake.set()

    def next(self) -> tuple[Update | Message, bytes]:
        """Removes the next item from the queue, for a batch client up to `MAX_BATCH` updates. Returns the last item and
        the encoded message."""
        item = self._pop()
        if not isinstance(item, Update):
            return item, msgspec.json.encode(item)
        updates = [item]
        while self.batch and len(updates) < MAX_BATCH and self.queue and isinstance(self.queue[0], Update):
            updates.append(self._pop())  # type: ignore[arg-type]
        return updates[-1], _message(self, updates)

    def _pop(self) -> Update | Message:
        item = self.queue.popleft()
        if isinstance(item, Update):
            self._bytes -= item.size
            self.missed_bytes -= item.size if item.missed else 0
        return item

    async def hang_up(self, code: int, message: bytes) -> None:
        """Closes the connection. Aborts it if the client does not confirm in time, so that the service can stop."""
        with contextlib.suppress(TimeoutError, ConnectionError, RuntimeError):
            await asyncio.wait_for(self.socket.close(code=code, message=message), GOODBYE_SECONDS)
        if self._transport is not None:
            self._transport.abort()


def _message(client: Client, updates: Sequence[Update]) -> bytes:
    if client.batch:
        data = b'"errors":[' + b",".join(update.json() for update in updates) + b"]"
    else:
        data = b'"error":' + updates[0].json()
    return b'{"type":"error_visualization_update","data":{%s,"time_range":%d},"seq":%d}' % (
        data,
        client.time_range,
        updates[-1].seq,
    )
