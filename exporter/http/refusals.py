"""Counts refused reports by reason, and logs who sent them, so that a sender that is wrong can be found.

A sender is logged once a minute for each reason, with how many were refused since. Beyond `MAX_SENDERS` senders and
reasons in a minute there is one line for all others. So a flood of bad reports does not flood the log. The lines have
no text of a report but the worker's name, quoted (`logs.py` escapes it): neither secrets nor forged lines.
"""

import asyncio
import logging
import time
from typing import Any, Final, NamedTuple

import msgspec

from exporter.logs import printable, quoted
from exporter.metrics.service_metrics import ServiceMetrics

EVERY_SECONDS: Final = 60.0
MAX_SENDERS: Final = 100
MAX_SHOWN: Final = 256  # characters of a name
_OTHERS: Final = ("", "")
_log = logging.getLogger(__name__)


class _Named(msgspec.Struct):
    """The part of a report that says who sent it, whatever else is wrong with it."""

    worker_id: Any = None


_decode = msgspec.json.Decoder(_Named).decode


class Refusal(NamedTuple):
    """`reason` is the label value of the counter; `field` names what is wrong, "" for nothing in particular. `body` is
    the report as it was sent, if it is known."""

    reason: str
    field: str = ""
    body: bytes | memoryview = b""


class Refusals:
    """Only the event loop may use it."""

    def __init__(self, metrics: ServiceMetrics) -> None:
        self._metrics = metrics
        self._since = float("-inf")
        self._counts: dict[tuple[str, str], int] = {}  # refused since the last line, by address and reason

    def add(self, address: str, refusal: Refusal, now: float | None = None) -> None:
        """Counts a refused report from `address`. `now` is in monotonic seconds."""
        self._metrics.rejected.labels(refusal.reason).inc()
        moment = time.monotonic() if now is None else now
        if moment - self._since >= EVERY_SECONDS:
            self.log_counts(moment)
        key = (address, refusal.reason)
        if key not in self._counts and len(self._counts) >= MAX_SENDERS:
            key = _OTHERS
        known = key in self._counts
        self._counts[key] = self._counts.get(key, 0) + 1
        if not known and key != _OTHERS:
            field = f", field {quoted(refusal.field[:MAX_SHOWN])}" if refusal.field else ""
            worker = worker_of(refusal.body)
            name = f", worker {quoted(worker[:MAX_SHOWN])}" if worker else ""
            _log.warning("refused what %s sent: %s%s%s", _shown(address), refusal.reason, field, name)

    async def run(self) -> None:
        """Logs the counts every minute, also if nothing is refused any more, until it is cancelled."""
        try:
            while True:
                await asyncio.sleep(EVERY_SECONDS)
                self.log_counts(time.monotonic())
        finally:
            self.log_counts(time.monotonic())

    def log_counts(self, now: float) -> None:
        """Logs how many reports were refused since the lines about their senders."""
        self._since = now
        for (address, reason), count in self._counts.items():
            if (address, reason) == _OTHERS:
                _log.warning("refused %d more from other addresses or for other reasons", count)
            elif count > 1:
                _log.warning("refused %d more from %s: %s", count - 1, _shown(address), reason)
        self._counts = {}


def _shown(address: str) -> str:
    """Returns an address for the log. It may be text that a trusted proxy passed on."""
    return printable(address[:MAX_SHOWN]) or "an unknown address"


def worker_of(body: bytes | memoryview) -> str:
    """Returns the worker that a report names, "" if it cannot be read."""
    try:
        worker = _decode(body).worker_id
    except (msgspec.MsgspecError, RecursionError):
        return ""
    return worker if isinstance(worker, str) else ""
