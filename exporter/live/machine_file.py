"""Saves when each machine was heard last, so that a restart of the service hides no silent machine.

The file is beside the database, written as a whole at most once a minute and at the end. After a crash, machines that
sent their first heartbeat in the last minute are unknown until their next one. Heartbeats themselves are not saved: the
next ones bring them.
"""

import asyncio
import contextlib
import logging
import time
from pathlib import Path
from typing import Final

import msgspec

from exporter.live.machines import Known, MachineBook

SAVE_SECONDS: Final = 60.0
MAX_FILE_BYTES: Final = 16 * 1024 * 1024
_log = logging.getLogger(__name__)
_decode = msgspec.json.Decoder(dict[str, tuple[float, float, bool]]).decode


def machine_file(database: Path) -> Path:
    """Returns the path of the file that belongs to a database."""
    return database.with_name(database.name + ".machines")


def load(path: Path, now: float) -> dict[str, Known]:
    """Returns what was saved; nothing if there is no file, or none that can be read. Raises nothing."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return {}
        saved = _decode(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as error:
        _log.warning("%s cannot be read; machines are unknown until their next heartbeat: %s", path, error)
        return {}
    return {name: Known(min(seen, now), interval, stopped) for name, (seen, interval, stopped) in saved.items()}


def save(path: Path, known: dict[str, Known]) -> None:
    """Replaces the file. Raises OSError."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(msgspec.json.encode({name: one[:3] for name, one in known.items()}))
    temporary.replace(path)


class Saver:
    """Loads the file at the start, saves it while the service runs."""

    def __init__(self, book: MachineBook, path: Path) -> None:
        self._book, self._path = book, path
        self._saved = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Restores the machines, and begins to save them."""
        self._book.restore(await asyncio.to_thread(load, self._path, time.time()))
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Saves them for the last time."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._save()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            await self._save()

    async def _save(self) -> None:
        if self._book.received == self._saved:
            return
        received = self._book.received
        try:
            await asyncio.to_thread(save, self._path, self._book.saved())
            self._saved = received
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._path, error)
