"""A thread that formats a scrape pauses after each span of work, and only then."""

from types import SimpleNamespace

import pytest

from exporter.metrics import pace as module
from exporter.metrics.pace import PAUSE_SECONDS, WORK_SECONDS, Pace

pytestmark = pytest.mark.dashboard


def test_a_pause_after_each_span_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    now, pauses = 0.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        pauses.append(now)
        assert seconds == PAUSE_SECONDS
        now += seconds

    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now, sleep=sleep))
    pace = Pace()
    for _ in range(10):
        now += WORK_SECONDS / 3.5
        pace()
    first = 4 * WORK_SECONDS / 3.5
    assert pauses == pytest.approx([first, 2 * first + PAUSE_SECONDS])
