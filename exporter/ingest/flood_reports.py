"""Stores what the rate limits refused: one error event for each flooding worker and minute, and one when it ends.

The event is a report like any other, so it is stored, counted, shown and may raise an alert. The limits do not apply
to it.
"""

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from exporter.events.event import isoformat
from exporter.ingest.ingest import Ingest, QueueFullError
from exporter.ingest.pipeline import Refusal, Submission
from exporter.ingest.refused import Flood, RefusedPattern

TYPE: Final = "RateLimited"
CATEGORY: Final = "WORKER_RATE_LIMITED"  # a warning, as the other categories of workers
EVERY_SECONDS: Final = 60.0  # between two events about one worker
QUIET_SECONDS: Final = 10.0  # without a refused report, after which a flood is over
MAX_SAMPLED: Final = 10  # patterns of an event with samples, the most frequent ones
TICK_SECONDS: Final = 1.0
AGAIN_SECONDS: Final = 10.0  # after an event could not be stored
_log = logging.getLogger(__name__)


class FloodReports:
    """Reports floods through `ingest`. `rate` and `token_rate` are the limits, for the text."""

    def __init__(self, ingest: Ingest, rate: float, token_rate: float) -> None:
        self._ingest = ingest
        self._rate = rate
        self._token_rate = token_rate
        self._task: asyncio.Task[None] | None = None
        self._reporting: asyncio.Task[bool] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self, seconds: float) -> None:
        """Reports every flood, within `seconds`."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        try:
            async with asyncio.timeout(seconds):
                if self._reporting is not None and not self._reporting.done():
                    await asyncio.wait([self._reporting])  # its events are stored, so they must not be reported again
                await self.report(everything=True)
        except Exception as error:
            _log.warning("the counts of refused reports could not be stored: %s", error or type(error).__name__)

    async def report(self, *, everything: bool = False) -> bool:
        """Reports the floods that are due, or all of them. Keeps the counts of those that cannot be stored, and returns
        whether there are none."""
        now = time.monotonic()
        floods = self._ingest.pipeline.refused.take(lambda flood: everything or is_due(flood, now))
        if not floods:
            return True
        at = dt.datetime.now(dt.UTC)
        stored: Sequence[bytes | Refusal] = ()
        try:
            stored = await self._ingest.ingest([
                Submission(msgspec.json.encode(flood_report(flood, self._rate, self._token_rate)), at, None, own=True)
                for flood in floods
            ])  # fmt: skip
        except QueueFullError as error:
            _log.warning("the counts of refused reports wait: %s", error or "the queue is full")
        finally:
            failed = [
                flood for place, flood in enumerate(floods)
                if place >= len(stored) or not isinstance(stored[place], bytes)
            ]  # fmt: skip
            for flood in failed:
                self._ingest.pipeline.refused.put_back(flood)
        return not failed

    async def _run(self) -> None:
        pause = TICK_SECONDS
        while True:
            await asyncio.sleep(pause)
            self._reporting = asyncio.create_task(self.report())  # goes on when this task is cancelled
            try:
                pause = TICK_SECONDS if await asyncio.shield(self._reporting) else AGAIN_SECONDS
            except Exception:  # a bug must not end this task
                _log.exception("the counts of refused reports could not be stored")


def is_due(flood: Flood, now: float) -> bool:
    """Returns whether a minute of the flood, or the flood itself, is over. `now` is in monotonic seconds."""
    return now - flood.since >= EVERY_SECONDS or now - flood.until >= QUIET_SECONDS


def flood_report(flood: Flood, rate: float, token_rate: float) -> dict[str, Any]:
    """Returns the report about a flood. Its message differs only in numbers, so all such reports are one pattern."""
    patterns = sorted(flood.patterns.values(), key=lambda one: -one.refused)
    limit = token_rate if flood.by_token == flood.refused > 0 else rate
    seconds = max(1, round((flood.latest - flood.began).total_seconds()))
    return {
        "worker_id": flood.worker,
        "type": TYPE,
        "error_category": CATEGORY,
        "message": f"{flood.refused:,} reports were refused within {seconds:,} s, above the limit of {limit:g}/s, and "
        f"{flood.accepted_later:,} refused before were accepted",
        "rate_limited": {
            "refused": flood.refused,
            "refused_by_token_limit": flood.by_token,
            "accepted_later": flood.accepted_later,
            "from": isoformat(flood.began),
            "to": isoformat(flood.latest),
            "patterns": [_pattern(one, with_samples=place < MAX_SAMPLED) for place, one in enumerate(patterns)],
            "other": flood.other,
        },
    }


def _pattern(one: RefusedPattern, *, with_samples: bool) -> dict[str, Any]:
    return {
        "fingerprint": one.fingerprint,
        "pattern": one.pattern,
        "refused": one.refused,
        "samples": [msgspec.Raw(sample.encode()) for sample in one.samples if with_samples],
    }
