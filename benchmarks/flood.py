"""A flood of batches at fixed times, from a process of its own, and what became of each."""

import asyncio
import json
import multiprocessing
import time
from collections import Counter, deque
from typing import Any, Final, NamedTuple, cast

import uvloop
from bodies import encoded, sample
from schedule import due_times

BODIES: Final = 200
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"Content-Length: "
_STORED: Final = b'"stored":'


class Plan(NamedTuple):
    """`rate` batches of `batch` reports a second for `seconds`, from `workers`, over so many connections to `port`.
    0: as many as are answered."""

    port: int
    rate: float
    seconds: float
    connections: int = 256
    batch: int = 100
    workers: int = 1_000


class Flooded(NamedTuple):
    """What became of the batches. `statuses` are their numbers by HTTP status; `stored` has the number of acknowledged
    reports by the key of the batch; `told` of the refused ones were told when to come back. `unsent` found no free
    connection, `seconds` is how long it took."""

    statuses: dict[int, int]
    stored: dict[str, int]
    told: int
    unsent: int
    closed: int
    seconds: float


def flood(plan: Plan) -> Flooded:
    """Sends a flood in another process. Returns when it has ended."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(plan, theirs), daemon=True)
    process.start()
    theirs.close()
    if not ours.poll(plan.seconds + 90):
        process.terminate()
        raise TimeoutError("the flood does not end")
    found: Flooded = ours.recv()
    process.join()
    return found


def _run(plan: Plan, pipe: Any) -> None:
    pipe.send(uvloop.run(_flood(plan)))


class _Connection(asyncio.Protocol):
    def __init__(self, sender: "_Sender") -> None:
        self._sender = sender
        self._received = bytearray()
        self._key = ""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def send(self, key: str, body: bytes) -> None:
        self._key = key
        head = (
            f"POST /api/report-errors HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.transport.writelines([head.encode(), body])

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(_END)
        if end < 0:
            return
        at = self._received.find(_LENGTH) + len(_LENGTH)
        whole = end + len(_END) + int(self._received[at : self._received.find(b"\r\n", at)])
        if len(self._received) < whole:
            return
        answer = bytes(self._received[:whole])
        del self._received[:whole]
        self._sender.answered(self, self._key, answer)

    def connection_lost(self, _: Exception | None) -> None:
        self._sender.closed += 1


class _Sender:
    def __init__(self, plan: Plan) -> None:
        bodies = encoded(sample(BODIES * plan.batch, plan.workers), plan.batch)
        self.bodies = bodies if plan.batch > 1 else [b"[" + body + b"]" for body in bodies]
        self.free: deque[_Connection] = deque()
        self.statuses: Counter[int] = Counter()
        self.stored: dict[str, int] = {}
        self.told = self.sent = self.closed = 0
        self.is_closed_loop = not plan.rate
        self.until = 0.0

    def send(self) -> None:
        self.free.popleft().send(f"f{self.sent}", self.bodies[self.sent % len(self.bodies)])
        self.sent += 1

    def answered(self, connection: _Connection, key: str, answer: bytes) -> None:
        status = int(answer[9:12])
        self.statuses[status] += 1
        if status in (200, 207):
            at = answer.find(_STORED) + len(_STORED)
            self.stored[key] = json.loads(answer[at : answer.find(b",", at)])
        else:
            self.told += b"Retry-After:" in answer
        self.free.append(connection)
        if self.is_closed_loop and time.monotonic() < self.until:
            self.send()


async def _flood(plan: Plan) -> Flooded:
    sender = _Sender(plan)
    loop = asyncio.get_running_loop()
    for _ in range(plan.connections):
        _, connection = await loop.create_connection(lambda: _Connection(sender), "127.0.0.1", plan.port)
        sender.free.append(connection)
    began = time.monotonic()
    sender.until = began + plan.seconds
    unsent = 0
    if sender.is_closed_loop:
        while sender.free:
            sender.send()
        await asyncio.sleep(plan.seconds)
    else:
        for due in due_times(plan.rate, plan.seconds):
            while time.monotonic() < began + due:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            if sender.free:
                sender.send()
            else:
                unsent += 1
            if unsent % 16 == 15:
                await asyncio.sleep(0)
    seconds = time.monotonic() - began
    limit = time.monotonic() + 30
    while len(sender.free) + sender.closed < plan.connections and time.monotonic() < limit:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return Flooded(dict(sender.statuses), sender.stored, sender.told, unsent, sender.closed, seconds)
