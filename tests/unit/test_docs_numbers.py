"""Numbers in the documents equal the constants of the code. Each is found by its sentence, so that a sentence that is
rewritten or removed fails as well."""

import re
from typing import NamedTuple

import pytest
from conftest import ROOT
from error_visualization import body, spool

from exporter import service
from exporter.access import users, web_config, web_format
from exporter.alerting import alerts
from exporter.config import Settings
from exporter.events import error_object, event, listed, report, tolerant
from exporter.exported import parquet
from exporter.http import arriving, connections, export, reads, representation, taken
from exporter.http import parameters as http_parameters
from exporter.ingest import (
    clock_offsets,
    deduplication,
    flood_reports,
    known_fingerprints,
    nesting,
    patterns,
    rate_limits,
    readiness,
    recurrence,
    refused,
    report_times,
    size_limits,
    times,
    turns,
)
from exporter.judgement import judge, situation, tally, watch
from exporter.live import client as live
from exporter.live import hub
from exporter.log import embedded, readers
from exporter.metrics import error_series, hardware_metrics, hardware_reports, zero_phase
from exporter.patterns import fingerprint, frames
from exporter.store import (
    answers,
    assignments,
    database,
    flights,
    matching,
    parameters,
    projection,
    read_export,
    read_facets,
    read_states,
    read_worker,
    rollups,
    search,
    series,
    state,
    states,
    texts,
)
from exporter.store import client as store
from exporter.transfer import sender

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
    Case("docs/api.md", "A client that has # updates in its queue", live.MAX_QUEUE),
    Case("docs/api.md", "updates carry `errors`, a list, at most every # ms", hub.BATCH_SECONDS * 1000),
    Case("docs/architecture.md", "`MAX_QUEUE` #, `MAX_BYTES` 32 MiB (`live/client.py`)", live.MAX_QUEUE),
    Case("docs/architecture.md", "`MAX_BYTES` # MiB (`live/client.py`)", live.MAX_BYTES / MIB),
    # reports
    Case("docs/runbooks/StorageFailing.md", "keep up to # MiB of reports on disk", spool.MAX_BYTES / MIB),
    Case("docs/runbooks/ExporterDown.md", "keep up to # MiB of reports\non disk", spool.MAX_BYTES / MIB),
    Case("docs/runbooks/IngestQueueFilling.md", "keep up to # MiB of reports on disk", spool.MAX_BYTES / MIB),
    Case("docs/reporting.md", "the worker's own id of this error, at most # characters", report.MAX_EVENT_ID),
    Case("docs/reporting.md", "With the header `Idempotency-Key` (at most # characters)", http_parameters.MAX_BATCH_KEY),
    Case("docs/reporting.md", "The newest # ids are in memory", deduplication.MAX_KNOWN),
    Case("docs/limits.md", "| depth of a report | # levels", nesting.MAX_DEPTH),
    Case("docs/limits.md", "| objects and arrays in one report | #", nesting.MAX_NESTED),
    Case("docs/limits.md", "| unknown fields of a report that is cut | #", size_limits.MAX_FIELDS),
    Case("docs/limits.md", "more than # colons", size_limits.MAX_KEYS),
    Case("docs/limits.md", "more than # commas, brackets and quotes", size_limits.MAX_TOKENS),
    Case("docs/limits.md", "| size of one report | # MiB", SETTINGS.max_report_bytes / MIB),
    Case("docs/limits.md", "an eighth of it, # KiB", size_limits.SizeLimits.of(SETTINGS.max_report_bytes).field / 1024),
    Case("docs/limits.md", "half of it, # KiB", size_limits.SizeLimits.of(SETTINGS.max_report_bytes).traceback / 1024),
    Case("docs/limits.md", "| # a second, 2,000 at once", SETTINGS.rate_limit),
    Case("docs/limits.md", "the patterns after the first # of a worker", refused.MAX_FLOOD_PATTERNS),
    Case("docs/limits.md", "newest # refused ones", refused.MAX_REMEMBERED),
    Case("docs/limits.md", "Workers after the first # that are refused", refused.MAX_FLOODS),
    Case("docs/limits.md", "when the flood is over for # seconds", flood_reports.QUIET_SECONDS),
    Case("docs/limits.md", "After # new patterns of one worker", SETTINGS.max_new_patterns_per_hour),
    Case("docs/limits.md", "| reports in one batch | #", SETTINGS.max_batch_reports),
    Case("docs/architecture.md", "`MAX_BUCKETS` #", rate_limits.MAX_BUCKETS),
    Case("docs/architecture.md", "`MAX_FLOODS` #", refused.MAX_FLOODS),
    Case("docs/architecture.md", "`MAX_FLOOD_PATTERNS` #", refused.MAX_FLOOD_PATTERNS),
    Case("docs/reporting.md", "(the first # of a report)", tolerant.MAX_WARNINGS),
    Case("docs/reporting.md", "no objects; items after the first #", tolerant.MAX_ITEMS),
    Case("docs/reporting.md", "objects and numbers; items after the first #", tolerant.MAX_ITEMS),
    Case("docs/reporting.md", "If a report is larger than # MB, its long texts are cut", body.MAX_BODY / 1e6),
    Case("docs/reporting.md", "cannot be a key: empty, longer than # characters", report.MAX_EVENT_ID),
    Case("docs/architecture.md", "the newest # ids (`MAX_KNOWN`) in memory", deduplication.MAX_KNOWN),
    Case("docs/architecture.md", "`MAX_KNOWN` #", deduplication.MAX_KNOWN),
    Case("docs/architecture.md", "`MAX_PATTERNS` #", recurrence.MAX_PATTERNS),
    Case("docs/architecture.md", "`MAX_BATCH_KEY`, # characters", http_parameters.MAX_BATCH_KEY),
    Case("docs/architecture.md", "`MAX_EVENTS` #", turns.MAX_EVENTS),
    Case("docs/architecture.md", "fewer if they take longer than `SECONDS`, # s", turns.SECONDS),
    Case("docs/architecture.md", "`MAX_BYTES` # MiB (`turns.py`)", turns.MAX_BYTES / MIB),
    # access
    Case("docs/tls.md", "with a cost of # (`MAX_COST`) at most", web_format.MAX_COST),
    Case("docs/architecture.md", "`MAX_KEPT` # right ones", users.MAX_KEPT),
    Case("docs/tls.md", "While # (`MAX_WAITING`) passwords wait", users.MAX_WAITING),
    Case("docs/tls.md", "Every # s (`CHECK_SECONDS`) the service looks", web_config.CHECK_SECONDS),
    # cuts
    Case("docs/api.md", "updates cut a message after # characters", event.MAX_MESSAGE),
    Case("docs/api.md", "keep only the last # characters of a traceback", error_object.MAX_LISTED_TRACEBACK),
    Case("docs/api.md", "replace a context of more than # bytes by null", listed.MAX_LISTED_CONTEXT),
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
    # shared answers
    Case("docs/api.md", "The answer is given again for # s", answers.MAX_AGE_SECONDS),
    Case("docs/api.md", "its time range ends at most # s", answers.MAX_AGE_SECONDS),
    Case("docs/api.md", "if they have more than # bytes and `Accept-Encoding`", representation.COMPRESSED_FROM),
    Case("docs/architecture.md", "is kept for # s (`KEPT_SECONDS`)", answers.KEPT_SECONDS),
    Case("docs/api.md", "at most N seconds ago, # at most", answers.KEPT_SECONDS),
    Case("docs/architecture.md", "given again for # s (`MAX_AGE_SECONDS`)", answers.MAX_AGE_SECONDS),
    Case("docs/architecture.md", "took (`GATHERING`), # s at most", flights.MAX_GATHERING_SECONDS),
    Case("docs/architecture.md", "`MAX_ANSWERS` #", answers.MAX_ANSWERS),
    Case("docs/architecture.md", "`MAX_BYTES` # MiB of JSON (`answers.py`)", answers.MAX_BYTES / MIB),
    # search
    Case("docs/architecture.md", "(`MAX_TEXTS` #, `MAX_BYTES` 64 MiB)", texts.MAX_TEXTS),
    Case("docs/architecture.md", "`MAX_BYTES` # MiB, `MAX_TEXT_BYTES`", texts.MAX_BYTES / MIB),
    Case("docs/architecture.md", "`MAX_TEXT_BYTES` #", texts.MAX_TEXT_BYTES),
    Case("docs/architecture.md", "After # s (`SECONDS`) the search stops", search.SECONDS),
    Case("docs/architecture.md", "`SECONDS`, # s (`store/search.py`)", search.SECONDS),
    Case("docs/api.md", "After # s it stops and answers", search.SECONDS),
    Case("docs/architecture.md", "If the # s were not enough", search.SECONDS),
    Case("docs/architecture.md", "of up to # blocks (`MAX_BLOCKS`)", search.MAX_BLOCKS),
    Case("docs/architecture.md", "More than # of them (`MAX_LISTED`)", matching.MAX_LISTED),
    # export and import
    Case("docs/api.md", "It reads a part of about # MB at a time", read_export.MAX_BYTES / MIB),
    Case("docs/architecture.md", "`MAX_BYTES`, # MiB, and `MAX_ERRORS` 4,000 (`read_export.py`)", read_export.MAX_BYTES / MIB),
    Case("docs/architecture.md", "`MAX_ERRORS` # (`read_export.py`)", read_export.MAX_ERRORS),
    Case("docs/architecture.md", "`MAX_ROWS` #, and `MAX_BYTES` 8 MiB compressed (`parquet.py`)", parquet.MAX_ROWS),
    Case("docs/architecture.md", "`MAX_BYTES` # MiB compressed (`parquet.py`)", parquet.MAX_BYTES / MIB),
    Case("docs/operation.md", "batches of up to # reports are under way", sender.MAX_REPORTS),
    Case("docs/operation.md", "After # minutes without success the import ends", sender.GIVE_UP_SECONDS / 60),
    # rollups
    Case("docs/architecture.md", "When # errors (`ROLL_FROM`) wait", projection.ROLL_FROM),
    Case("docs/architecture.md", "a day and # minutes (`GRACE`)", rollups.GRACE.seconds / 60),
    Case("docs/architecture.md", "after # rolls (`MERGE_AFTER`)", rollups.MERGE_AFTER),
    # health
    Case("docs/operation.md", "the oldest report has waited for more than # s", readiness.STUCK_SECONDS),
    Case("docs/operation.md", "when that write fails or takes more than # s", readiness.PROBE_SECONDS),
    Case("docs/operation.md", "readers of the log that have not followed it for # s", service.BEHIND_SECONDS),
    Case("docs/api.md", "readers of the log that have not followed it for # s", service.BEHIND_SECONDS),
    Case("docs/architecture.md", "append what is queued (# s at most, `DRAIN_SECONDS`)", service.DRAIN_SECONDS),
    # memory
    Case("docs/architecture.md", "`MAX_ONCE` # that were seen once", known_fingerprints.MAX_ONCE),
    Case("docs/architecture.md", "`MAX_AGAIN` # others", known_fingerprints.MAX_AGAIN),
    Case("docs/architecture.md", "`MAX_OLD_PATTERNS` #, the newest", state.MAX_OLD_PATTERNS),
    Case("docs/architecture.md", "| families | `MAX_FAMILIES` #", patterns.MAX_FAMILIES),
    Case("docs/architecture.md", "`max_series` and # with a folded type", series.MAX_FOLDED_SERIES),
    Case("docs/architecture.md", "`MAX_ROUTES` #", error_series.MAX_ROUTES),
    Case("docs/architecture.md", "`MAX_BYTES` # MiB (`hardware_reports.py`)", hardware_reports.MAX_BYTES / MIB),
    Case("docs/architecture.md", "`MAX_TEXT` # MiB (`hardware_metrics.py`)", hardware_metrics.MAX_TEXT / MIB),
    Case("docs/architecture.md", "| patterns with alerts | `MAX_FIRING` #", alerts.MAX_FIRING),
    Case("docs/architecture.md", "`MAX_WORKERS` # workers of them", alerts.MAX_WORKERS),
    Case("docs/architecture.md", "| # workers and 2,000 patterns of 3 episodes", tally.MAX_WORKERS),
    Case("docs/architecture.md", "10,000 workers and # patterns of 3 episodes", tally.MAX_PATTERNS),
    Case("docs/architecture.md", "2,000 patterns of # episodes", watch.MAX_EPISODES),
    Case("docs/architecture.md", "; # workers and 500 patterns in each", watch.RECENT_WORKERS),
    Case("docs/architecture.md", "1,000 workers and # patterns in each", watch.RECENT_PATTERNS),
    Case("docs/architecture.md", "in each of # minutes", 2 * watch.MINUTES),
    Case("docs/architecture.md", "minutes; # minutes", 2 * watch.MAX_MINUTES),
    Case("docs/verdict.md", "a critical error happened in the last # minutes",
         situation.CRITICAL_SECONDS / 60),
    Case("docs/verdict.md", "happened less than # minutes ago (`CRITICAL_SECONDS`)", situation.CRITICAL_SECONDS / 60),
    Case("docs/verdict.md", "less than # minutes ago (`RECOVERY_SECONDS`)", situation.RECOVERY_SECONDS / 60),
    Case("docs/verdict.md", "until # minutes pass without one", situation.RECOVERY_SECONDS / 60),
    Case("docs/verdict.md", "the last # minutes (`WINDOW_SECONDS`)", situation.WINDOW_SECONDS / 60),
    Case("docs/verdict.md", "at least # warnings (`SURGE_FROM`)", situation.SURGE_FROM),
    Case("docs/verdict.md", "and # times (`SURGE_TIMES`)", situation.SURGE_TIMES),
    Case("docs/verdict.md", "# (`SURGE_LEAST`)", situation.SURGE_LEAST),
    Case("docs/verdict.md", "for # minutes (`SILENT_SECONDS`)", situation.SILENT_SECONDS / 60),
    Case("docs/verdict.md", "# hours at most (`SILENT_FOR_SECONDS`)", situation.SILENT_FOR_SECONDS / 3_600),
    Case("docs/verdict.md", "for # minutes (`QUIET_SECONDS`)", situation.QUIET_SECONDS / 60),
    Case("docs/verdict.md", "# reports an hour (`QUIET_USUAL`)", situation.QUIET_USUAL),
    Case("docs/verdict.md", "needs # errors (`COMPARE_FROM`)", situation.COMPARE_FROM),
    Case("docs/verdict.md", "A report that is # minutes old when it arrives (`LATE_SECONDS`)", situation.LATE_SECONDS / 60),
    Case("docs/api.md", "less than # minutes ago (`CRITICAL_SECONDS`)", situation.CRITICAL_SECONDS / 60),
    Case("docs/api.md", "no report for # minutes (`SILENT_SECONDS`)", situation.SILENT_SECONDS / 60),
    Case("docs/api.md", "# hours at most (`SILENT_FOR_SECONDS`)", situation.SILENT_FOR_SECONDS / 3_600),
    Case("docs/api.md", "less than # minutes ago (`WINDOW_SECONDS`)", situation.WINDOW_SECONDS / 60),
    Case("docs/api.md", "less than # minutes ago (`RECOVERY_SECONDS`)", situation.RECOVERY_SECONDS / 60),
    Case("docs/api.md", "the newest first, # at most of each", read_states.MAX_SILENCES),
    Case("docs/api.md", "newest # entries of the audit trail", read_states.LOOKED_AT),
    Case("docs/architecture.md", "`MAX_SILENCES` #, of", read_states.MAX_SILENCES),
    Case("docs/architecture.md", "of notes `MAX_TEXT` # characters", states.MAX_TEXT),
    Case("docs/states.md", "A note is a text of # characters", states.MAX_TEXT),
    Case("docs/states.md", "the newest # notes (`MAX_NOTES`)", states.MAX_NOTES),
    Case("docs/architecture.md", "newest `LOOKED_AT` # entries", read_states.LOOKED_AT),
    Case("docs/api.md", "the newest # `measurements`", read_worker.MEASUREMENTS),
    Case("docs/api.md", "Of each field the # most frequent", read_facets.VALUES),
    Case("docs/api.md", "with `facet` and `contains` #", read_facets.VALUES_OF_ONE),
    Case("docs/verdict.md", "For # minutes the sentence says", situation.LATE_NOTE_SECONDS / 60),
    Case("docs/verdict.md", "the facts of # hours", situation.MEMORY_SECONDS / 3_600),
    Case("docs/verdict.md", "of up to # earlier days", judge.DAYS),
    Case("docs/verdict.md", "it is read every # minutes", judge.USUAL_SECONDS / 60),
    Case("docs/verdict.md", "and every # s:", judge.REPEAT_SECONDS),
    Case("docs/alerting.md", "At most # patterns have alerts", alerts.MAX_FIRING),
    Case("docs/alerting.md", "at 2, 4, 8 … #", alerts.SPREAD[-1]),
    Case("docs/alerting.md", "on # workers or more", alerts.MANY_WORKERS),
    Case("docs/alerting.md", "within # s of its beginning", alerts.TOGETHER_SECONDS),
    Case("docs/architecture.md", "`MAX_MISSED_BYTES` # MiB", hub.MAX_MISSED_BYTES / MIB),
    Case("docs/architecture.md", "`max_websocket_clients`, # |", SETTINGS.max_websocket_clients),
    Case("docs/architecture.md", "`max_connections`, #, fewer", SETTINGS.max_connections),
    Case("docs/architecture.md", "`MAX_HEADER_BYTES`, # KiB", connections.MAX_HEADER_BYTES // 2**10),
    Case("docs/architecture.md", "for more than `PATIENCE` # s", arriving.PATIENCE),
    Case("docs/architecture.md", "`max_waiting_reads`, # of each", SETTINGS.max_waiting_reads),
    Case("docs/architecture.md", "`MAX_SCRAPES` # (`reads.py`)", reads.MAX_SCRAPES),
    Case("docs/architecture.md", "`MAX_EXPORTS` # at one time", export.MAX_EXPORTS),
    Case("docs/api.md", "At most # exports run at one time", export.MAX_EXPORTS),
    Case("docs/api.md", "if the client takes no byte for # s", taken.STALLED_SECONDS),
    Case("docs/architecture.md", "`STALLED_SECONDS`, # s (`http/taken.py`)", taken.STALLED_SECONDS),
    Case("docs/architecture.md", "`AT_ONCE` # (`assignments.py`)", assignments.AT_ONCE),
    Case("docs/architecture.md", "`MAX_SPILL_BYTES`, # GiB", database.MAX_SPILL_BYTES / 2**30),
    Case("docs/architecture.md", "`db_memory_limit`, # MiB", SETTINGS.db_memory_limit / MIB),
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
    Case("docs/metrics.md", "`category` up to #", series.MAX_CATEGORY_LABELS),
    Case("docs/metrics.md", "and `hardware_type` up to # values", series.MAX_HARDWARE_LABELS),
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
