"""A log and the client of a store process that reads the log, without the rest of the service."""

import datetime as dt
from pathlib import Path

import psutil
from conftest import eventually
from empty import make_empty

from exporter.log.embedded import EmbeddedLog, new_identity
from exporter.log.files import log_path
from exporter.store import StoreError
from exporter.store.client import StoreClient
from exporter.store.parameters import Filters
from exporter.store.queries import GetOverview
from exporter.store.wire import MEMORY_LIMIT, StoreSettings


class Started:
    """A log and the client of a store process that reads the log. With `process=False` the store is a thread."""

    def __init__(self, path: Path, *, process: bool = True, memory_limit: int = MEMORY_LIMIT) -> None:
        if not path.exists():
            make_empty(path)
        self.log = EmbeddedLog(log_path(path))
        self.log.initialise(new_identity(), 0)
        settings = StoreSettings(str(path), str(self.log.path), 2**30, "error", "logfmt", 5, memory_limit)
        self.client = StoreClient(settings, self.log, process=process)

    async def start(self) -> None:
        await self.client.inspect()
        await self.client.open()

    def process(self) -> psutil.Process:
        connection = self.client._connection
        assert connection
        assert connection._process
        return psutil.Process(connection._process.pid)

    async def count(self) -> int:
        answer = await self.client.read(GetOverview(filters=Filters(hours=24), now=dt.datetime.now(dt.UTC)))
        return answer.decode().summary.total_errors

    async def answered(self) -> bool:
        """Returns whether the store answers a read now."""
        try:
            await self.count()
        except StoreError:
            return False
        return True

    async def replaced(self, restarts: int = 1) -> None:
        await eventually(lambda: self.client.restarts >= restarts and not self.client.failure)
