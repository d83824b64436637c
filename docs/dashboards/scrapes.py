"""Plays the story to the real metrics of the service, and writes what a Prometheus would have scraped from them, as
OpenMetrics text with timestamps for `promtool tsdb create-blocks-from openmetrics`."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

import story
from service import Service, rejected
from story import BEGIN, END, HOUR, Error

from exporter.events.event import ErrorEvent
from exporter.metrics.error_metrics import ErrorMetrics
from exporter.metrics.exposition import exposition
from exporter.metrics.service_metrics import ServiceMetrics
from exporter.metrics.zero_phase import Scraper
from exporter.store.series import LabelLimits

ROOT: Final = Path(__file__).parents[2]
TARGET: Final = 'job="error-visualization",instance="exporter:8080"'
STEP: Final = 15  # seconds between two scrapes, as in prometheus/prometheus.yml
SPARSE: Final = 60  # before the time that the pictures show: the windows of the rules are at least a minute
SHOWN: Final = 8 * HOUR  # before END; what is drawn, and the windows of what is drawn
OFFSET: Final = 7  # a scrape and an evaluation of the rules are some seconds apart
PROMETHEUS: Final = Scraper("", "10.0.0.1", 40_001, "Prometheus", True)
# What would differ between two runs: these read the process that draws.
OWN: Final = re.compile(r"process_|python_|distributed_testing_(build_info|config_)")
OTHERS: Final = (
    'up{job="prometheus",instance="prometheus:9090"}',
    'up{job="alertmanager",instance="alertmanager:9093"}',
)


class Played:
    """The metrics of a service whose clock is the story's."""

    def __init__(self) -> None:
        self._now = float(BEGIN)
        self._errors = story.errors()
        self._sent = 0
        self._beat = -story.HOURS * HOUR
        self._metrics = ErrorMetrics(
            LabelLimits(), longest_scrape_interval=60.0, clock=lambda: self._now, ticks=lambda: self._now - BEGIN
        )
        self._counts = ServiceMetrics(self._metrics)
        self._service = Service()

    def scrape(self, at: float) -> str:
        """Returns the text of /metrics `at` so many seconds before END, which is then negative."""
        before = self._sent
        while self._beat <= at:
            for place, worker in enumerate(story.WORKERS):
                self._now = END + self._beat + place
                self._metrics.on_heartbeat(worker, story.heartbeat(worker, self._beat))
            self._beat += story.HEARTBEAT
        while self._sent < len(self._errors) and self._errors[self._sent].at <= at:
            self._report(self._errors[self._sent])
        self._now = END + at
        for reason, count in rejected(at):
            self._counts.rejected.labels(reason).inc(count)
        families = [*self._metrics.snapshot(PROMETHEUS).families(), *self._counts.registry.collect()]
        blocks, _ = exposition(families, "", lambda: None)
        return b"".join(blocks).decode() + self._service.text(at, self._sent - before)

    def _report(self, one: Error) -> None:
        self._sent += 1
        self._now = END + one.at
        moment = dt.datetime.fromtimestamp(self._now, dt.UTC)
        flaky = one.type in ("AssertionError", "TimeoutError", "OSError", "OutOfMemoryError")
        self._metrics.on_events([ErrorEvent(
            self._sent, f"e{self._sent}", moment, moment, one.worker, one.type, one.category, "", one.severity, (),
            one.type, "", flaky, False, one.hardware, one.hardware is not None, pattern_id=f"{one.type} {one.worker}",
        )])  # fmt: skip
        seconds = self._service.seconds(self._sent)
        (self._counts.received_json if self._sent % 3 else self._counts.received_batch).inc()
        self._counts.ingest_seconds.observe(seconds * 1.6 + 0.001)
        self._counts.appended(1 + self._sent % 3 % 2, seconds)


def moments() -> Iterator[float]:
    at = -story.HOURS * HOUR
    while at < 0:
        yield at + OFFSET
        at += SPARSE if at < -SHOWN else STEP


def names_that_are_read() -> set[str]:
    files = [*(ROOT / "prometheus/rules").glob("*.yml"), *(ROOT / "grafana/dashboards").glob("*.json")]
    text = "".join(file.read_text("utf-8") for file in files)
    return set(re.findall(r"\b(?:distributed_testing|process|scrape)_\w+|\bup\b", text))


def write(out: TextIO) -> None:
    names, played = names_that_are_read(), Played()
    for at in moments():
        moment, lines = END + at, []
        for line in played.scrape(at).splitlines():
            name = re.match(r"\w*", line)[0]  # type: ignore[index]
            if name in names and not (OWN.match(name) and "job=" not in line):
                series, _, value = line.rpartition(" ")
                if "job=" not in series:
                    series = f"{series[:-1]},{TARGET}}}" if series.endswith("}") else f"{series}{{{TARGET}}}"
                lines.append(f"{series} {value} {moment:.0f}\n")
        lines += [f"{series} 1 {moment:.0f}\n" for series in OTHERS]
        out.writelines(lines)
    out.write("# EOF\n")
