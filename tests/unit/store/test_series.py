"""The series that errors are counted in, and counts that are added up in them."""

import datetime as dt
import itertools
import random

import pytest

from exporter.ingest.past import Past
from exporter.metrics.error_metrics import ErrorMetrics
from exporter.metrics.zero_phase import Scraper
from exporter.store import Counted, State
from exporter.store.series import MAX_TYPE_SERIES, LabelLimits, Totals

pytestmark = pytest.mark.dashboard
NOW = dt.datetime.now(dt.UTC).timestamp()
LIMITS = LabelLimits(workers=5, types=4, series=12)
SCRAPER = Scraper("", "a", 0, "", True)


def counts(seed: int, count: int) -> list[Counted]:
    """Returns counts of different keys in a random order."""
    rng = random.Random(seed)
    everything = list(itertools.product(
        [f"w{n}" for n in range(20)] + ["other"], [f"T{n}" for n in range(8)], "ABCD", ["critical", "info"],
        [None, "cuda", "rocm"],
    ))  # fmt: skip
    return [
        Counted(*key, number, NOW + number, NOW + 2 * number)
        for number, key in enumerate(rng.sample(everything, count), 1)
    ]


def exposed(given: list[Counted], folded: dict[str, int]) -> list[object]:
    """Returns the samples of metrics that begin with these counts."""
    metrics = ErrorMetrics(LIMITS, longest_scrape_interval=0)
    metrics.resume(State(1, Past({}, [], None), given, {}, {}, None, folded))
    return [
        (sample.name, sample.labels, sample.value)
        for family in metrics.snapshot(SCRAPER, 0.0).collect()
        for sample in family.samples
        if sample.name != "distributed_testing_errors_by_severity_created"  # the time of the start
    ]


@pytest.mark.parametrize("seed", range(10))
def test_metrics_that_begin_with_totals_are_those_that_begin_with_each_count(seed: int) -> None:
    given = counts(seed, 400)
    totals = Totals(LIMITS)
    for one in given:
        totals.add(one)
    assert len(totals.counts) < len(given)
    assert exposed(list(totals.counts.values()), totals.folded) == exposed(given, {})
    assert sum(count.errors for count in totals.counts.values()) == sum(one.errors for one in given)


def test_totals_are_bounded_however_many_keys_there_are() -> None:
    limits = LabelLimits(workers=50, types=10, series=100)
    totals = Totals(limits)
    for number in range(100_000):
        labels = (f"w{number}", f"T{number % 3_000}", f"C{number % 999}", "info", f"h{number % 70}")
        totals.add(Counted(*labels, 1, NOW, NOW))
    assert len({(one.worker_id, one.type, one.category) for one in totals.counts.values()}) <= 100 + MAX_TYPE_SERIES + 1
    assert len(totals.counts) <= (100 + MAX_TYPE_SERIES + 1) * 51
