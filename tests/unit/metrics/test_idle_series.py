"""Series that are idle are dropped and come back where they were; what died long ago takes no place from what fails now.
Each number of a worker is that of the database, which here is a plain count."""

import datetime as dt
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from events import event

from exporter.events.event import ErrorEvent
from exporter.ingest.past import Past
from exporter.metrics.error_metrics import ErrorMetrics
from exporter.metrics.error_series import DROP_SECONDS, ROOM_SECONDS
from exporter.metrics.error_snapshot import ErrorSnapshot
from exporter.metrics.workers import HOUR
from exporter.metrics.zero_phase import Scraper
from exporter.store import Counted, State
from exporter.store.series import OTHER, LabelLimits, Totals

pytestmark = pytest.mark.dashboard
BEGIN = 1_800_000_000.0
DAY = 86_400.0
PROMETHEUS = Scraper("", "10.0.0.1", 40_001, "Prometheus", True)
HARDWARE = '{"system_context": {"metrics": {"cpu": {"percent": 50}}}}'
Key = tuple[str, str, str]


class Simulated:
    """A service with a clock of its own, a Prometheus that scrapes it, and what a database would know."""

    def __init__(self, limits: LabelLimits, longest_scrape_interval: float = 60.0) -> None:
        self.now = BEGIN
        self.counted: dict[tuple[str, str, str, str], Counted] = {}
        self.errors: Counter[Key] = Counter()  # category, worker, type
        self.last: dict[str, float] = {}
        self.first_of_type: dict[str, float] = {}
        self.seen: dict[Key, list[float]] = {}  # the values of each series in the last scrapes without a gap
        self.increases: defaultdict[Key, float] = defaultdict(
            float
        )  # that Prometheus sees, over all times without a gap
        self._limits = limits
        self._interval = longest_scrape_interval
        self._id = 0
        self.metrics = self._empty()

    def fail(self, *keys: tuple[str, str], severity: str = "critical", body: str = "{}") -> None:
        """Counts an error of each worker and type."""
        self.metrics.on_events([self._event(worker, type_, severity, body) for worker, type_ in keys])

    def _event(self, worker: str, type_: str, severity: str, body: str) -> ErrorEvent:
        self._id += 1
        moment = dt.datetime.fromtimestamp(self.now, dt.UTC)
        one = event(
            self._id, worker_id=worker, type=type_, severity=severity, timestamp=moment, received_at=moment, body=body
        )
        self.errors["C", worker, type_] += 1
        self.last[worker] = self.now
        self.first_of_type.setdefault(type_, self.now)
        key = (worker, type_, "C", severity)
        known = self.counted.get(key) or Counted(*key, None, 0, self.now, self.now)
        self.counted[key] = known._replace(errors=known.errors + 1, last_seen=self.now)
        return one

    def scrape(self) -> ErrorSnapshot:
        """Compares a scrape with what the database knows, and notes what Prometheus sees."""
        snapshot = self.metrics.snapshot(PROMETHEUS, self.now)
        shown = values(snapshot)
        for key, value in shown.items():
            before = self.seen.get(key)
            assert before is None or value >= before[-1], f"{key} went down"
            self.increases[key] += value - before[-1] if before else 0.0
            assert OTHER in key or value <= self.errors[key]
        self.seen = {key: [*self.seen.get(key, [])[-1:], value] for key, value in shown.items()}
        for worker, _, last, received in snapshot.workers:
            assert last == received == self.last[worker]
            assert worker != OTHER
        return snapshot

    def settle(self) -> dict[Key, float]:
        """Scrapes until nothing is held any more, and returns the values of the series."""
        for _ in range(4):
            self.now += 15
            shown = values(self.scrape())
        assert {key: value for key, value in shown.items() if OTHER not in key and value != self.errors[key]} == {}
        return shown

    def restart(self) -> None:
        idle, totals = self._limits.idle, Totals(self._limits)
        active = Counter({worker: at for worker, at in self.last.items() if self.now - at < idle or not idle})
        known = {worker for worker, _ in active.most_common(self._limits.workers)}
        last: dict[tuple[str, ...], float] = defaultdict(float)
        for one in self.counted.values():
            last[one[:3]] = max(last[one[:3]], one.last_seen)
        for one in self.counted.values():
            is_active = one.worker_id in known and (self.now - last[one[:3]] < idle or not idle)
            totals.add(one, is_active=is_active)
        self.metrics = self._empty()
        state = State(self._id, Past(), list(totals.counts.values()), {}, {}, None)
        state.others, state.types = list(totals.others.values()), totals.types.by_hash
        state.resting = totals.resting.by_hash
        self.metrics.resume(state)
        self.seen = {key: seen for key, seen in self.seen.items() if OTHER not in key}

    def _empty(self) -> ErrorMetrics:
        return ErrorMetrics(
            self._limits,
            longest_scrape_interval=self._interval,
            clock=lambda: self.now,
            ticks=lambda: self.now - BEGIN + DAY,
        )


