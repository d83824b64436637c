"""A scrape formats its snapshot in another thread, while the event loop counts errors of new workers, types, categories
and hardware. No step of the formatting fails, and nothing of the snapshot changes."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from events import event
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from exporter.events.event import SEVERITIES, ErrorEvent
from exporter.metrics.error_metrics import ErrorMetrics
from exporter.metrics.error_snapshot import ErrorSnapshot
from exporter.metrics.zero_phase import Scraper
from exporter.store.series import LabelLimits

pytestmark = pytest.mark.dashboard
SCRAPER = Scraper("", "127.0.0.1", 40_000, "Prometheus", True)
HARDWARE = (
    '{"system_context": {"metrics": {"cpu": {"percent": 50}},'
    ' "gpu_metrics": {"devices": [{"index": 0, "temperature": 70}]}},'
    ' "hardware_context": {"hardware_type": "cuda", "hardware_status": {"throttling": true}}}'
)


class Growing:
    """Metrics of errors; `grow` counts an error that makes new series of every kind, and a known one's repeat."""

    def __init__(self, errors: int) -> None:
        self.metrics = ErrorMetrics(LabelLimits(10**6, 10**6, 10**6), longest_scrape_interval=60)
        self._numbers = itertools.count(1)
        for _ in range(errors):
            self.grow()

    def grow(self) -> None:
        number = next(self._numbers)
        repeat = max(1, number // 2)
        self.metrics.on_events([self._event(number, number), self._event(number, repeat)])

    def snapshot(self, now: float = 0.0) -> ErrorSnapshot:
        return self.metrics.snapshot(SCRAPER, now)

    def _event(self, id_: int, name: int) -> ErrorEvent:
        return event(
            id_, worker_id=f"w{name}", type=f"T{name}", category=f"C{name}", hardware_type=f"H{name}",
            severity=SEVERITIES[name % 3], fingerprint=f"{name:016x}", is_recurring=True, body=HARDWARE,
        )  # fmt: skip


def samples(families: Sequence[Metric]) -> dict[str, list[Any]]:
    return {family.name: list(family.samples) for family in families}


def test_errors_between_two_steps_of_a_scrape_do_not_reach_it() -> None:
    growing = Growing(20)
    snapshot = growing.snapshot()
    before = samples(list(snapshot.collect()))
    assert len(before["distributed_testing_errors"]) == 20
    assert len(before["distributed_testing_worker_status"]) == 20
    assert len(before["distributed_testing_worker_gpu_temperature_celsius"]) == 20
    during = []
    for family in snapshot.collect():
        during.append(family)
        growing.grow()
    assert samples(during) == before
    assert samples(list(snapshot.collect())) == before
    assert len(samples(list(growing.snapshot().collect()))["distributed_testing_errors"]) > len(
        before["distributed_testing_errors"]
    )


def test_errors_while_a_family_is_formatted_do_not_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sample that is added to a family is followed by errors which make new series."""
    growing = Growing(20)
    snapshot = growing.snapshot()
    before = samples(list(snapshot.collect()))
    grown = 0

    def then_grow(add_metric: Callable[..., None]) -> Callable[..., None]:
        def added(*values: Any, **named: Any) -> None:
            nonlocal grown
            add_metric(*values, **named)
            growing.grow()
            grown += 1

        return added

    for family in (CounterMetricFamily, GaugeMetricFamily):
        monkeypatch.setattr(family, "add_metric", then_grow(family.add_metric))
    during = samples(list(snapshot.collect()))
    monkeypatch.undo()
    assert grown > 10 * 20
    assert during == before
    assert samples(list(snapshot.collect())) == before


def test_the_end_of_a_zero_phase_does_not_reach_an_earlier_snapshot() -> None:
    growing = Growing(3)
    first = growing.snapshot(0.0)
    before = samples(list(first.collect()))
    for now in (1.0, 2.0):
        growing.snapshot(now)
    released = samples(list(growing.snapshot(3.0).collect()))
    assert {sample.value for sample in before["distributed_testing_hardware_errors"]} == {0}
    assert all(sample.value > 0 for sample in released["distributed_testing_hardware_errors"])
    assert samples(list(first.collect())) == before
