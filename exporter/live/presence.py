"""Remembers when the service ran, so that after hours of downtime nobody takes the silence of those hours for calm.

The file beside the database has the periods as JSON, the newest last: `[[start, end], …]`, in seconds since 1970. Its
own time of change is the end of the newest one: while the service runs, the file is touched every `TOUCH_SECONDS`.
"""

import asyncio
import contextlib
import datetime as dt
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

TOUCH_SECONDS: Final = 10.0
MAX_PERIODS: Final = 100
MAX_FILE_BYTES: Final = 64 * 1024
_log = logging.getLogger(__name__)
_decode = msgspec.json.Decoder(list[tuple[float, float]]).decode


class Period(NamedTuple):
    """A time in which the service ran, in seconds since 1970."""

    start: float
    end: float

    @property
    def began(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.start, dt.UTC)

    @property
    def ended(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.end, dt.UTC)


def presence_file(database: Path) -> Path:
    """Returns the path of the file that belongs to a database."""
    return database.with_name(database.name + ".presence")


def load(path: Path, now: float) -> list[Period]:
    """Returns the periods before `now`, oldest first; none if there is no file, or none that can be read. Raises
    nothing."""
    try:
        status = path.stat()
        saved = _decode(path.read_bytes()) if status.st_size <= MAX_FILE_BYTES else []
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as error:
        _log.warning("%s cannot be read; it is not known when the service ran: %s", path, error)
        return []
    periods = [Period(start, end) for start, end in saved]
    if periods:
        periods[-1] = Period(periods[-1].start, max(periods[-1].end, status.st_mtime))
    return [one for one in periods if one.start <= one.end <= now][-MAX_PERIODS:]


class Presence:
    """Loads the file at the start, and touches it while the service runs. Only the event loop may use it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._task: asyncio.Task[None] | None = None
        self._is_saved = False  # whether the file has the period of this run
        self.periods: list[Period] = []

    @property
    def away(self) -> tuple[dt.datetime, dt.datetime] | None:
        """The last time in which the service did not run: when it ended before, and when it began again."""
        if len(self.periods) < 2:
            return None
        return self.periods[-2].ended, self.periods[-1].began

    async def start(self) -> None:
        """Begins the period of this run."""
        now = time.time()
        self.periods = [*await asyncio.to_thread(load, self._path, now), Period(now, now)][-MAX_PERIODS:]
        await self._write(self._save)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends it."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            await self._write(self._touch)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TOUCH_SECONDS)
            await self._write(self._touch)

    async def _write(self, write: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(write)
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._path, error)

    def _save(self) -> None:
        temporary = self._path.with_name(self._path.name + ".tmp")
        temporary.write_bytes(msgspec.json.encode(self.periods))
        temporary.replace(self._path)
        self._is_saved = True

    def _touch(self) -> None:
        """Sets the end of the newest period. A file that could not be saved at the start, on a full disk, is saved
        now: to touch it would prolong the period before this run."""
        if not self._is_saved:
            self._save()
        try:
            os.utime(self._path)
        except FileNotFoundError:
            self._save()
