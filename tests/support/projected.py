"""A database and the log that is projected into it, in the test's process instead of a store process."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from empty import make_empty
from events import append

from exporter.events.event import ErrorEvent
from exporter.log.embedded import EmbeddedLog
from exporter.log.files import log_path
from exporter.store import State
from exporter.store.database import Database
from exporter.store.parameters import Filters
from exporter.store.pattern_results import PatternList
from exporter.store.projection import Projection
from exporter.store.queries import GetOverview, ListErrors, ListPatterns, Read
from exporter.store.read import answer
from exporter.store.report_tables import every_block
from exporter.store.results import ErrorPage, Overview
from exporter.store.series import LabelLimits
from exporter.store.state import load_state


class Projected:
    """Log, database and projection, as in the store process. Projects only on `catch_up` or `projection.start`."""

    def __init__(self, path: Path, log: EmbeddedLog | None = None) -> None:
        self.log = log or EmbeddedLog(log_path(path))
        if not path.exists():
            make_empty(path)
        self.database = Database(path)
        self.database.connect()
        self.projection = Projection(self.database, self.log)

    def append(self, *batches: Sequence[ErrorEvent]) -> list[ErrorEvent]:
        return append(self.log, *batches)

    def catch_up(self, position: int | None = None) -> None:
        self.projection.catch_up(position)

    def roll_up(self, at_least: int = 1) -> None:
        """Rolls up everything, if so many errors wait."""
        with self.database.writing:
            while self.projection.rollups.step(at_least):
                pass

    def pack(self) -> None:
        """Packs the single reports of complete blocks."""
        with self.database.writing:
            while self.projection.inserter.pack_step():
                pass

    def read(self, query: Read[Any]) -> Any:
        """Projects the whole log, and returns the result of `query`."""
        self.projection.catch_up(self.log.last)
        return self.database.read(lambda cursor: answer(cursor, query))

    def overview(self) -> Overview:
        overview: Overview = self.read(GetOverview(filters=Filters(hours=24), now=dt.datetime.now(dt.UTC)))
        return overview

    def count(self) -> int:
        return self.overview().summary.total_errors

    def errors(self) -> ErrorPage:
        page: ErrorPage = self.read(ListErrors(filters=Filters(), now=dt.datetime.now(dt.UTC), limit=1_000))
        return page

    def patterns(self) -> PatternList:
        patterns: PatternList = self.read(ListPatterns(filters=Filters(hours=24), now=dt.datetime.now(dt.UTC)))
        return patterns

    def state(self) -> State:
        return load_state(self.database, 5, LabelLimits())

    def values(self, sql: str) -> list[Any]:
        return self.database.read(
            lambda cursor: [row[0] if len(row) == 1 else row for row in cursor.execute(sql).fetchall()]
        )

    def blocks(self) -> list[int]:
        """The numbers of all blocks of reports."""
        return self.database.read(lambda cursor: [block for block, _ in every_block(cursor)])

    def close(self) -> None:
        """Closes the files as a crash does: without a last projection or checkpoint."""
        self.projection.stop()
        self.database.disconnect()
        self.log.close()
