"""Situations of a fleet of 1,000 workers as cases of promtool. Errors go into the real `ErrorMetrics`, and each
simulated scrape of its real exposition becomes a sample of the case.

    -20 h ................. 0 ............................ end     `Error.at`, seconds of the situation
     history of each worker │ scrapes, every 15 s
              0 ..........  6 h                                    time of promtool
              usual rate    │ series of the service

The six hours before the scrapes have only the recorded rate, because ErrorSurge compares with what was usual before.

promtool takes samples and evaluates at the same moments, and evaluates all groups at one interval; in Prometheus a
scrape and an evaluation are some seconds apart. On one core, promtool 2.42 takes 0.14 s for one evaluation of `RULES`
over the 6,300 series of 1,000 workers: a hundredth of the 15 s between two evaluations.

Left out: the series that no rule of `RULES` reads, such as those of CPU and disk, and those of the service itself but
for the ones in `_of_the_service`.
"""

import datetime as dt
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from conftest import ROOT
from dashboards.promtool import promtool
from events import event

from exporter.ingest.past import Past
from exporter.metrics.error_metrics import ErrorMetrics
from exporter.metrics.exposition import exposition
from exporter.metrics.zero_phase import Scraper
from exporter.store import Counted, State
from exporter.store.series import LabelLimits

STEP: Final = 15  # seconds between two scrapes, as in prometheus/prometheus.yml
EVALUATION: Final = 60  # seconds between two evaluations; with 15, half an hour of this fleet takes 17 s instead of 5 s
MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 24 * HOUR
SPARSE: Final = 2 * MINUTE  # between samples and evaluations over many days; a window of 5 minutes needs two samples
BEGIN: Final = 1_800_000_000.0  # time 0 of the situation; the metrics take times near 1970 for "never"
LEAD: Final = 6 * HOUR
TARGET: Final = 'job="error-visualization",instance="exporter:8080"'
USUAL_RATE: Final = 0.04  # errors a second before the situation, about that of `usual`
PROMETHEUS: Final = Scraper("", "10.0.0.1", 40_001, "Prometheus", True)
# The rules of dashboards.yml make no alerts, and no alert reads them. promtool cannot evaluate them for this fleet: its
# queries may load 10,000 samples, those of Prometheus 50 million.
RULES: Final = sorted(set((ROOT / "prometheus/rules").glob("*.yml")) - {ROOT / "prometheus/rules/dashboards.yml"})
GPUS: Final = 8
OUT_OF_MEMORY: Final = ("OutOfMemory", "RESOURCE_EXHAUSTED", "critical")
PEER_LOST: Final = ("PeerLost", "NETWORK_TIMEOUT", "warning")


class Error(NamedTuple):
    """An error that a worker reports, `at` so many seconds after the beginning of the situation."""

    at: float
    worker: str
    type: str = "TestFailure"
    category: str = "TEST_FAILED"
    severity: str = "info"
    body: str = "{}"


def hardware(hottest: float = 70.0) -> str:
    """The report of a machine with eight GPUs, the last of which is the hottest."""
    devices = [
        {"index": n, "temperature": 60.0 + n if n < GPUS - 1 else hottest, "memory_utilization": 50.0 + n}
        for n in range(GPUS)
    ]
    return json.dumps({"system_context": {"gpu_metrics": {"devices": devices}}})


def history(workers: int = 1_000) -> Iterator[Error]:
    """Each worker had two errors in the last day. Every 16th one reported its hardware in the last hour."""
    for n in range(workers):
        at, name = -20 * HOUR + n * 18 * HOUR / workers, f"worker-{n}"
        yield Error(at, name, *(OUT_OF_MEMORY, PEER_LOST)[n % 2])
        yield Error(at + 10, name)
        if n % 16 == 0:
            yield Error(-HOUR + 3 * n, name, body=hardware())


