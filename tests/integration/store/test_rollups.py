"""Rollups: at every moment each number of a read is what a count over the errors gives, and each level of each rollup
holds what its definition says."""

import datetime as dt
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from counted import LEVELS, floor
from events import event
from exact import assert_answers, assert_stored
from projected import Projected

from exporter.events.event import ErrorEvent
from exporter.store import rollups

pytestmark = pytest.mark.dashboard
START = dt.datetime(2026, 11, 25, 22, 40, tzinfo=dt.UTC)
ASSIGNED = {"1" * 16: "one", "2" * 16: "one", "3" * 16: "3" * 16, "7" * 16: "3" * 16}  # the current pattern ids
HOURS = (1, 24, 168, 720)
CATEGORIES = ("C", "RESOURCE_EXHAUSTED", "NETWORK_TIMEOUT", "WORKER_CRASHED", "TEST_FAILURE", "HARDWARE_FAILURE")
CONDITIONS = (None, None, "overheating", "memory_pressure,throttling", "overheating,memory_pressure,throttling")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Projected]:
    store = Projected(tmp_path / "errors.duckdb")
    yield store
    store.close()


class Fleet:
    """Sends errors at random, at a time of its own."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = START
        self.sent: list[ErrorEvent] = []
        self._known: set[str] = set()

    def wait(self) -> None:
        """Lets some time pass: seconds, minutes, up to exactly the end of an hour or a day, hours, or days."""
        rng = self.rng
        steps = [
            dt.timedelta(seconds=rng.uniform(0, 90)), dt.timedelta(minutes=rng.uniform(1, 30)),
            floor(self.now, LEVELS["hour"]) + LEVELS["hour"] - self.now,
            floor(self.now, LEVELS["day"]) + LEVELS["day"] - self.now,
            dt.timedelta(hours=rng.uniform(1, 8)), dt.timedelta(days=rng.uniform(1, 3)),
        ]  # fmt: skip
        self.now += rng.choice(steps)

    def errors(self, count: int) -> list[ErrorEvent]:
        errors = [self._error() for _ in range(count)]
        self.sent += errors
        return errors

    def _error(self) -> ErrorEvent:
        rng = self.rng
        fingerprint = str(rng.choice([1, 2, 3, 4, 5, 6, 7, 8])) * 16
        new = fingerprint not in self._known
        self._known.add(fingerprint)
        sensors: dict[str, Any] = {
            name: rng.choice([None, rng.randrange(400) / 4])  # quarters: their sum does not depend on the order
            for name in ("cpu_percent", "memory_percent", "disk_percent", "gpu_celsius")
        }
        return event(
            len(self.sent) + 1, timestamp=self._time(), received_at=self.now,
            worker_id=f"w{int(130 * rng.random() ** 3)}", type=rng.choice(["T", "Ä", "ValueError"]),
            category=rng.choice(CATEGORIES), severity=rng.choice(["critical", "warning", "info"]),
            fingerprint=fingerprint, pattern=f"template {fingerprint}", is_new_pattern=new, is_new_fingerprint=new,
            hardware_type=rng.choice([None, "cuda", "cpu", "rocm"]), hardware_error=rng.random() < 0.3,
            is_recurring=rng.random() < 0.4, imported=rng.random() < 0.1, conditions=rng.choice(CONDITIONS), **sensors,
        )  # fmt: skip

    def _time(self) -> dt.datetime:
        """A time just now, long ago or a little ahead; often at the border of a span or of a time range, or next to
        it."""
        rng = self.rng
        ago = rng.choice([
            dt.timedelta(seconds=rng.uniform(-300, 60)), dt.timedelta(minutes=rng.uniform(0, 200)),
            dt.timedelta(hours=rng.uniform(0, 60)), dt.timedelta(days=rng.uniform(0, 45)),
            dt.timedelta(hours=rng.choice(HOURS)),
        ])  # fmt: skip
        time = self.now - ago
        if rng.random() < 0.4:
            time = floor(time, rng.choice(list(LEVELS.values())))
        return time + rng.choice([0, 0, 0, -1, 1]) * dt.timedelta(microseconds=1)


@pytest.mark.parametrize("seed", range(3))
def test_every_number_is_that_of_the_errors(store: Projected, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Errors come late, after their hour and day are sealed, and the clock jumps 400 days ahead and back."""
    monkeypatch.setattr(rollups, "ROLL_AT_ONCE", 17)
    monkeypatch.setattr(rollups, "MERGE_AFTER", 3)
    fleet = Fleet(seed)
    rng = fleet.rng
    for fingerprint, pattern_id in ASSIGNED.items():
        store.database.db.execute(
            "INSERT INTO assignments VALUES (?, 'S', ?, ?)", [fingerprint, pattern_id, pattern_id]
        )
    jumps = {10: dt.timedelta(days=400), 14: dt.timedelta(days=-400)}
    for turn in range(20):
        fleet.now += jumps.get(turn, dt.timedelta())
        fleet.wait()
        store.append(fleet.errors(rng.randrange(1, 40)))
        store.catch_up()
        store.roll_up(rng.choice([1, 10, 30]))
        assert_stored(store, fleet.sent)
        if turn in (4, 8, 13, 19):
            now = rng.choice([fleet.now, floor(fleet.now, LEVELS["hour"]), floor(fleet.now, LEVELS["day"])])
            assert_answers(store, fleet.sent, now, ASSIGNED, rng.sample(FILTERS, 2))


FILTERS: Any = (
    ({}, {}),
    ({"severity": ("critical",), "worker": ("w0", "w1", "none")}, {
        "severity": lambda one: one.severity == "critical", "worker": lambda one: one.worker_id in ("w0", "w1"),
    }),
    ({"category": ("network_timeout",), "type": ("Ä",), "hardware": ("cuda", "cpu")}, {
        "category": lambda one: one.category == "NETWORK_TIMEOUT", "type": lambda one: one.type == "Ä",
        "hardware": lambda one: one.hardware_type in ("cuda", "cpu"),
    }),
    ({"group": ("hardware", "test"), "pattern": "one"}, {
        "group": lambda one: one.hardware_error or one.category.startswith("TEST_"),
        "pattern": lambda one: ASSIGNED.get(one.fingerprint) == "one",
    }),
    ({"fingerprint": "2" * 16, "group": ("recurring",)}, {
        "fingerprint": lambda one: one.fingerprint == "2" * 16, "group": lambda one: one.is_recurring,
    }),
)  # fmt: skip
