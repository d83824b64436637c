"""Ingest with a log, but without the rest of the service."""

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conftest import REPORT

from exporter.events.event import ErrorEvent
from exporter.events.outcome import Outcome
from exporter.ingest.ingest import Ingest, Result
from exporter.ingest.past import Past
from exporter.ingest.pipeline import Pipeline, Submission
from exporter.ingest.severity import Thresholds
from exporter.log import LogError
from exporter.log.embedded import EmbeddedLog, new_identity

RECEIVED = 1_700_000_000.0


def submission(message: str = "m", *, key: str | None = None, received: float = RECEIVED, **fields: Any) -> Submission:
    return Submission(
        json.dumps(REPORT | {"message": message} | fields).encode(), dt.datetime.fromtimestamp(received, dt.UTC), key
    )


class Ingesting:
    """Ingest with a log and a fake database. `events` are the appended events, `failures` the errors of the log.
    `outcomes` are the results of database lookups, by position or as a `Repeat`; `lookups`
    records the lookups."""

    def __init__(self, path: Path, *, past: Past | None = None, **log: Any) -> None:
        self.events: list[ErrorEvent] = []
        self.failures: list[LogError] = []
        self.outcomes: dict[Any, Outcome | Exception] = {}
        self.lookups: list[Any] = []
        self.position: int | None = None  # up to which the database had to have the events at the last lookup
        self.log = EmbeddedLog(path, **log)
        self.log.initialise(new_identity(), 0)
        self.pipeline = Pipeline(past or Past(), thresholds=Thresholds(), zone=dt.UTC)
        self.ingest = Ingest(
            self.log, self.pipeline, self._lookup, on_batch=lambda events, _: self.events.extend(events),
            on_failure=self.failures.append, observe=lambda _: None, capacity=20_000, capacity_bytes=2**28,
        )  # fmt: skip
        self.ingest.start()

    async def accept(self, *submissions: Submission) -> list[Any]:
        """Returns the result of each submission: the decoded `data`, or the refusal."""
        return [decoded(result) for result in await self.ingest.ingest(submissions)]

    async def close(self) -> None:
        await self.ingest.drain(1)
        self.log.close()

    async def _lookup(self, events: Sequence[Any], at: int) -> list[Outcome | None]:
        self.lookups += events
        self.position = at
        found = [self.outcomes.get(event) for event in events]
        for one in found:
            if isinstance(one, Exception):
                raise one
        return found


def decoded(result: Result) -> Any:
    return json.loads(result) if isinstance(result, bytes) else result
