"""Counts over a sliding window."""

import pytest

from exporter.metrics.sliding import SlidingCount

pytestmark = pytest.mark.dashboard


def test_a_sliding_count() -> None:
    counted = SlidingCount(60, {100: 2})
    counted.add(130.7)
    counted.add(130.9, 3)
    assert counted.value(159.9) == 6
    assert counted.value(160) == 4
    assert counted.value(190) == 0
    assert counted.value(140, since=130.0) == 4
    assert counted.value(120) == 6  # also what is ahead
    assert counted.value(120, until=120) == 2
    assert counted.value(130.5, until=130.5) == 6
    for second in range(1000, 2000):
        counted.add(second)
    assert counted.value(1999) == 60
    assert len(counted._seconds) <= 121
