"""What the latest report and the latest heartbeat of each worker say about its hardware.

A report may have what a heartbeat lacks, and the other way round: a test says that its GPU overheats, an agent without
access to GPUs sends the load of the processor. So each measurement is that of the later of the two that has it.
"""

from collections import OrderedDict
from collections.abc import Container
from sys import getsizeof
from typing import Final

import msgspec

from exporter.events.report import HardwareContext, SystemContext
from exporter.events.stored import decoder
from exporter.ingest.measurements import measure
from exporter.metrics.workers import AHEAD

STALE_SECONDS: Final = 3600  # older reports and heartbeats have no gauges
MAX_BODY: Final = 65_536  # characters; longer ones are ignored
MAX_BYTES: Final = 2**25  # of all that are kept; beyond it, the worker whose latest one came first is dropped


class Contexts(msgspec.Struct):
    """The fields of a report or heartbeat that the gauges are made from."""

    system_context: SystemContext | None = None
    hardware_context: HardwareContext | None = None


class _Excerpt(msgspec.Struct):
    system_context: msgspec.Raw = msgspec.Raw(b"null")
    hardware_context: msgspec.Raw = msgspec.Raw(b"null")


_decode: Final = decoder(Contexts)
_excerpt: Final = msgspec.json.Decoder(_Excerpt).decode
_encode: Final = msgspec.json.Encoder().encode


class Description(msgspec.Struct, frozen=True, gc=False):
    """What a report or heartbeat says of the hardware: its own time and that of its receipt, in epoch seconds; the JSON
    text; and the bytes that it was counted with, since a text grows when Python makes its UTF-8 form."""

    moment: float
    received: float
    body: str
    size: int

    def contexts(self) -> Contexts:
        """Returns the contexts without impossible values."""
        read = _decode(self.body)
        measure(read.system_context)
        return read


class Latest(msgspec.Struct, eq=False):
    """The latest report and the latest heartbeat of a worker, which never change. `text` is for whoever formats them:
    any thread may set it, always to the same."""

    worker: str
    report: Description | None = None
    heartbeat: Description | None = None
    text: list[str] | None = None

    def newest_first(self) -> list[Description]:
        """Returns the two of them, or the one that there is. A clock may be ahead, so no time is after the receipt."""
        both = [one for one in (self.report, self.heartbeat) if one]
        return sorted(both, key=lambda one: min(one.moment, one.received), reverse=True)

    def size(self) -> int:
        return (self.report.size if self.report else 0) + (self.heartbeat.size if self.heartbeat else 0)


class HardwareReports:
    """The latest report and heartbeat of each worker that describe its hardware. Only the event loop may use it."""

    def __init__(self) -> None:
        self._latest: OrderedDict[str, Latest] = OrderedDict()
        self._bytes = 0

    def note(self, worker: str, moment: float, received: float, body: str) -> None:
        """Keeps a report's JSON, unless the worker has a newer report or the JSON is longer than `MAX_BODY`. The times
        of the error and of its receipt are in epoch seconds. A known report that is far ahead of the receipt is of a
        clock that was wrong, and replaced."""
        known = self._latest.get(worker) or Latest(worker)
        if len(body) > MAX_BODY or (known.report and moment < known.report.moment <= received + AHEAD):
            return
        self._keep(Latest(worker, Description(moment, received, body, getsizeof(body)), known.heartbeat))

    def note_heartbeat(self, worker: str, now: float, body: bytes) -> None:
        """Keeps what the JSON of a heartbeat says about hardware, if it says anything."""
        found = _excerpt(body)
        if found == _Excerpt():
            return
        text = _encode(found).decode()
        known = self._latest.get(worker) or Latest(worker)
        self._keep(Latest(worker, known.report, Description(now, now, text, getsizeof(text))))

    def forget_heartbeat(self, worker: str) -> None:
        """Forgets the heartbeat of a machine that stopped."""
        if known := self._latest.get(worker):
            self._keep(Latest(worker, known.report))

    def keep_only(self, workers: Container[str], now: float) -> None:
        """Forgets all other workers, and what is older than `STALE_SECONDS`."""
        for worker, known in list(self._latest.items()):
            report, heartbeat = (
                one if one and one.moment > now - STALE_SECONDS else None for one in (known.report, known.heartbeat)
            )
            if worker not in workers or report is heartbeat is None:
                self._bytes -= self._latest.pop(worker).size()
            elif report is not known.report or heartbeat is not known.heartbeat:
                self._latest[worker] = Latest(worker, report, heartbeat)
                self._bytes += self._latest[worker].size() - known.size()

    def snapshot(self) -> list[Latest]:
        """Returns what is known of each worker. The thread that formats the scrape decodes the JSON."""
        return list(self._latest.values())

    def _keep(self, latest: Latest) -> None:
        if known := self._latest.get(latest.worker):
            self._bytes -= known.size()
        self._bytes += latest.size()
        self._latest[latest.worker] = latest
        self._latest.move_to_end(latest.worker)
        while self._bytes > MAX_BYTES:
            _, dropped = self._latest.popitem(last=False)
            self._bytes -= dropped.size()
