"""What happens between two batches, and while reports wait for the database."""

import asyncio
import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ingesting import RECEIVED, Ingesting, submission

from exporter.ingest.past import Past, newest_ids

pytestmark = pytest.mark.dashboard
AT = dt.datetime.fromtimestamp(RECEIVED, dt.UTC)


async def test_nothing_is_prepared_or_appended_between_batches(tmp_path: Path) -> None:
    """Whoever replaces the pipeline then does not leave reports that the old one took for new."""
    one = Ingesting(tmp_path / "log")
    known = asyncio.Event()
    entered: list[int] = []

    async def replace() -> None:
        await known.wait()
        async with one.ingest.between_batches():
            entered.append(len(one.events))
            await asyncio.sleep(0.05)
            entered.append(len(one.events))

    task = asyncio.create_task(replace())
    first = asyncio.create_task(one.accept(*[submission(f"m {number}") for number in range(350)]))
    prepare = one.pipeline.prepare

    def prepared(*given: Any) -> Any:
        known.set()
        return prepare(*given)

    one.pipeline.prepare = prepared  # type: ignore[method-assign]
    await known.wait()
    second = asyncio.create_task(one.accept(submission("later")))
    await asyncio.gather(task, first, second)
    assert entered == [350, 350]
    assert len(one.events) == 351
    await one.close()


async def test_reports_that_wait_for_the_database_count_as_queued(tmp_path: Path) -> None:
    one = Ingesting(
        tmp_path / "log", past=Past(known_ids=newest_ids([("worker-1", "x", 8, RECEIVED)]), known_ids_since=RECEIVED)
    )
    asked, answered = asyncio.Event(), asyncio.Event()

    async def lookup(events: Sequence[Any], at: int) -> list[None]:
        asked.set()
        await answered.wait()
        return [None] * len(events)

    one.ingest._repeats._lookup = lookup
    body = submission("m", event_id="e", timestamp=(AT - dt.timedelta(minutes=1)).isoformat())
    task = asyncio.create_task(one.accept(body))
    await asyncio.wait_for(asked.wait(), 10)
    assert (one.ingest.queued, one.ingest.bytes > 0) == (1, True)
    answered.set()
    await task
    assert (one.ingest.queued, one.ingest.bytes) == (0, 0)
    await one.close()
