"""Handler of `POST /api/junit`, which takes JUnit XML: a file of test results as every test tool writes it."""

from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from exporter.http.foreign_reports import encoded, outcome_of, read_message, store
from exporter.http.parameters import parse
from exporter.http.report_body import report_body
from exporter.http.responses import SERVICE, success
from exporter.http.summaries import store_summary
from exporter.protocols.junit import read_results

MAX_RETRY_SECONDS: Final = 30
Text = Annotated[str, Meta(min_length=1, max_length=256)]
Url = Annotated[str, Meta(min_length=1, max_length=2_048)]


class JUnitUpload(Struct, frozen=True, kw_only=True):
    """What the sender of a file says about the run."""

    worker: Annotated[Text, Meta(description="the worker that ran the tests; else `hostname` of the file")] = ""
    run: Annotated[Text, Meta(description="the id of the run; with it, the file counts as the summary of this run")] = (
        ""
    )
    job: Annotated[Text, Meta(description="the job")] = ""
    suite: Annotated[Text, Meta(description="the suite")] = ""
    commit: Annotated[Text, Meta(description="the commit that was tested")] = ""
    branch: Annotated[Text, Meta(description="its branch")] = ""
    user: Annotated[Text, Meta(description="who started the run")] = ""
    url: Annotated[Url, Meta(description="the page of the run")] = ""


async def junit(request: web.Request) -> web.Response:
    """POST /api/junit: each failed attempt of a test is an error."""
    upload = parse(request, JUnitUpload)
    body = await report_body(request)
    names = ("job", "suite", "commit", "branch", "user", "url")
    run = {"id": upload.run} | {name: getattr(upload, name) for name in names}
    run = {name: value for name, value in run.items() if value}
    service = request.app[SERVICE]
    derive = service.settings.derive_category

    def read() -> tuple[list[bytes], dict[str, int], bytes, str]:
        found = read_results(body, run, upload.worker, derive_category=derive)
        summary = msgspec.json.encode(found.summary) if found.summary is not None else b""
        return encoded(found.reports), found.counts, summary, found.warning

    reports, counts, summary, warning = await read_message(read, len(body))
    passed = counts["passed"] + counts["skipped"]
    service.metrics.items_skipped.labels("junit").inc(passed)
    outcome = outcome_of(await store(request, reports, "junit"), MAX_RETRY_SECONDS)
    if summary:
        await store_summary(request, summary)
    answer = {"counts": counts, "stored": outcome.ids, "refused": outcome.refused}
    return success(answer | ({"warning": warning} if warning else {}))
