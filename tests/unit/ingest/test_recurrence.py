"""Whether an error recurs by the service's own count of its pattern."""

import datetime as dt

import pytest

from exporter.ingest.recurrence import MAX_PATTERNS, Recurrences
from exporter.ingest.severity import Thresholds

pytestmark = pytest.mark.severity
T0 = dt.datetime(2026, 3, 15, 12, tzinfo=dt.UTC)


def after(*minutes: float, thresholds: Thresholds | None = None) -> list[bool]:
    counted = Recurrences(thresholds or Thresholds(), {})
    return [counted.recurs("p", T0 + dt.timedelta(minutes=m)) for m in minutes]


def test_more_than_two_in_an_hour_recur() -> None:
    assert after(0, 10, 20) == [False, False, True]
    assert after(0, 10, 59.9) == [False, False, True]
    assert after(0, 10, 60.1) == [False, False, False]


def test_more_than_five_in_six_hours_recur() -> None:
    assert after(0, 70, 140, 210, 280, 350) == [False] * 5 + [True]
    assert after(0, 73, 146, 219, 292, 365) == [False] * 6


def test_patterns_are_counted_apart() -> None:
    counted = Recurrences(Thresholds(), {})
    assert not any(counted.recurs(str(n % 5), T0) for n in range(10))


def test_thresholds_are_settings() -> None:
    assert after(0, 1, thresholds=Thresholds(recurring_per_hour=1)) == [False, True]
    assert after(0, 70, thresholds=Thresholds(recurring_per_6_hours=1)) == [False, True]
    assert after(0, 1, 2, 3, thresholds=Thresholds(recurring_per_hour=60, recurring_per_6_hours=60)) == [False] * 4


def test_a_backlog_in_order_of_time_does_not_recur_by_its_arrival() -> None:
    assert after(0, 100, 200, 300) == [False] * 4


def test_the_past_counts_in_any_order() -> None:
    past = {"p": [T0 - dt.timedelta(minutes=5), T0 - dt.timedelta(minutes=9)]}
    assert Recurrences(Thresholds(), past).recurs("p", T0)
    past = {"p": [T0 - dt.timedelta(minutes=5), T0 - dt.timedelta(hours=7), *[T0 - dt.timedelta(hours=9)] * 64]}
    counted = Recurrences(Thresholds(), past)
    assert [counted.recurs("p", T0) for _ in range(2)] == [False, True]


def test_what_was_not_stored_does_not_count() -> None:
    counted = Recurrences(Thresholds(), {})
    counted.recurs("p", T0)
    counted.recurs("p", T0)
    counted.forget("p", T0)
    counted.forget("p", T0 + dt.timedelta(seconds=1))  # never counted
    counted.forget("q", T0)
    assert not counted.recurs("p", T0)


def test_memory_is_bounded_and_the_pattern_that_was_silent_for_longest_goes() -> None:
    counted = Recurrences(Thresholds(recurring_per_hour=1), {})
    for n in range(MAX_PATTERNS):
        counted.recurs(str(n), T0)
    counted.recurs("0", T0)
    counted.recurs("new", T0)
    assert len(counted._times) == MAX_PATTERNS
    assert counted.recurs("0", T0)
    assert not counted.recurs("1", T0)  # it was evicted
    for _ in range(100):
        counted.recurs("0", T0)
    assert len(counted._times["0"]) <= 5


def test_of_many_patterns_of_the_past_the_last_are_kept() -> None:
    thresholds = Thresholds(recurring_per_hour=1)
    counted = Recurrences(thresholds, {str(number): [T0] for number in range(MAX_PATTERNS + 2)})
    assert [counted.recurs(one, T0) for one in (str(MAX_PATTERNS + 1), "2", "1", "0")] == [True, True, False, False]