def usual(minutes: float, workers: int = 1_000) -> Iterator[Error]:
    """Two errors a minute, each on another worker of the second half. Of 1,000 workers every second one is of the
    network, of a smaller fleet fewer."""
    for n in range(int(2 * minutes)):
        name = f"worker-{workers - 1 - 37 * n % (workers // 2)}"
        if n % (2_000 // workers) == 1:
            yield Error(30.0 * n + 4, name, *PEER_LOST)
        else:
            yield Error(30.0 * n + 4, name, body=hardware() if n % 4 == 0 else "{}")


class Recording:
    """A service with a clock of its own, and the samples that a Prometheus took of it."""

    def __init__(self, errors: Iterable[Error], lead: int = LEAD) -> None:
        """Before the first scrape there are `lead` seconds of usual errors."""
        self.lead = lead
        self._errors = sorted(errors)
        self._sent = 0
        self._now = BEGIN
        self.steps = 0  # scrapes so far
        self._text = ""
        self._shown: dict[str, str] = {}
        self._changes: dict[str, list[tuple[int, str]]] = {}
        self._counted: dict[tuple[str, str, str, str], Counted] = {}
        self._names = names_that_rules_read()
        self._metrics = self._empty()
        self._received = 0  # since the start of the process
        for at in range(-4 * STEP, 0, STEP):  # so that no series of the history is held at 0 any more
            self._scrape(at)

    def scrape_until(self, end: float, *, is_up: bool = True) -> None:
        """Scrapes at each step before `end` seconds. If the service is not up, the scrapes fail."""
        while self.steps * STEP < end:
            self._note(self._scrape(self.steps * STEP) if is_up else {f"up{{{TARGET}}}": "0"})
            self.steps += 1

    def restart(self) -> None:
        """Starts the service again, with the counts that its database knows. It receives what was sent meanwhile."""
        self._now = BEGIN + self.steps * STEP
        self._metrics = self._empty()
        self._metrics.resume(State(self._sent, Past(), list(self._counted.values()), {}, {}, None))
        self._received = 0
        self._started = self._now - BEGIN

    def _empty(self) -> ErrorMetrics:
        self._started = -DAY
        return ErrorMetrics(
            LabelLimits(idle=DAY),
            longest_scrape_interval=60.0,
            clock=lambda: self._now,
            ticks=lambda: self._now - BEGIN + 2 * DAY,
        )

    def _scrape(self, at: float) -> dict[str, str]:
        while self._sent < len(self._errors) and self._errors[self._sent].at <= at:
            self._report(self._errors[self._sent])
        self._now = BEGIN + at
        snapshot = self._metrics.snapshot(PROMETHEUS)
        blocks, _ = exposition(snapshot.families(), "", lambda: None)
        text = b"".join(blocks).decode()
        if text != self._text:
            self._text = text
            self._answer = dict(self._samples(text))
        return self._answer | self._of_the_service()

    def _report(self, one: Error) -> None:
        self._sent += 1
        self._received += 1
        self._now = BEGIN + one.at
        key = (one.worker, one.type, one.category, one.severity)
        known = self._counted.get(key) or Counted(*key, None, 0, self._now, self._now)
        self._counted[key] = known._replace(errors=known.errors + 1, last_seen=self._now)
        moment = dt.datetime.fromtimestamp(self._now, dt.UTC)
        fields: dict[str, Any] = one._asdict()
        fields["worker_id"] = fields.pop("worker")
        del fields["at"]
        self._metrics.on_events([event(self._sent, timestamp=moment, received_at=moment, **fields)])

    def _samples(self, text: str) -> Iterator[tuple[str, str]]:
        """The series that rules read, with their values. Times are those of promtool, whose clock begins at 0."""
        for line in text.splitlines():
            series, _, value = line.rpartition(" ")
            name, brace, labels = series.partition("{")
            if name in self._names:
                if name.endswith("_timestamp_seconds"):
                    value = f"{float(value) - BEGIN + self.lead:.0f}"
                yield f"{name}{{{labels[:-1] + ',' if brace else ''}{TARGET}}}", value.removesuffix(".0")

    def _of_the_service(self) -> dict[str, str]:
        """The series of `ServiceMetrics` that rules about errors, hardware and restarts read."""
        received = f'distributed_testing_reports_received_total{{protocol="json",{TARGET}}}'
        values = {
            f"up{{{TARGET}}}": 1,
            f"process_start_time_seconds{{{TARGET}}}": self._started + self.lead,
            f'distributed_testing_threshold{{threshold="warning_gpu_celsius",{TARGET}}}': 85,
            f"distributed_testing_database_up{{{TARGET}}}": 1,
            f'distributed_testing_machines{{status="silent",{TARGET}}}': 0,
            received: self._received,
        }
        return {series: f"{value:.0f}" for series, value in values.items()}

    def _note(self, shown: dict[str, str]) -> None:
        for series in self._shown.keys() - shown.keys():
            self._changes[series].append((self.steps, "stale"))
        for series, value in shown.items():
            if self._shown.get(series) != value:
                self._changes.setdefault(series, []).append((self.steps, value))
        self._shown = shown

    def case(self) -> "Case":
        series = {series: self._notation(changes) for series, changes in self._changes.items()}
        if before := self.lead // STEP:
            series[f"up{{{TARGET}}}"] = f"1x{before - 1} {series[f'up{{{TARGET}}}'].removeprefix(f'_x{before} ')}"
            series['job:distributed_testing_errors:rate5m{job="error-visualization"}'] = f"{USUAL_RATE}x{before - 1}"
        return Case(series, STEP, EVALUATION, self.lead, self.lead + (self.steps - 1) * STEP)

    def values(self, name: str) -> dict[str, list[int]]:
        """The counts of all series of a counter, at each scrape."""
        found = {series: changes for series, changes in self._changes.items() if series.startswith(name + "{")}
        return {
            series: [int(max(one for one in changes if one[0] <= step)[1]) for step in range(self.steps)]
            for series, changes in found.items()
        }

    def _notation(self, changes: Sequence[tuple[int, str]]) -> str:
        """`changes` are the numbers of the scrapes at which a series had a new value or ended."""
        parts = [f"_x{before}"] if (before := self.lead // STEP + changes[0][0]) else []
        ends = [step for step, _ in changes[1:]] + [self.steps]
        for (step, value), end in zip(changes, ends, strict=True):
            more = end - step - 1
            if value == "stale":
                parts += ["stale"] + [f"_x{more}"] * bool(more)
            else:
                parts.append(f"{value}x{more}" if more else value)
        return " ".join(parts)


def names_that_rules_read() -> set[str]:
    return set(re.findall(r"\bdistributed_testing_\w+", "".join(file.read_text("utf-8") for file in RULES)))


class Case(NamedTuple):
    """Series in the notation of promtool, with a sample each `step` seconds, and the rules, evaluated `every` so many
    seconds. The situation is between the seconds `begin` and `end`."""

    series: dict[str, str]
    step: int
    every: int
    begin: int
    end: int
    rules: Sequence[Path] = RULES


def nights(run: Recording, times: Sequence[int], at: int) -> Case:
    """Days with a run that begins `at` seconds after midnight, with so many times the errors of the recorded one. Only
    the counters and the rules that ErrorSurge reads, as each evaluation of all rules takes promtool 5 ms even without
    any series."""
    of_errors = [rule for rule in RULES if rule.stem in ("recording", "errors")]
    series = {f"up{{{TARGET}}}": "1x9999"}
    begins = range(at // SPARSE, len(times) * DAY // SPARSE, DAY // SPARSE)
    for name, all_values in run.values("distributed_testing_errors_by_severity_total").items():
        values = all_values[:: SPARSE // STEP]
        count, steps, parts = values[0], 0, []
        for begin, factor in zip(begins, times, strict=True):
            parts.append(f"{count}x{begin - steps - 1}")
            parts += [str(count + factor * (value - values[0])) for value in values]
            count, steps = count + factor * (values[-1] - values[0]), begin + len(values)
        series[name] = " ".join([*parts, f"{count}x{HOUR // SPARSE}"])
    return Case(series, SPARSE, SPARSE, 0, (begins[-1] + len(values)) * SPARSE, of_errors)


def check(folder: Path, case: Case, *, firing: Mapping[float, Mapping[str, int]], ever: Mapping[str, int]) -> None:
    """Evaluates the rules over the case. `firing` has the number of alerts by name that fire at some minutes of the
    situation, `ever` of those that fire at any time of it; there are no others, but for the Watchdog."""
    always = {"Watchdog": 1} if any(rule.stem == "meta" for rule in case.rules) else {}
    expressions = [
        ('count by (alertname) (ALERTS{alertstate="firing"})', case.begin + minute * MINUTE, alerts)
        for minute, alerts in firing.items()
    ]
    expressions.append(
        (f'count by (alertname) (max_over_time(ALERTS{{alertstate="firing"}}[{case.end}s]))', case.end, ever)
    )
    others = {f'up{{job="{job}",instance="{job}:9090"}}': "1x9999" for job in ("prometheus", "alertmanager")}
    test = {
        "interval": f"{case.step}s",
        "input_series": [{"series": series, "values": values} for series, values in (case.series | others).items()],
        "promql_expr_test": [
            {
                "expr": expression,
                "eval_time": f"{at:.0f}s",
                "exp_samples": [
                    {"labels": f'{{alertname="{name}"}}', "value": number}
                    for name, number in (always | dict(alerts)).items()
                ],
            }
            for expression, at, alerts in expressions
        ],
    }
    file = folder / "case.yml"
    rules = [str(rule) for rule in case.rules]
    file.write_text(json.dumps({"rule_files": rules, "evaluation_interval": f"{case.every}s", "tests": [test]}))
    promtool("test", "rules", file)
