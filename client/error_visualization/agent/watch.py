"""Follows the kernel's log: each fault is reported once, also over restarts and crashes.

    read a line ─► is it a fault? ─► report it ─► on disk? ─► save the cursor
                                        ▲            │ no: the same line again, a second later
                                        └────────────┘

The cursor is saved after the report, so a crash between both reports the line again, with the same `event_id`, and the
service stores it once.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from error_visualization.agent.cursor import Cursor, CursorFile
from error_visualization.agent.lines import Line, Source
from error_visualization.kernel import KernelEvent, recognise

SAVE_LINES: Final = 500  # lines without a fault, after which the cursor is saved
OLD_SECONDS: Final = 86_400  # without a cursor, lines that are older are not reported
FLAPS: Final = 3  # times that a link goes down within
FLAP_SECONDS: Final = 600.0  # these seconds, for it to count as flapping
MAX_LINKS: Final = 1_000
_log = logging.getLogger(__name__)


class Watch:
    """`report` takes the fields of a report and returns whether it is on disk. `identity` returns what is known of the
    device at a PCI address. One thread."""

    def __init__(
        self,
        source: Source,
        cursor: CursorFile,
        boot: str,
        report: Callable[[Mapping[str, Any]], bool],
        identity: Callable[[str], Mapping[str, Any]] = lambda _: {},
        now: Callable[[], float] = time.time,
    ) -> None:
        self._source, self._cursor, self._boot, self._report = source, cursor, boot, report
        self._identity, self._now = identity, now
        known = cursor.load()
        self._is_first = known is None
        self._pending: deque[Line] = deque()
        self._unsaved = 0
        self._place: str | None = None
        self._links: dict[str, deque[float]] = {}
        self.lines = self.faults = self.lost = 0

    def step(self, seconds: float) -> bool:
        """Reads what is new, waits for it at most `seconds`, and reports the faults. Returns whether it has reported
        all that it read. Raises OSError if the log cannot be read any more."""
        if not self._pending:
            self._pending.extend(self._source.read(seconds))
        while self._pending:
            if not self._take(self._pending[0]):
                return False
            self._place = self._pending.popleft().place
            self._unsaved += 1
            if self._unsaved >= SAVE_LINES:
                self.save()
        return True

    def save(self) -> None:
        """Saves the cursor, if it moved."""
        if self._unsaved and self._place is not None:
            try:
                self._cursor.save(Cursor(self._source.name, self._boot, self._place))
                self._unsaved = 0
            except OSError as error:
                _log.warning(
                    "%s: the cursor cannot be saved, lines may be reported again: %s", self._cursor.path, error
                )

    def close(self) -> None:
        """Ends the reading of the log, and the program that reads it if there is one."""
        self._source.close()

    def _take(self, line: Line) -> bool:
        event = recognise(line.entry.message)
        said = line.entry.time if isinstance(line.entry.time, float) else self._now()
        if line.lost and not self._report(_gap(line, said)):
            return False
        if event and not (self._is_first and said < self._now() - OLD_SECONDS):
            if not self._report(self._fields(line, event, said)):
                return False
            self.faults += 1
            self._unsaved = SAVE_LINES  # saved at once
        self.lines += 1
        self.lost += line.lost
        return True

    def _fields(self, line: Line, event: KernelEvent, said: float) -> dict[str, Any]:
        fields = event.fields(line.entry.message)
        fields |= {"event_id": line.event_id, "timestamp": said, "log_severity": line.entry.severity}
        if "pci" in event.device:
            fields["devices"] = [{**event.device, **self._identity(event.device["pci"])}]
        if event.type == "mlx5 link down":
            downs = self._downs(event.name or "", said)
            if downs >= FLAPS:
                fields["type"] = "mlx5 link flaps"
                fields["kernel"] = {**fields.get("kernel", {}), "downs_in_10_minutes": downs}
        return fields

    def _downs(self, link: str, said: float) -> int:
        if len(self._links) >= MAX_LINKS:
            self._links.clear()
        times = self._links.setdefault(link, deque(maxlen=100))
        times.append(said)
        while times[0] < said - FLAP_SECONDS:
            times.popleft()
        return len(times)


def _gap(line: Line, said: float) -> dict[str, Any]:
    return {
        "type": "KernelLogOverrun",
        "message": f"{line.lost} lines of the kernel's log were overwritten before they were read",
        "event_id": f"{line.event_id}-gap",
        "timestamp": said,
    }
