"""Numbers in the documents equal the constants of the code. Each is found by its sentence, so that a sentence that is
rewritten or removed fails as well."""

import re
from typing import NamedTuple

import pytest
from conftest import ROOT

from exporter import client, service
from exporter.config import Settings
from exporter.events import error_object, event, report, tolerant
from exporter.http import reports
from exporter.ingest import clock_offsets, deduplication, ingest, nesting, recurrence, report_times, times
from exporter.live import client as live
from exporter.live import hub
from exporter.log import embedded, readers
from exporter.metrics import error_metrics, zero_phase
from exporter.patterns import fingerprint, frames
from exporter.store import client as store
from exporter.store import names, parameters, projection, rollups, texts
from exporter.store import reports as blocks

pytestmark = pytest.mark.dashboard
SETTINGS = Settings()
MIB = 2**20
NUMBER = r"(\d[\d,]*(?:\.\d+)?)"


class Case(NamedTuple):
    """`sentence` is the text of `file` around the number, which stands there as `#`. Runs of white space are equal."""

    file: str
    sentence: str
    expected: float

    def __str__(self) -> str:
        return f"{self.file}: {self.sentence[:60]}"


CASES = [
    # WebSocket
    Case("docs/api.md", "If the client missed # updates or more, or the log no longer holds them", live.MAX_QUEUE),
    Case("docs/api.md", "A client that lags # updates behind is disconnected", live.MAX_QUEUE),
    Case("docs/api.md", "updates carry `errors`, a list, at most every # ms", hub.BATCH_SECONDS * 1000),
    Case("docs/architecture.md", "`MAX_QUEUE` #, `MAX_BYTES` 32 MiB (`live/client.py`)", live.MAX_QUEUE),
    Case("docs/architecture.md", "`MAX_BYTES` # MiB (`live/client.py`)", live.MAX_BYTES / MIB),
    # reports
    Case("docs/reporting.md", "try # times in all when the service is unavailable", client.TRIES),
    Case("docs/runbooks/StorageFailing.md", "A worker tries # times within seconds", client.TRIES),
    Case("docs/runbooks/ExporterDown.md", "a worker tries # times within seconds", client.TRIES),
    Case("docs/runbooks/IngestQueueFilling.md", "try again, # times in all", client.TRIES),
    Case("docs/reporting.md", "the worker's own id of this error, at most # characters", report.MAX_EVENT_ID),
    Case("docs/reporting.md", "With the header `Idempotency-Key` (at most # characters)", reports.MAX_BATCH_KEY),
    Case("docs/reporting.md", "The newest # ids are in memory", deduplication.MAX_KNOWN),
    Case("docs/reporting.md", "nested more than # levels", nesting.MAX_DEPTH),
    Case("docs/reporting.md", "more than # objects and arrays (brackets", nesting.MAX_NESTED),
    Case("docs/reporting.md", "(the first # of a report)", tolerant.MAX_WARNINGS),
    Case("docs/reporting.md", "no objects; items after the first #", tolerant.MAX_ITEMS),
    Case("docs/reporting.md", "objects and numbers; items after the first #", tolerant.MAX_ITEMS),
    Case("docs/reporting.md", "If a report is larger than # MB, its long texts are cut", client.MAX_BODY / 1e6),
    Case("docs/reporting.md", "cannot be a key: empty, longer than # characters", report.MAX_EVENT_ID),
    Case("docs/architecture.md", "the newest # ids (`MAX_KNOWN`) in memory", deduplication.MAX_KNOWN),
    Case("docs/architecture.md", "`MAX_KNOWN` #", deduplication.MAX_KNOWN),
    Case("docs/architecture.md", "`MAX_PATTERNS` #", recurrence.MAX_PATTERNS),
    Case("docs/architecture.md", "`MAX_BATCH_KEY`, # characters", reports.MAX_BATCH_KEY),
    Case("docs/architecture.md", "`MAX_EVENTS` #", ingest.MAX_EVENTS),
    Case("docs/architecture.md", "`MAX_BYTES` # MiB (`ingest.py`)", ingest.MAX_BYTES / MIB),
    # cuts
    Case("docs/api.md", "updates cut a message after # characters", event.MAX_MESSAGE),
    Case("docs/api.md", "keep only the last # characters of a traceback", error_object.MAX_LISTED_TRACEBACK),
    Case("docs/api.md", "replace a context of more than # bytes by null", error_object.MAX_LISTED_CONTEXT),
    Case("docs/api.md", "`limit` can raise this to #", parameters.MAX_LIMIT),
    Case("docs/patterns.md", "Only the first # characters of a message", fingerprint.MAX_MASKED_MESSAGE),
    Case("docs/patterns.md", "the first # and the last 8,192 of a traceback", frames.MAX_SEARCHED),
    Case("docs/patterns.md", "the first 8,192 and the last # of a traceback", frames.MAX_SEARCHED),
    Case("docs/patterns.md", "at most # lines of each", frames.MAX_LINES),
    Case("docs/patterns.md", "at most # exceptions of a group", frames.MAX_KEYS),
    # log and readers
    Case("docs/operation.md", "when the log holds `log_max_bytes` (# bytes)", SETTINGS.log_max_bytes),
    Case("docs/operation.md", "the newest `log_keep_events` (#) events", SETTINGS.log_keep_events),
    Case("docs/architecture.md", "`log_keep_events` events (default #)", SETTINGS.log_keep_events),
    Case("docs/architecture.md", "`log_max_bytes`, # GiB", SETTINGS.log_max_bytes / 2**30),
    Case("docs/architecture.md", "uses more than # MiB (`KEEP_BYTES`)", embedded.KEEP_BYTES / MIB),
    Case("docs/architecture.md", "more than # events (`MAX_READER_LAG`) behind", service.MAX_READER_LAG),
    Case("docs/architecture.md", "After # failures (`TRIES`) at one event", readers.TRIES),
    Case("docs/metrics.md", "it failed at each # times", readers.TRIES),
    # store's process
    Case("docs/operation.md", "if it does not answer a ping for # s it is replaced", store.PING_SECONDS),
    Case("docs/architecture.md", "killed after # s (`PING_SECONDS`)", store.PING_SECONDS),
    Case("docs/architecture.md", "reads get 503 after # s (`READ_SECONDS`)", store.READ_SECONDS),
    Case("docs/architecture.md", "`READ_SECONDS`, # s", store.READ_SECONDS),
    Case("docs/api.md", "or when it takes more than # s", store.READ_SECONDS),
    Case("docs/architecture.md", "catches up within # s (`OPEN_SECONDS`)", store.OPEN_SECONDS),
    Case("docs/architecture.md", "close the database (# s, `CLOSE_SECONDS`)", store.CLOSE_SECONDS),
    Case("docs/architecture.md", "when # errors (`ROLL_FROM`) wait", projection.ROLL_FROM),
    Case("docs/architecture.md", "in steps of # (`ROLL_AT_ONCE`)", rollups.ROLL_AT_ONCE),
    Case("docs/architecture.md", "# minutes (`GRACE`) after the end", rollups.GRACE.seconds / 60),
    Case("docs/architecture.md", "after # steps (`MERGE_AFTER`)", rollups.MERGE_AFTER),
    Case("docs/architecture.md", "At most # texts (`MAX_TEXTS`)", texts.MAX_TEXTS),
    Case("docs/architecture.md", "`MAX_TEXTS` #", texts.MAX_TEXTS),
    Case("docs/architecture.md", "# MiB of them (`MAX_BYTES`)", texts.MAX_BYTES / MIB),
    Case("docs/architecture.md", "`MAX_BYTES` # MiB, `MAX_CHARACTERS`", texts.MAX_BYTES / MIB),
    Case("docs/architecture.md", "texts of at most # characters (`MAX_CHARACTERS`)", texts.MAX_CHARACTERS),
    Case("docs/architecture.md", "`MAX_CHARACTERS` # (`texts.py`)", texts.MAX_CHARACTERS),
    Case("docs/architecture.md", "in blocks of # consecutive ids (`PER_BLOCK`)", blocks.PER_BLOCK),
    Case("docs/architecture.md", "at most # names (`names.MAX_KNOWN`)", names.MAX_KNOWN),
    Case("docs/architecture.md", "`MAX_KNOWN` # (`names.py`)", names.MAX_KNOWN),
    # health
    Case("docs/operation.md", "the oldest report has waited for more than # s", service.STUCK_SECONDS),
    Case("docs/operation.md", "when that write fails or takes more than # s", service.PROBE_SECONDS),
    Case("docs/operation.md", "readers of the log that have not followed it for # s", service.BEHIND_SECONDS),
    Case("docs/api.md", "readers of the log that have not followed it for # s", service.BEHIND_SECONDS),
    Case("docs/architecture.md", "append what is queued (# s at most, `DRAIN_SECONDS`)", service.DRAIN_SECONDS),
    # settings that architecture.md repeats
    Case("docs/architecture.md", "`max_body_bytes`, # MiB", SETTINGS.max_body_bytes / MIB),
    Case("docs/architecture.md", "`queue_capacity` #", SETTINGS.queue_capacity),
    Case("docs/architecture.md", "`queue_bytes` # MiB", SETTINGS.queue_bytes / MIB),
    Case("docs/architecture.md", "`min_free_bytes`, # MiB", SETTINGS.min_free_bytes / MIB),
    Case("docs/architecture.md", "`alert_queue_capacity`, #", SETTINGS.alert_queue_capacity),
    # times
    Case("docs/reporting.md", "a time more than # minutes ahead of the receipt", report.FUTURE_TOLERANCE.seconds / 60),
    Case("docs/reporting.md", "or older than `max_report_age` (# days)", SETTINGS.max_report_age / 86_400),
    Case("docs/reporting.md", "times are believed from # on", report_times.FIRST_IMPORTED.year),
    Case("docs/reporting.md", "An imported error that is more than # minutes old", report_times.LIVE.seconds / 60),
    Case("docs/reporting.md", "epoch seconds; from # on milliseconds", times.UNITS[0][0]),
    Case("docs/reporting.md", "by the same number of half hours in # reports", clock_offsets.REPORTS),
    Case("docs/reporting.md", "its reports have to agree for # minutes", clock_offsets.DOUBT_SECONDS / 60),
    Case("docs/architecture.md", "finding wrong time zones | `MAX_WORKERS` #", clock_offsets.MAX_WORKERS),
    # metrics
    Case("docs/metrics.md", "`category` up to #", error_metrics.MAX_CATEGORY_LABELS),
    Case("docs/metrics.md", "and `hardware_type` up to # values", error_metrics.MAX_HARDWARE_LABELS),
    Case("docs/metrics.md", "at the latest # times `longest_scrape_interval`", zero_phase.MAX_HOLD),
    Case("docs/metrics.md", "is expected for # times `longest_scrape_interval`", zero_phase.PATIENCE),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_number_in_the_document_is_that_of_the_code(case: Case) -> None:
    text = (ROOT / case.file).read_text("utf-8")
    pattern = r"\s+".join(re.escape(word) for word in case.sentence.split()).replace(r"\#", NUMBER)
    documented = [float(number.replace(",", "")) for number in re.findall(pattern, text)]
    assert documented, f"{case.file} has no sentence {case.sentence!r}; the code says {case.expected:g}"
    assert set(documented) == {case.expected}, (
        f"{case.file}: {case.sentence!r} says {documented[0]:g}, the code says {case.expected:g}"
    )
