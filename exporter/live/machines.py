"""Which machines send heartbeats, and which have fallen silent.

    (none) ── heartbeat ──► heard ── none for `silent_after` ──► silent ── none for a day ──► (none)
                              │ ▲                                  │
        "stopping": true      ▼ └────────── heartbeat ─────────────┘
                           stopped ── an hour ──► (none)

Only the event loop may use it, if nothing else is said.
"""

import datetime as dt
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from msgspec import Raw

from exporter.events.heartbeat import Heartbeat, Machine, Machines, Status

MAX_MACHINES: Final = 10_000
MAX_BYTES: Final = 32 * 1024 * 1024  # of heartbeats; beyond it, only the times of those heard longest ago are kept
INTERVALS: Final = 3  # of its own that a machine may miss, if that is longer than `silent_after`
SILENT_SECONDS: Final = 86_400.0  # that a silent machine is remembered
STOPPED_SECONDS: Final = 3_600.0  # that a stopped one is


class Known(NamedTuple):
    """What is kept of a machine; times are in epoch seconds."""

    last_seen: float
    interval: float = 0.0
    stopped: bool = False
    body: bytes = b""


class Counts(NamedTuple):
    """How many machines there are of each status."""

    heard: int
    silent: int
    stopped: int


class MachineBook:
    """The machines, the one heard longest ago first. `silent_after` is in seconds."""

    def __init__(self, silent_after: float) -> None:
        self.silent_after = silent_after
        self.received = self.forgotten = 0
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._known)

    def receive(self, heartbeat: Heartbeat, body: bytes, now: float) -> None:
        """Keeps a heartbeat, `body` being its JSON object."""
        self.received += 1
        self._forget(now)
        self._keep(heartbeat.worker_id, Known(now, heartbeat.interval or 0.0, bool(heartbeat.stopping), body))

    def restore(self, known: Mapping[str, Known]) -> None:
        """Takes over what was saved, without the machines that are known already."""
        for name, one in sorted(known.items(), key=lambda item: item[1].last_seen):
            if name not in self._known:
                self._keep(name, one)

    def saved(self) -> dict[str, Known]:
        """Returns what is to be saved: everything but the heartbeats themselves."""
        return {name: one._replace(body=b"") for name, one in self._known.items()}

    def limit(self, one: Known) -> float:
        """Returns the seconds after which this machine is silent."""
        return max(self.silent_after, one.interval * INTERVALS)

    def counts(self, now: float) -> Counts:
        """Returns the numbers. Any thread may call it."""
        statuses = [self._status(one, now) for one in list(self._known.values()) if not _is_gone(one, now)]
        return Counts(statuses.count("heard"), statuses.count("silent"), statuses.count("stopped"))

    def listed(self, now: float, workers: Iterable[str] = (), limit: int = 100) -> Machines:
        """Returns the machines, at most `limit`; of all, or of `workers`."""
        self._forget(now)
        counts = self.counts(now)
        chosen = set(workers)
        order = {"silent": 0, "heard": 1, "stopped": 2}
        found = [
            (order[self._status(one, now)], name, one)
            for name, one in self._known.items()
            if (not chosen or name in chosen) and not _is_gone(one, now)
        ]
        shown = [self._machine(name, one, now) for _, name, one in sorted(found)[:limit]]
        return Machines(shown, counts.heard, counts.silent, counts.stopped, self.forgotten)

    def _machine(self, name: str, one: Known, now: float) -> Machine:
        return Machine(
            name,
            self._status(one, now),
            dt.datetime.fromtimestamp(one.last_seen, dt.UTC),
            round(max(0.0, now - one.last_seen), 3),
            self.limit(one),
            Raw(one.body) if one.body else None,
        )

    def _status(self, one: Known, now: float) -> Status:
        if one.stopped:
            return "stopped"
        return "silent" if now - one.last_seen > self.limit(one) else "heard"

    def _keep(self, name: str, one: Known) -> None:
        before = self._known.pop(name, None)
        self._known[name] = one
        self._bytes += len(one.body) - (len(before.body) if before else 0)
        if len(self._known) > MAX_MACHINES:
            _, oldest = self._known.popitem(last=False)
            self._bytes -= len(oldest.body)
            self.forgotten += 1
        if self._bytes > MAX_BYTES:
            self._drop_bodies()

    def _drop_bodies(self) -> None:
        """Drops the older half of the heartbeats, so that this happens rarely."""
        for name, one in self._known.items():
            if self._bytes <= MAX_BYTES // 2:
                return
            self._bytes -= len(one.body)
            self._known[name] = one._replace(body=b"")

    def _forget(self, now: float) -> None:
        while self._known:
            name, one = next(iter(self._known.items()))
            if not _is_gone(one, now):
                return
            self._bytes -= len(one.body)
            del self._known[name]


def _is_gone(one: Known, now: float) -> bool:
    """Whether the machine is not heard for so long that it is not counted as silent any more."""
    return now - one.last_seen > (STOPPED_SECONDS if one.stopped else SILENT_SECONDS)
