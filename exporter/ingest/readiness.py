"""Whether a report could be stored now, and if not, why."""

import asyncio
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

from exporter.ingest.ingest import Ingest
from exporter.log import LogError
from exporter.log.embedded import EmbeddedLog
from exporter.log.files import free_bytes

STUCK_SECONDS: Final = 10.0  # a report that waits longer for the log makes the service not ready
PROBE_SECONDS: Final = 2.0
DISK_BYTES: Final = 2**16  # with less than this free, the disk is full
Reason = Literal["log_refuses", "report_waits", "disk_full", "disk_nearly_full", "log_fails", "log_silent"]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)


class NotReady(NamedTuple):
    """`reason` is the label value of the gauge, `message` says it in words."""

    reason: Reason
    message: str


class Readiness:
    """Of a service with these parts. Reports are kept in `folder`. Only the event loop may use it."""

    def __init__(self, log: EmbeddedLog, ingest: Ingest, folder: Path, min_free_bytes: int) -> None:
        self._log = log
        self._ingest = ingest
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self.failure = ""  # of the latest write to the log, in words
        self._probe: asyncio.Task[str] | None = None

    def wrote(self, error: Exception | None = None) -> None:
        """To be called after each append to the log, with the error by which it failed."""
        self.failure = f"the log fails: {error}" if error else ""

    async def why_not(self) -> NotReady | None:
        """Returns why a report could not be stored now, None if it could. Found out by a write to the log."""
        if reason := self._without_a_write():
            return reason
        probe = self._begin_probe()
        try:
            failure = await asyncio.wait_for(asyncio.shield(probe), PROBE_SECONDS)
        except TimeoutError:
            return NotReady("log_silent", f"the log did not answer within {PROBE_SECONDS:g} s")
        return NotReady("log_fails", failure) if failure else None

    def latest(self) -> NotReady | None:
        """As `why_not`, without waiting: by the latest write to the log, whatever that was for. If it failed, another
        one is begun, so that the next call knows whether the log works again."""
        if reason := self._without_a_write():
            return reason
        if not self.failure:
            return None
        self._begin_probe()
        return NotReady("log_fails", self.failure)

    def _without_a_write(self) -> NotReady | None:
        if reason := self._log.refused():
            return NotReady("log_refuses", reason)
        waited = self._ingest.oldest_seconds()
        if waited > STUCK_SECONDS:
            return NotReady("report_waits", f"the oldest report has been waiting to be written for {waited:.0f} s")
        free = free_bytes(self._folder)
        if free < DISK_BYTES:
            return NotReady("disk_full", "the disk is full")
        if free < self._min_free_bytes:
            words = f"the disk is nearly full: {free} bytes are free, {self._min_free_bytes} are wanted"
            return NotReady("disk_nearly_full", words)
        return None

    def _begin_probe(self) -> "asyncio.Task[str]":
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._try_append())
        return self._probe

    async def _try_append(self) -> str:
        try:
            await self._ingest.run_in_log_thread(self._log.probe)
        except (LogError, RuntimeError) as error:
            self.wrote(error)
        else:
            self.wrote()
        return self.failure