def values(snapshot: ErrorSnapshot) -> dict[Key, float]:
    errors = snapshot.counters[0]
    return {
        tuple(labels): errors.held.get(place, errors.values[place])  # type: ignore[misc]  # three labels
        for place, labels in enumerate(errors.labels)
    }


def workers_of(shown: Iterable[Sequence[str]]) -> set[str]:
    return {key[1] for key in shown}


def test_an_idle_series_is_dropped_and_comes_back_where_it_was() -> None:
    one = Simulated(LabelLimits(idle=DAY))
    one.fail(("w", "T"), ("w", "T"), ("v", "T"))
    assert one.settle() == {("C", "w", "T"): 2, ("C", "v", "T"): 1}
    one.now += DAY / 2
    one.fail(("v", "T"), ("v", "U"))
    one.settle()
    one.now += DAY / 2
    snapshot = one.scrape()
    assert values(snapshot).keys() == {("C", "v", "T"), ("C", "v", "U")}
    assert [name for name, *_ in snapshot.workers] == ["v"]
    one.fail(("w", "T"))
    for value in (2, 2, 3):  # its floor for two scrapes
        one.now += 15
        assert values(one.scrape())["C", "w", "T"] == value
    assert one.settle()["C", "w", "T"] == 3
    assert one.increases["C", "w", "T"] == 3
    assert dict(one.increases) == dict(one.errors)


def test_a_type_that_comes_back_was_first_seen_when_it_was() -> None:
    one = Simulated(LabelLimits(idle=DAY))
    one.fail(("w", "T"))
    one.settle()
    one.now += 2 * DAY
    assert one.scrape().type_first_seen == {}
    one.fail(("w", "T"), ("w", "New"))
    assert one.scrape().type_first_seen == one.first_of_type
    one.now += 2 * DAY
    one.restart()
    assert one.scrape().type_first_seen == {}
    one.fail(("v", "T"))
    assert one.scrape().type_first_seen == {"T": BEGIN}


def test_a_series_that_is_being_shown_at_its_floor_is_not_dropped() -> None:
    one = Simulated(LabelLimits(idle=DAY))
    one.fail(("w", "T"))
    one.now += DAY - DROP_SECONDS / 2  # Prometheus was away
    assert values(one.scrape()) == {("C", "w", "T"): 0}
    one.now += DROP_SECONDS
    assert one.settle() == {("C", "w", "T"): 1}
    one.now += DROP_SECONDS
    assert values(one.scrape()) == {}


def test_without_a_limit_of_time_nothing_is_dropped() -> None:
    one = Simulated(LabelLimits(workers=2))
    one.fail(("a", "T"), ("b", "T"), ("c", "T"))
    one.settle()
    one.now += 100 * DAY
    one.fail(("d", "T"))
    assert workers_of(one.settle()) == {"a", "b", OTHER}


def test_a_worker_that_fails_now_takes_the_place_of_one_that_was_idle_for_an_hour() -> None:
    one = Simulated(LabelLimits(workers=10, idle=DAY))
    one.fail(*((f"old{n}", "T") for n in range(10)))
    one.settle()
    one.fail(("new", "T"))
    assert workers_of(one.settle()) == {f"old{n}" for n in range(10)} | {OTHER}
    one.now += HOUR - 2 * ROOM_SECONDS
    one.fail(("new", "T"))  # there is no room yet
    one.now += 2 * ROOM_SECONDS
    one.fail(("old9", "T"), ("new", "T"))
    assert workers_of(one.settle()) == {f"old{n}" for n in range(1, 10)} | {OTHER, "new"}
    assert one.seen["C", "new", "T"][-1] == 3, "also what was counted as other"
    assert one.increases["C", "new", "T"] == 1
    assert one.increases["C", OTHER, "T"] == 2


