"""The exposition is byte for byte what `prometheus_client` writes of the same families, in each format, whatever the label
values are and however errors, scrapes and restarts follow each other."""

import datetime as dt
import itertools
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pytest
from events import event
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from exporter.events.event import SEVERITIES, ErrorEvent
from exporter.ingest.past import Past
from exporter.metrics import counters, gauges
from exporter.metrics.counters import CounterFamily
from exporter.metrics.error_metrics import ErrorMetrics
from exporter.metrics.error_snapshot import ErrorSnapshot
from exporter.metrics.exposition import OPENMETRICS, Family, exposition, published
from exporter.metrics.gauges import GaugeFamily
from exporter.metrics.text import BLOCK, number, numbers, unit_of
from exporter.metrics.zero_phase import Scraper
from exporter.store import Counted, State
from exporter.store.series import LabelLimits, Series, SeriesLabels, Totals

pytestmark = pytest.mark.dashboard
ACCEPTS = (
    "",
    "text/plain; version=0.0.4",
    "text/plain; version=1.0.0; escaping=allow-utf-8",
    "text/plain; version=1.0.0; escaping=dots",
    "application/openmetrics-text",
    "application/openmetrics-text; version=1.0.0; escaping=values,text/plain;q=0.5",
    "application/openmetrics-text; version=1.0.0; escaping=underscores",
    "application/openmetrics-text; version=2.0.0; escaping=allow-utf-8",
)
NASTY = (
    "plain", "", " ", 'a"b', "a\\b", "a\nb", '\\n"\\', "\\\\", '"\n', "\1", "a\r\nb", "a\tb\0c",
    "%s %d %", "{}{0}", '",worker="x', "# EOF", "é", "日本語", "🔥", "\u202e", "\u2028", "a" * 256,
)  # fmt: skip
SCRAPERS = (
    Scraper("", "10.0.0.1", 40_001, "Prometheus", True),
    Scraper("", "10.0.0.2", 40_002, "Prometheus", True),
    Scraper("", "10.0.0.9", 0, "curl", False),
)
BODIES = (
    "{}",
    '{"system_context": {"metrics": {"cpu": {"percent": 12.5, "frequency_mhz": 3200}}}}',
    '{"system_context": {"metrics": {"memory": {"used_percent": 1e-7, "total_gb": 64, "available_gb": 0.1}}}}',
    '{"system_context": {"gpu_metrics": {"devices": [{"index": 3, "temperature": -5}, {"memory_utilization": 7}]}}}',
    '{"hardware_context": {"hardware_status": {"throttling": true, "overheating": false}}}',
)
LIMITS = LabelLimits(workers=6, types=5, series=40)


