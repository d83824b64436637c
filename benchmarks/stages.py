"""What each step of ingest costs, in microseconds of CPU time a report, without HTTP and without the disk.

    python benchmarks/stages.py [--rounds 5]

Each step runs alone for the reports of the demo, on what the steps before it made. Prints the median of the rounds.
"""

import argparse
import datetime as dt
import gc
import statistics
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

from bodies import encoded, sample

from exporter.events.event import encode_batch
from exporter.http.responses import success
from exporter.ingest.ingest import _outcome_if_known
from exporter.ingest.measurements import measure
from exporter.ingest.parse import parse_report, split_reports
from exporter.ingest.past import Past
from exporter.ingest.pipeline import Batch, Pipeline, Submission
from exporter.ingest.recurrence import Recurrences
from exporter.ingest.report_times import ReportTimes
from exporter.ingest.severity import Classifier, Thresholds, conditions
from exporter.metrics.error_metrics import ErrorMetrics
from exporter.patterns.fingerprint import fingerprint
from exporter.store.series import LabelLimits

REPORTS: Final = 20_000
BATCH: Final = 100
APPEND: Final = 1_000  # reports in one append
Step = tuple[str, Callable[[], Any]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    times: dict[str, list[float]] = {}
    gc.disable()  # the service has few collections; here they would go through all reports that are kept
    for _ in range(given.rounds):
        for name, step in steps():
            began = time.process_time()
            step()
            times.setdefault(name, []).append(1e6 * (time.process_time() - began) / REPORTS)
    print("| Step | µs a report |\n|---|--:|")
    for name, values in times.items():
        print(f"| {name} | {statistics.median(values):.2f} |")
    return 0


def steps() -> Iterator[Step]:
    """Yields the steps in their order; each is to be run before the next is asked for."""
    now, reports = dt.datetime.now(dt.UTC), sample(REPORTS)
    bodies = encoded(reports)
    batches = encoded(reports, BATCH)
    yield "split the array of a batch", lambda: [split_reports(batch, ndjson=False) for batch in batches]
    parsed: list[Any] = []
    yield "parse a report, check its nesting", lambda: parsed.extend([parse_report(body)[0] for body in bodies])
    times = ReportTimes(None)
    yield "decide its time", lambda: [times.of(one.timestamp, one.worker_id, now) for one in parsed]
    found: list[Any] = []
    yield (
        "fingerprint it",
        lambda: found.extend([fingerprint(one.type, one.message, one.traceback) for one in parsed]),
    )
    recurrences = Recurrences(Thresholds(), {})
    yield "count its recurrence", lambda: [recurrences.recurs(one.fingerprint, now) for one in found]
    measured: list[Any] = []
    yield "read its measurements", lambda: measured.extend([measure(one.system_context)[0] for one in parsed])
    seen: list[Any] = []
    yield (
        "find its conditions and category",
        lambda: seen.extend([conditions(one, recurring=True, thresholds=Thresholds()) for one in parsed]),
    )
    classifier = Classifier(Thresholds())
    yield "classify it", lambda: [classifier.classify(*both) for both in zip(seen, measured, strict=True)]
    pipeline, batch = Pipeline(Past(), thresholds=Thresholds(), zone=None), Batch()
    yield "all of these (without the array)", lambda: _prepare(pipeline, batch, bodies, now)
    for id_, event in enumerate(batch.events, 1):
        event.id = id_
    payloads: list[bytes] = []
    parts = [batch.events[start : start + APPEND] for start in range(0, REPORTS, APPEND)]
    yield "encode it for the log", lambda: payloads.extend([encode_batch(part) for part in parts])
    yield "checksum", lambda: [zlib.crc32(payload) for payload in payloads]
    metrics = ErrorMetrics(LabelLimits(1_000, 200, 10_000), longest_scrape_interval=60.0)
    yield "count it for /metrics", lambda: [metrics.on_events(part) for part in parts]
    yield (
        "answer",
        lambda: [success(_outcome_if_known(event, None), "Error reported successfully") for event in batch.events],
    )


def _prepare(pipeline: Pipeline, batch: Batch, bodies: list[bytes], now: dt.datetime) -> None:
    for body in bodies:
        pipeline.prepare(Submission(body, now, None), batch)


if __name__ == "__main__":
    sys.exit(main())
