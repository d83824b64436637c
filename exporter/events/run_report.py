"""The body of `POST /api/runs`: the summary of a run, with the field names that senders use.
`exporter.ingest.run_summary` reads it, values of another type, too."""

from typing import Annotated

from msgspec import Meta, Struct

from exporter.events.report import RunContext, Time


class WorkerTests(Struct, gc=False):
    """The ids of the tests that a worker ran, by their outcome."""

    passed: list[str] | None = None
    failed: list[str] | None = None
    skipped: list[str] | None = None
    errors: list[str] | None = None


class TestCounts(Struct, gc=False):
    """How many tests had each outcome."""

    passed: int | None = None
    failed: int | None = None
    skipped: int | None = None
    errors: int | None = None


class SummarisedRun(RunContext, kw_only=True, gc=False):
    """The run that is summarised."""

    id: Annotated[str, Meta(min_length=1, pattern=r"\S")]


class RunReport(Struct, gc=False):
    """The summary of a run. `run.id` is required. `worker_id` is the sender: what it sends again for the same run
    replaces what it sent before, so several senders can each summarise their part. `workers` has the ids of tests by
    the worker that ran them; of more than 100,000 ids, those of failed tests are kept first. `counts` may be given
    alone, else the ids are counted. `complete`: the run has ended, and this is all of it."""

    run: SummarisedRun
    worker_id: Annotated[str, Meta(min_length=1, pattern=r"\S")]
    started_at: Time = None
    finished_at: Time = None
    complete: bool | None = None
    workers: dict[str, WorkerTests] | None = None
    counts: TestCounts | None = None