@pytest.fixture(params=[1, 3, BLOCK])
def _blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of so many series."""
    for module in (counters, gauges):
        monkeypatch.setattr(module, "BLOCK", request.param)


class All(Collector):
    """A registry with these families, as they are published in the format."""

    def __init__(self, families: Iterable[Metric | Family], content_type: str, *, created: bool = True) -> None:
        self._families = [family if isinstance(family, Metric) else family.family() for family in families]
        self._created = created and content_type.startswith(OPENMETRICS)

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            yield published(family, created=self._created)


def text(snapshot: ErrorSnapshot, accept: str = "", *, created: bool = True) -> bytes:
    return b"".join(exposition(snapshot.families(), accept, lambda: None, created=created)[0])


def compare(snapshot: ErrorSnapshot, accepts: Sequence[str] = ACCEPTS) -> None:
    for accept in accepts:
        encode, content_type = choose_encoder(accept)
        assert exposition([], accept, lambda: None)[1] == content_type
        assert text(snapshot, accept) == encode(All(snapshot.families(), content_type)), accept


def shown_of(exposed: str, name: str) -> list[Sample]:
    families = text_string_to_metric_families(exposed)
    return [one for family in families for one in family.samples if one.name == f"distributed_testing_{name}"]


class Told:
    """Errors at random, and what a plain count of them is. A restart goes on with the counts, as the database has them;
    series with folded labels begin at 0 again."""

    def __init__(self, *, seed: int, longest_scrape_interval: float) -> None:
        self._random = random.Random(seed)
        self._interval = longest_scrape_interval
        self._numbers = itertools.count(1)
        self._series = Series(LIMITS)
        self._counted: list[Counted] = []
        self.errors: Counter[SeriesLabels] = Counter()
        self.metrics = self._empty()
        self.now = 0.0

    def step(self) -> ErrorSnapshot | None:
        """Returns a snapshot if the step is a scrape."""
        chance = self._random.random()
        if chance < 0.02:
            self._restart()
        elif chance < 0.04:
            self.metrics.reset(dt.datetime.now(dt.UTC))
        elif chance < 0.6:
            self.metrics.on_events([self._event() for _ in range(self._random.randint(1, 5))])
        else:
            self.now += self._random.choice((0.01, 1, 15, 60))
            return self.metrics.snapshot(self._random.choice(SCRAPERS), self.now)
        return None

    def _event(self) -> ErrorEvent:
        choose = self._random.choice
        one = event(
            next(self._numbers), worker_id=choose(NASTY), type=choose(NASTY), category=choose(NASTY),
            hardware_type=choose((None, *NASTY)), severity=choose(SEVERITIES), body=choose(BODIES),
            fingerprint=choose("abc") * 16, pattern_id=choose("abc"), is_recurring=choose((True, False)),
            imported=self._random.random() < 0.1,
        )  # fmt: skip
        if not one.imported:
            labels, _ = self._series.fold(one.worker_id, one.type, one.category)
            self.errors[labels] += 1
            moment = one.timestamp.timestamp()
            key = (one.worker_id, one.type, one.category, one.severity, one.hardware_type)
            self._counted.append(Counted(*key, 1, moment, moment))
        return one

    def _restart(self) -> None:
        totals = Totals(LIMITS)
        self._series = Series(LIMITS)
        self.errors.clear()
        for one in self._counted:
            totals.add(one)
        for one in totals.counts.values():
            labels, folded = self._series.fold(one.worker_id, one.type, one.category)
            assert not folded
            self.errors[labels] += one.errors
        self.metrics = self._empty()
        state = State(0, Past(), list(totals.counts.values()), {}, {}, None)
        state.others = list(totals.others.values())
        state.resting, state.types = totals.resting.by_hash, totals.types.by_hash
        self.metrics.resume(state)

    def _empty(self) -> ErrorMetrics:
        return ErrorMetrics(LIMITS, longest_scrape_interval=self._interval, created=True)


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("longest_scrape_interval", [0, 60])
def test_after_any_errors_and_scrapes_the_text_is_that_of_prometheus_client(longest_scrape_interval: float) -> None:
    formats = itertools.cycle(ACCEPTS)
    told = Told(seed=1, longest_scrape_interval=longest_scrape_interval)
    scrapes, zeros = 0, 0
    for _ in range(120):
        snapshot = told.step()
        if snapshot is None:
            continue
        scrapes += 1
        compare(snapshot, [next(formats)])
        exposed = text(snapshot).decode()
        categories = [sample.labels["category"] for sample in shown_of(exposed, "recurring_patterns")]
        assert categories == list(dict.fromkeys(labels.category for labels in told.errors))
        shown = {SeriesLabels(**sample.labels): sample.value for sample in shown_of(exposed, "errors_total")}
        assert shown.keys() == told.errors.keys()
        zeros += sum(not value for value in shown.values())
        assert {labels: value for labels, value in shown.items() if value or not longest_scrape_interval} == {
            labels: told.errors[labels] for labels, value in shown.items() if value or not longest_scrape_interval
        }
    assert scrapes > 30
    compare(told.metrics.snapshot(SCRAPERS[0], told.now))
    assert len(told.errors) > 40  # some are folded
    assert bool(zeros) == bool(longest_scrape_interval)


@pytest.mark.usefixtures("_blocks")
def test_many_series_in_blocks() -> None:
    metrics = ErrorMetrics(LabelLimits(10**6, 10**6, 10**6), longest_scrape_interval=0)
    for count in (0, 1, 2, 3, 4, 7, BLOCK + 1):
        for id_ in range(metrics.position + 1, count + 1):
            metrics.on_events([event(id_, worker_id=f"w{id_}", type=f"T{id_ % 7}", body=BODIES[id_ % len(BODIES)])])
        snapshot = metrics.snapshot(SCRAPERS[0], 0.0)
        assert len(shown_of(text(snapshot).decode(), "errors_total")) == count
        compare(snapshot)


def test_errors_after_a_snapshot_do_not_reach_its_text() -> None:
    metrics = ErrorMetrics(LIMITS, longest_scrape_interval=0)
    metrics.on_events([event(1, worker_id="a")])
    snapshot = metrics.snapshot(SCRAPERS[0], 0.0)
    before = text(snapshot, ACCEPTS[4])
    blocks, _ = exposition(snapshot.families(), ACCEPTS[4], lambda: metrics.on_events([event(2, worker_id="b")]))
    assert b"".join(blocks) == before


def test_large_counts_have_exponents_and_exemplars() -> None:
    family = CounterFamily("errors", "Errors", ("worker",), created=True)
    for value in (0, 1, 999_999, 1_000_000, 1_234_567, 10**9, 2**53 + 1):
        for error_id in (0, 5, 2**62):
            place = family.add_row((f"w{value}-{error_id}",), 1.5e9 + value).place
            family.values[place], family.error_ids[place] = value, error_id
    gauge = GaugeFamily("g", "G", "worker")
    for place, value in enumerate((0, -1, 0.1, 1e-7, 1e6, 1.5e9, 1e22, -0.0, float("inf"), float("nan"), True)):
        gauge.add((f"w{place}",), value)
    for accept in ACCEPTS:
        blocks, content_type = exposition([family.snapshot(), gauge], accept, lambda: None, created=True)
        every = All([family.snapshot(), gauge], content_type)
        assert b"".join(blocks) == choose_encoder(accept)[0](every)


def test_numbers_are_written_as_go_does() -> None:
    chosen = random.Random(1)
    values = [0, 1, 999_999, 1_000_000, 10**15, 2**64, -1, True, 0.0, -0.0, 999_999.5, 1e6, 1e-9, 1e16, 1e300]
    values += [chosen.uniform(-1, 1) * 10 ** chosen.randint(-20, 20) for _ in range(1_000)]
    values += [chosen.randrange(10 ** chosen.randint(1, 17)) for _ in range(1_000)]
    for value in values:
        assert number(value) == floatToGoString(value), value
    floats = [float(value) for value in [*values, "nan", "inf", "-inf", 9_999_999_999_999_998, 0.0001, 0.00009999]]
    assert numbers(floats) == [floatToGoString(value) for value in floats]
    assert numbers([]) == []


def test_families_of_prometheus_client_are_between_ours() -> None:
    registry = CollectorRegistry()
    Histogram("h", 'With "quotes"\n', registry=registry).observe(1)
    gauge = GaugeFamily("g", "G", "worker")
    gauge.add(("w",), 1)
    for accept in ACCEPTS:
        families = [*registry.collect(), gauge, *registry.collect()]
        blocks, content_type = exposition(families, accept, lambda: None, created=True)
        assert b"".join(blocks) == choose_encoder(accept)[0](All(families, content_type))


def test_times_of_creation_are_only_where_they_are_wanted() -> None:
    registry = CollectorRegistry()
    Histogram("h", "H", registry=registry).observe(1)
    for created in (False, True):
        metrics = ErrorMetrics(LIMITS, longest_scrape_interval=0, created=created)
        metrics.on_events([event(1, hardware_type="cuda")])
        for accept in ACCEPTS:
            families = [*metrics.snapshot(SCRAPERS[0], 0.0).families(), *registry.collect()]
            blocks, content_type = exposition(families, accept, lambda: None, created=created)
            found = b"".join(blocks).decode().count("_created")
            assert found == (1 + 3 + 1 + 1 if created and content_type.startswith(OPENMETRICS) else 0), accept


def test_openmetrics_names_the_units() -> None:
    metrics = ErrorMetrics(LIMITS, longest_scrape_interval=0)
    metrics.on_events([event(1, body=BODIES[3])])
    exposed = text(metrics.snapshot(SCRAPERS[0], 0.0), ACCEPTS[4]).decode()
    for name, unit in (
        ("worker_gpu_temperature_celsius", "celsius"),
        ("worker_last_seen_timestamp_seconds", "seconds"),
        ("worker_cpu_utilization_ratio", "ratio"),
        ("last_critical_error_timestamp_seconds", "seconds"),
    ):
        assert f"# UNIT distributed_testing_{name} {unit}\n" in exposed
    assert "# UNIT distributed_testing_errors" not in exposed
    for family in openmetrics_families(exposed):
        assert family.unit == (unit_of(family.name) or None) or family.unit == unit_of(family.name)


def test_there_is_a_pause_after_each_block_and_each_report_of_hardware() -> None:
    metrics = ErrorMetrics(LabelLimits(), longest_scrape_interval=0)
    many = 4 * BLOCK
    metrics.on_events([event(n, worker_id=f"w{n % 100}", type=f"T{n // 100}", body=BODIES[1]) for n in range(many)])
    pauses = 0

    def pause() -> None:
        nonlocal pauses
        pauses += 1

    families = list(metrics.snapshot(SCRAPERS[0], 0.0).families(pause))
    assert pauses == 100
    blocks = list(exposition(families, ACCEPTS[4], pause)[0])
    assert pauses == 100 + len(blocks)
    assert max(map(len, blocks)) < 400 * BLOCK
