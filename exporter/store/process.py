"""What runs in the process of the store: ingest, the engine, and its readers."""

import datetime as dt
import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import zoneinfo
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

import msgspec

from exporter.config import Settings
from exporter.events.event import ErrorEvent
from exporter.ingest.pipeline import Ingest, Submission, Taken
from exporter.store import State, Store, StoreError
from exporter.store.channel import answer
from exporter.store.filters import Filters

READERS: Final = 2
SWITCH_SECONDS: Final = 0.0005  # for which a commit waits at most while rows are taken over, instead of ten times that
LOCKED_SECONDS: Final = 5.0  # a predecessor that was killed may take this long to let go of the file
_encode = msgspec.json.Encoder().encode


class Backend:
    """The store with what leads into it. The first channel writes, the others read; what reads returns JSON."""

    def __init__(self, settings: Settings) -> None:
        from exporter.store.embedded import EmbeddedStore  # the engine is loaded in its own process alone

        self._settings = settings
        self._store: Store = EmbeddedStore(Path(settings.db_path))

    def open(self) -> State:
        """Raises `StoreError`."""
        deadline = time.monotonic() + LOCKED_SECONDS
        while True:
            try:
                state = self._store.open()
                break
            except StoreError as error:
                if "lock" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        zone = zoneinfo.ZoneInfo(self._settings.timezone) if self._settings.timezone else None
        self._ingest = Ingest(self._store, state, thresholds=self._settings.thresholds, zone=zone)
        return state._replace(recurrences={}, event_ids={})

    def take(self, submissions: Sequence[tuple[bytes, float, str | None]]) -> Taken:
        """As `Ingest.take`; an event's body is left out where it is what was submitted, to send less."""
        taken = self._ingest.take([Submission(*one) for one in submissions])
        for event, place in zip(taken.events, taken.places, strict=True):
            event.parsed = None
            if event.body.encode() == submissions[place][0]:
                event.body = ""
        return taken

    def failure(self) -> str:
        return self._store.failure()

    def reset_counts(self, at: dt.datetime) -> None:
        self._store.reset_counts(at)

    def close(self) -> None:
        self._store.close()

    def overview(self, hours: int, now: dt.datetime, seq: int) -> bytes:
        return _encode(self._store.overview(hours, now) | {"seq": seq})

    def errors(self, filters: Filters, now: dt.datetime) -> bytes:
        return _encode(self._store.errors(filters, now))

    def facets(self, filters: Filters, now: dt.datetime) -> bytes:
        return _encode(self._store.facets(filters, now))

    def error(self, id_: int) -> bytes | None:
        found = self._store.error(id_)
        return None if found is None else _encode(found)

    def recent_critical(self, since: dt.datetime) -> list[ErrorEvent]:
        return self._store.recent_critical(since)

    def patterns(self, hours: int, now: dt.datetime, limit: int) -> bytes:
        return _encode({"patterns": self._store.patterns(hours, now, limit)})

    def pattern(self, fingerprint: str, hours: int, now: dt.datetime) -> bytes | None:
        found = self._store.pattern(fingerprint, hours, now)
        return None if found is None else _encode(found)


def start(settings: Settings, *, process: bool = True) -> tuple[BaseProcess | threading.Thread, list[socket.socket]]:
    """Starts a backend in a process (for tests: in a thread) and returns it with a socket to each of its channels."""
    pairs = [socket.socketpair() for _ in range(1 + READERS)]
    near, far = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if not process:
        thread = threading.Thread(target=run, args=(settings, far), name="store", daemon=True)
        thread.start()
        return thread, near
    child = multiprocessing.get_context("spawn").Process(target=_child, args=(settings, far), name="store", daemon=True)
    child.start()
    for end in far:
        end.close()
    return child, near


def end(started: BaseProcess | threading.Thread, *, patience: float = 0.0) -> None:
    """Ends what `start` started, whose channels are closed; a process that does not end by itself is killed."""
    started.join(patience)
    if isinstance(started, BaseProcess) and started.is_alive():
        started.kill()
        started.join(5)


def run(settings: Settings, channels: Sequence[socket.socket]) -> None:
    """Answers all channels until their other ends are closed."""
    backend = Backend(settings)
    for channel in channels[1:]:
        threading.Thread(target=answer, args=(channel, backend), name="store-reader", daemon=True).start()
    answer(channels[0], backend)


def _child(settings: Settings, channels: Sequence[socket.socket]) -> None:
    """Ends with its parent, however that ended, and not by a signal meant for it."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # batches of events come and go; nothing of them is ever in a cycle
    run(settings, channels)
    os._exit(0)