def test_a_series_that_fails_now_takes_the_place_of_one_that_was_idle_for_an_hour() -> None:
    one = Simulated(LabelLimits(series=10, idle=DAY))
    one.fail(*(("w", f"T{n}") for n in range(10)))
    one.settle()
    one.fail(("w", "New"))
    assert ("C", "w", OTHER) in one.settle()
    one.now += 2 * HOUR
    one.fail(("w", "New"), ("w", "T9"))
    assert one.settle()["C", "w", "New"] == 2


def test_a_known_worker_keeps_its_gauges_where_there_is_no_room_for_its_series() -> None:
    """1,000 workers and 20 types: twice as many series as there may be."""
    one = Simulated(LabelLimits(idle=DAY))
    for n in range(20):
        one.fail(*((f"w{worker}", f"T{n}") for worker in range(1_000)), severity="warning")
    one.now += 10
    one.fail(*((f"w{worker}", "T19") for worker in range(1_000)), body=HARDWARE)
    one.settle()
    snapshot = one.scrape()
    assert [(name, status) for name, status, *_ in snapshot.workers] == [(f"w{worker}", 2) for worker in range(1_000)]
    assert snapshot.hardware is not None
    assert [latest.worker for latest in snapshot.hardware] == [f"w{worker}" for worker in range(1_000)]
    by_worker: Counter[str] = Counter()
    for (_, worker, _), value in values(snapshot).items():
        by_worker[worker] += int(value)
    assert by_worker == {f"w{worker}": 21 for worker in range(1_000)}


@pytest.mark.parametrize(("pods", "workers"), [(10_000, 1_000), (3_000, 2_000)])
def test_a_week_of_10_000_pods(pods: int, workers: int) -> None:
    """A pod begins each minute, fails for half an hour, and is gone. Some workers come back each day and a half. In the
    middle of the week the service restarts."""
    limits, chosen = LabelLimits(workers=workers, idle=DAY), random.Random(1)
    one = Simulated(limits)
    for minute in range(pods):
        one.now = BEGIN + minute * 60
        failing = {f"pod-{n}" for n in range(max(0, minute - 30), minute + 1, 15)}
        if minute % 2_160 < 30:
            failing |= {f"host-{n}" for n in range(20)}
        one.fail(*((name, chosen.choice(("T", "U"))) for name in sorted(failing)))
        if minute == pods // 2:
            one.restart()
        if minute % 240 < 4 or minute == pods // 2 + 1:  # a Prometheus that scrapes in four minutes of four hours
            shown = values(one.scrape())
            assert failing <= workers_of(shown), "each that fails now has series of its own"
            assert len(shown) <= 2 * workers + 20
        else:
            one.seen = {}  # a gap
    shown = one.settle()
    known = {name for name, at in one.last.items() if one.now - at < DAY + 2 * DROP_SECONDS}
    assert workers_of(shown) - {OTHER} <= known
    assert len(workers_of(shown) - {OTHER}) > 0.85 * min(workers, len(known))
    assert sum(one.errors.values()) == sum(one.metrics.snapshot(PROMETHEUS, one.now).counters[1].values)
    assert len(one.metrics._series.routes) <= 2 * workers + 20


def test_keys_without_series_look_for_room_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    one, added = Simulated(LabelLimits(types=1, idle=DAY)), 0
    add = one.metrics._series._add

    def counting(*args: Any, **more: Any) -> Any:
        nonlocal added
        added += 1
        return add(*args, **more)

    monkeypatch.setattr(one.metrics._series, "_add", counting)
    for _ in range(10):
        one.fail(("w", "T"), ("w", "U"))
    assert added == 2
    one.now += ROOM_SECONDS
    one.fail(("w", "T"), ("w", "U"))
    assert added == 3


def test_without_scrapes_nothing_of_dropped_series_is_left() -> None:
    service = Simulated(LabelLimits(workers=10, idle=DAY))
    for day in range(20):
        service.fail(*[(f"pod-{day}-{number}", "E") for number in range(10)])
        service.now += DAY
    assert len(service.metrics._zero_phase._unshown) == 10
