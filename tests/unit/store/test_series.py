"""The series that errors are counted in, and counts that are added up in them."""

import datetime as dt
import itertools
import random
from collections import Counter

import pytest

from exporter.ingest.past import Past
from exporter.metrics.error_metrics import ErrorMetrics
from exporter.metrics.zero_phase import Scraper
from exporter.store import Counted, State
from exporter.store.series import OTHER, LabelLimits, Series, Totals, hash_of

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
        Counted(*key, number, NOW - number, NOW - number / 2)
        for number, key in enumerate(rng.sample(everything, count), 1)
    ]


@pytest.mark.parametrize("seed", range(10))
def test_metrics_begin_with_what_the_totals_have_of_each_key(seed: int) -> None:
    given = counts(seed, 400)
    totals = Totals(LIMITS)
    for one in given:
        totals.add(one)
    metrics = ErrorMetrics(LIMITS, longest_scrape_interval=0)
    state = State(1, Past(), list(totals.counts.values()), {}, {}, None)
    state.others, state.resting, state.types = list(totals.others.values()), totals.resting.by_hash, {}
    metrics.resume(state)
    shown = {
        (sample.labels["worker"], sample.labels["type"], sample.labels["category"]): sample.value
        for family in metrics.snapshot(SCRAPER, 0.0).collect()
        for sample in family.samples
        if sample.name == "distributed_testing_errors_total"
    }
    by_key: Counter[tuple[str, str, str]] = Counter()
    for one in given:
        by_key[one[:3]] += one.errors
    assert shown
    assert OTHER not in {label for labels in shown for label in labels}
    for key, errors in by_key.items():
        assert shown.get(key, 0) + totals.resting.get(hash_of(*key), 0) == errors
    severities: Counter[str] = Counter()
    for one in given:
        severities[one.severity] += one.errors
    for family in metrics.snapshot(SCRAPER, 0.0).collect():
        if family.name == "distributed_testing_errors_by_severity":
            assert {sample.labels["severity"]: sample.value for sample in family.samples} == severities | {"warning": 0}


def test_totals_are_bounded_however_many_keys_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.store.series.MAX_RESTING", 2_000)
    limits = LabelLimits(workers=50, types=10, series=100)
    totals = Totals(limits)
    for number in range(20_000):
        labels = (f"w{number}", f"T{number % 3_000}", f"C{number % 999}", "info", f"h{number % 70}")
        totals.add(Counted(*labels, 1, NOW, NOW))
    assert len(totals.counts) <= 50
    assert len(totals.others) <= 51
    assert 1_800 <= len(totals.resting.by_hash) <= 2_000
    assert 1_800 <= len(totals.types.by_hash) <= 2_000
    assert totals.resting.get(hash_of("w19999", "T1999", "C19"), 0) == 1


def test_the_worker_is_lost_last() -> None:
    series = Series(LabelLimits(workers=3, types=100, series=4))
    for number in range(4):
        assert series.fold("w0", f"T{number}", "C") == (("C", "w0", f"T{number}"), ())
    assert series.fold("w1", "T0", "C") == (("C", "w1", OTHER), ("type",))
    assert series.fold("w2", "T0", "C") == (("C", "w2", OTHER), ("type",))
    assert series.fold("w3", "T0", "C") == (("C", OTHER, OTHER), ("worker", "type"))


def test_beyond_all_limits_each_known_worker_has_one_more_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.store.series.MAX_FOLDED_SERIES", 5)
    series = Series(LabelLimits(workers=20, types=100, series=10))
    found = [series.fold(f"w{n % 40}", f"T{n % 90}", f"C{n % 70}")[0] for n in range(5_000)]
    assert len(set(found)) <= 10 + 5 + 20 + 1
    assert {labels.worker for labels in found} == {f"w{n}" for n in range(20)} | {OTHER}


def test_values_without_series_give_their_places_to_new_ones() -> None:
    series = Series(LabelLimits(workers=1, types=1, series=10))
    labels, _ = series.fold("w0", "T0", "C")
    assert series.fold("w1", "T1", "C") == (("C", OTHER, OTHER), ("worker", "type"))
    assert series.drop(labels) == ["worker", "type"]
    assert series.fold("w1", "T1", "C") == (("C", "w1", "T1"), ())
    assert series.fold("w0", "T1", "C") == (("C", OTHER, "T1"), ("worker",))


def test_a_hash_tells_all_keys_apart_and_is_the_same_in_every_process() -> None:
    assert (
        len({hash_of("a", "b", "c"), hash_of("ab", "", "c"), hash_of("a\0b", "", "c"), hash_of("a", "b\0", "c")}) == 4
    )
    assert hash_of("\ud800", "é") == hash_of("\ud800", "é")
    assert hash_of("w", "T", "C") == 6796250225123254710
