"""`benchmarks/reads.py --check` names every result that misses its bar, and no other."""

import importlib
import sys
from types import ModuleType
from typing import Any

import pytest
from conftest import ROOT

pytestmark = pytest.mark.dashboard

FEW, MANY = 1_000_000, 10_000_000
GOOD = {"memory": 400.0, "disk": 130.0, "ready": 1.5, "ready_killed": 2.0}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    for name in ("fill", "serving", "read_results"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("read_results")


def results(bench: ModuleType, cold: float = 50.0, **numbers: float) -> Any:
    times = {"list": bench.Times(first=cold, cold=cold, p10=cold, p90=cold, unchanged=1)}
    return bench.Results(times=times, parallel={}, **(GOOD | numbers))


def test_nothing_is_missed(bench: ModuleType) -> None:
    found = {FEW: results(bench), MANY: results(bench, cold=100.0)}
    assert list(bench.misses(found, {"list": 100})) == []


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"cold": 101.0}, "10,000,000 errors: list, ms: 101, the bar is 100"),
        ({"memory": 501.0}, "memory, MB: 501"),
        ({"disk": 151.0}, "disk, bytes an error: 151"),
        ({"ready": 2.1}, "ready after a clean stop, s: 2.1"),
        ({"ready_killed": 4.1}, "ready after SIGKILL, s: 4.1"),
    ],
)
def test_a_bar_is_missed(bench: ModuleType, numbers: dict[str, float], words: str) -> None:
    (missed,) = bench.misses({MANY: results(bench, **numbers)}, {"list": 100})
    assert words in missed


def test_a_result_that_grows_too_much_is_named(bench: ModuleType) -> None:
    found = {FEW: results(bench, cold=40.0), MANY: results(bench, cold=90.0)}
    assert list(bench.misses(found, {"list": 100})) == ["list, ms: 90 is 2.25 times as much, the bar is 2"]


def test_short_reads_may_grow_and_the_log_is_much_of_a_small_disk(bench: ModuleType) -> None:
    found = {FEW: results(bench, cold=5.0, disk=180.0), MANY: results(bench, cold=20.0)}
    assert list(bench.misses(found, {"list": 100})) == []
