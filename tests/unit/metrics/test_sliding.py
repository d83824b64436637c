"""Counts over a sliding window."""

import pytest

from exporter.metrics.sliding import MOST_SPANS, SlidingCount

pytestmark = pytest.mark.dashboard


def test_a_sliding_count() -> None:
    counted = SlidingCount(60, {100: 2})
    counted.add(130.7, 130.7)
    for _ in range(3):
        counted.add(130.9, 131.0)
    counted.add(90.0, 150.0)  # too old when it comes
    assert counted.value(159.9) == 6
    assert counted.value(160) == 4
    assert counted.value(190) == 0
    assert counted.value(140, since=130.0) == 4
    assert counted.value(120) == 6  # also what is ahead
    assert counted.value(120, until=120) == 2
    assert counted.value(130.5, until=130.5) == 6
    for second in range(1000, 2000):
        counted.add(second, second)
    assert counted.value(1999) == 60
    assert len(counted._seconds) <= 121


def test_without_a_scrape_and_whatever_the_clock_does_the_seconds_are_bounded() -> None:
    counted = SlidingCount(60)
    for second in range(10_000):
        counted.add(second, second)
        assert len(counted._seconds) <= MOST_SPANS * 60
    assert counted.value(9_999) == 60
    for second in range(9_000, 0, -1):  # the clock is set back again and again
        counted.add(second, second)
        assert len(counted._seconds) <= MOST_SPANS * 60
    assert counted.value(1, until=60) == 60
