"""One WebSocket client: its subscription and its queue of messages."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec
from aiohttp import web

from exporter.events.error_object import of_event
from exporter.events.event import ErrorEvent
from exporter.live.frames import text_frame

MAX_QUEUE: Final = 2_000  # updates that wait for a client when new ones come, including those that it missed
MAX_BYTES: Final = 2**25  # of the reports in the queue of a client
GOODBYE_SECONDS: Final = 2.0  # for a client to confirm the close; after that the connection is aborted
MAX_BATCH: Final = 500  # updates in one message
SEND_BYTES: Final = 2**16  # of messages in one write; a write costs more than a message
BUFFERED_BYTES: Final = 2**16  # beyond which the service waits for a client to read
BUFFERED_SECONDS: Final = 0.02  # between two looks whether it did
Message = dict[str, Any]


class Update:
    """One event. Its JSON is encoded when the first client needs it, and shared by all clients. `missed`: it was read
    from the log for one client. `size` is in bytes."""

    __slots__ = ("_event", "_frame", "_json", "_time_range", "is_critical", "missed", "seq", "size")

    def __init__(self, event: ErrorEvent, *, missed: bool = False) -> None:
        self.missed = missed
        self.seq = event.id
        self.size = len(event.body)
        self.is_critical = event.severity == "critical"
        self._event: ErrorEvent | None = event
        self._json = b""
        self._time_range = 0
        self._frame = b""

    def json(self) -> bytes:
        if self._event is not None:
            self._json = msgspec.json.encode(of_event(self._event))
            self._event = None
        return self._json

    def frame(self, time_range: int) -> bytes:
        """Returns the frame with this update alone. Clients with the same time range share it."""
        if self._time_range != time_range:
            self._frame = text_frame(_message(b'"error":' + self.json(), time_range, self.seq))
            self._time_range = time_range
        return self._frame


class Client:
    """One connection. `time_range` is in hours; `since` is the `seq` after which it receives updates. `most` is how
    many updates a message of a batch client has at most: others are left out and counted; None: all are sent."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None = None) -> None:
        self.socket = socket
        self._transport = transport
        self.time_range = 24
        self.since = 0
        self.initialised = False
        self.subscribed = False
        self.batch = False
        self.most: int | None = None
        self.resuming = False  # True while missed updates are read from the log; nothing is sent meanwhile
        self.topics: set[str] = set()  # further ones that it has subscribed to
        self.queue: deque[Update | Message | str] = deque()  # a text: what is the latest of this topic
        self._latest: dict[str, bytes] = {}  # topic → frame
        self._bytes = 0
        self._left_out = 0
        self.missed_bytes = 0  # of the updates in the queue that only this client has
        self.wake = asyncio.Event()

    @property
    def listens(self) -> bool:
        return self.initialised or self.subscribed

    def put(self, *items: Update | Message) -> bool:
        """Queues updates, or an answer. Returns False if the client is too slow: its queue was full already."""
        if self._is_full() and (self.most is None or not self._leave_out()):
            return False
        self.queue.extend(items)
        self._bytes += sum([item.size for item in items if isinstance(item, Update)])
        self.wake.set()
        return True

    def put_latest(self, topic: str, frame: bytes) -> None:
        """Queues the latest frame of a topic, instead of one that was not sent yet."""
        if topic not in self._latest:
            self.queue.append(topic)
        self._latest[topic] = frame
        self.wake.set()

    def put_first(self, items: Sequence[Update | Message]) -> None:
        """Queues `items` before everything that is queued already."""
        self.queue.extendleft(reversed(items))
        updates = [item for item in items if isinstance(item, Update)]
        self._bytes += sum(update.size for update in updates)
        self.missed_bytes += sum(update.size for update in updates if update.missed)
        self.wake.set()

    def next(self) -> bytes:
        """Removes the next items from the queue, and returns their frames: one message of a batch client, else about
        `SEND_BYTES`."""
        frames: list[bytes] = []
        size = 0
        while self.queue and size < SEND_BYTES:
            item = self._pop()
            if isinstance(item, str):
                frame = self._latest.pop(item)
            elif not isinstance(item, Update):
                frame = text_frame(msgspec.json.encode(item))
            elif self.batch:
                frame = self._batch(item)
                size = SEND_BYTES
            else:
                frame = item.frame(self.time_range)
            frames.append(frame)
            size += len(frame)
        return b"".join(frames)

    def _batch(self, first: Update) -> bytes:
        """Returns a message with the next updates. Of those that the client did not miss, `most` are sent."""
        most = None if first.missed else self.most
        updates = [first]
        while self.queue and isinstance(following := self.queue[0], Update) and following.missed == first.missed:
            if most is None and len(updates) >= MAX_BATCH:
                break
            self._pop()
            updates.append(following)
        shown = updates if most is None else _newest(updates, most)
        data = b'"errors":[' + b",".join([update.json() for update in shown]) + b"]"
        if self.most is not None:
            data += b',"omitted":%d' % (self._left_out + len(updates) - len(shown))
            self._left_out = 0
        return text_frame(_message(data, self.time_range, updates[-1].seq))

    def _is_full(self) -> bool:
        return len(self.queue) >= MAX_QUEUE or self._bytes > MAX_BYTES

    def _leave_out(self) -> bool:
        """Drops the oldest updates from a full queue. Returns whether that made room."""
        kept = [item for item in self.queue if not isinstance(item, Update) or item.missed]
        updates = [item for item in self.queue if isinstance(item, Update) and not item.missed]
        shown = _newest(updates, self.most or 0)
        self._left_out += len(updates) - len(shown)
        self._bytes = sum([item.size for item in (*kept, *shown) if isinstance(item, Update)])
        self.queue = deque([*kept, *shown])
        return not self._is_full()

    def _pop(self) -> Update | Message | str:
        item = self.queue.popleft()
        if isinstance(item, Update):
            self._bytes -= item.size
            self.missed_bytes -= item.size if item.missed else 0
        return item

    async def send(self, frames: bytes) -> None:
        """Sends frames, and waits until the client has read enough of what was sent. Raises `ConnectionError`."""
        transport = self._transport
        if transport is None or transport.is_closing() or self.socket.closed:
            raise ConnectionResetError("the client has gone")
        transport.write(frames)
        await asyncio.sleep(0)  # the queue may hold thousands of updates; others get their turn
        while transport.get_write_buffer_size() > BUFFERED_BYTES and not transport.is_closing():  # noqa: ASYNC110  # no event tells
            await asyncio.sleep(BUFFERED_SECONDS)

    async def hang_up(self, code: int, message: bytes) -> None:
        """Closes the connection. Aborts it if the client does not confirm in time, so that the service can stop."""
        with contextlib.suppress(TimeoutError, ConnectionError, RuntimeError):
            await asyncio.wait_for(self.socket.close(code=code, message=message), GOODBYE_SECONDS)
        if self._transport is not None:
            self._transport.abort()


def _newest(updates: Sequence[Update], most: int) -> Sequence[Update]:
    """Returns `most` of the updates in their order: the newest critical ones, then the newest others."""
    if len(updates) <= most:
        return updates
    critical = [update for update in updates if update.is_critical][-most:]
    others = [update for update in updates if not update.is_critical]
    return sorted([*critical, *others[len(others) - most + len(critical) :]], key=attrgetter("seq"))


def _message(data: bytes, time_range: int, seq: int) -> bytes:
    return b'{"type":"error_visualization_update","data":{%s,"time_range":%d},"seq":%d}' % (data, time_range, seq)
