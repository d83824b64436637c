"""Sends reports at fixed times, whatever the service answers, and measures each answer from the time when its report
was due. A slow answer therefore delays no later report, and hides none of the time that the service was slow (no
coordinated omission).

The load runs in a process of its own, on epoll and prepared bytes: about 25 µs of CPU time a report. epoll waits in
whole milliseconds, so reports are sent up to 1 ms late, and later if the process does not get a core. `late` has this
delay of each report, which is the load's own; it is part of `latency`. So is the time for which a report waits because
all connections wait for answers, but that is the service's.
"""

import datetime as dt
import multiprocessing
import select
import socket
import time
from array import array
from collections import deque
from typing import Any, Final, NamedTuple

import numpy as np
from bodies import encoded, sample
from schedule import due_times

PATIENCE: Final = 30.0  # seconds to wait for the last answers
BODIES: Final = 20_000
MOST_WORDS: Final = 120  # bytes of an answer that tell why a report failed
Requests = tuple[list[bytes], list[bytes]]  # what is before and after the 32 characters of the id
STAMP: Final = len('","timestamp":"2026-03-15T12:00:00.000000+00:00')
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"Content-Length: "


class Plan(NamedTuple):
    """`rate` reports a second for `seconds`, from `workers`, over so many connections to `port` of this machine."""

    port: int
    rate: float
    seconds: float
    connections: int = 256
    workers: int = 1_000
    is_even: bool = False


class Offered(NamedTuple):
    """What became of the reports, in the order of the answers. `due` is the monotonic time in seconds; `latency` from
    then to the answer and `late` from then until the load noticed it are in seconds. `unanswered` reports got no answer
    in time."""

    due: "np.ndarray[Any, Any]"
    latency: "np.ndarray[Any, Any]"
    late: "np.ndarray[Any, Any]"
    failed: dict[str, int]  # answers other than 200, by their status and the beginning of their body
    unanswered: int
    cpu_seconds: float  # of the process that sent


class Sending:
    """A load in a process of its own, which is connected when this is made. Call `begin`, then `result`."""

    def __init__(self, plan: Plan) -> None:
        context = multiprocessing.get_context("spawn")
        self._plan = plan
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(plan, _prepared(plan), theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()

    def begin(self, after: float) -> float:
        """Returns the monotonic time at which the load begins, so many seconds from now."""
        start = time.monotonic() + after
        self._pipe.send(start)
        return start

    def result(self) -> Offered:
        """Waits for the end of the load. Raises `EOFError` if the process failed, `TimeoutError` if it does not end."""
        if not self._pipe.poll(self._plan.seconds + 2 * PATIENCE):
            self._process.terminate()
            raise TimeoutError("the load does not end")
        with self._pipe:
            due, latency, late, *others = self._pipe.recv()
        self._process.join()
        return Offered(np.frombuffer(due), np.frombuffer(latency, "f"), np.frombuffer(late, "f"), *others)


def _run(plan: Plan, prepared: Requests, pipe: Any) -> None:
    sender = _Sender(plan, prepared)
    pipe.send("ready")
    start = pipe.recv()
    before = time.process_time()
    sender.run(start)
    pipe.send((bytes(sender.due), bytes(sender.latency), bytes(sender.late), sender.failed, sender.unanswered,
               time.process_time() - before))  # fmt: skip


class _Connection:
    __slots__ = ("due", "late", "received", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.due = self.late = 0.0
        self.received = b""


class _Sender:
    def __init__(self, plan: Plan, prepared: Requests) -> None:
        self.due, self.latency, self.late = array("d"), array("f"), array("f")
        self.failed: dict[str, int] = {}
        self.unanswered = 0
        self._plan = plan
        self._sent = 0
        self._formatted_at = 0.0
        self._formatted = b""
        self._heads, self._tails = prepared
        self._free = deque(_Connection(plan.port) for _ in range(plan.connections))
        self._poll = select.epoll()
        self._by_fd = {one.socket.fileno(): one for one in self._free}
        for descriptor in self._by_fd:
            self._poll.register(descriptor, select.EPOLLIN)

    def run(self, start: float) -> None:
        plan, clock = self._plan, time.monotonic
        times = due_times(plan.rate, plan.seconds, is_even=plan.is_even)
        waiting: deque[tuple[float, float]] = deque()  # due, and how late that was noticed
        upcoming = next(times, None)
        limit = start + plan.seconds + PATIENCE
        while (now := clock()) < limit:
            while upcoming is not None and start + upcoming <= now:
                waiting.append((start + upcoming, now - start - upcoming))
                upcoming = next(times, None)
            while waiting and self._free:
                self._send(self._free.popleft(), *waiting.popleft())
            if upcoming is None and not waiting and len(self._free) == len(self._by_fd):
                break
            until = limit if upcoming is None else start + upcoming
            for descriptor, _ in self._poll.poll(max(0.0, min(until - clock(), 1.0))):
                self._receive(self._by_fd[descriptor])
        self.unanswered = len(waiting) + len(self._by_fd) - len(self._free)

    def _send(self, connection: _Connection, due: float, late: float) -> None:
        number = self._sent
        self._sent += 1
        at = number % len(self._heads)
        connection.due, connection.late = due, late
        request = b'%s%032x","timestamp":"%s%s' % (self._heads[at], number, self._now(), self._tails[at])
        sent = connection.socket.send(request)
        assert sent == len(request), "a report does not fit into the buffer of the socket"

    def _now(self) -> bytes:
        """Returns the time as our client sends it, at most a millisecond old."""
        now = time.time()
        if now - self._formatted_at > 0.001:
            self._formatted_at = now
            moment = dt.datetime.fromtimestamp(now, dt.UTC)
            self._formatted = moment.isoformat(timespec="microseconds").encode()
        return self._formatted

    def _receive(self, connection: _Connection) -> None:
        data = connection.socket.recv(65_536)
        if not data:
            raise ConnectionError("the service closed a connection")
        if connection.received:
            data = connection.received + data
        head = data.find(_END)
        if head >= 0:
            length = data.index(_LENGTH) + len(_LENGTH)
            if len(data) == head + len(_END) + int(data[length : data.index(b"\r", length)]):
                self._answered(connection, data)
                return
        connection.received = data

    def _answered(self, connection: _Connection, data: bytes) -> None:
        self.due.append(connection.due)
        self.latency.append(time.monotonic() - connection.due)
        self.late.append(connection.late)
        if data[9:12] != b"200":
            body = data.partition(_END)[2]
            words = (data[9:12] + b" " + body[:MOST_WORDS]).decode(errors="replace")
            self.failed[words] = self.failed.get(words, 0) + 1
        connection.received = b""
        self._free.append(connection)


def _prepared(plan: Plan) -> Requests:
    heads, tails = [], []
    for body in encoded(sample(BODIES, plan.workers)):
        head, tail = b'{"event_id":"', b'",' + body[1:]
        heads.append(
            b"POST /api/report-error HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (plan.port, len(head) + 32 + STAMP + len(tail), head)
        )
        tails.append(tail)
    return heads, tails
