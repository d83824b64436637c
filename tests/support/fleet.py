"""A fleet that sends errors at random, many of them at the borders of spans and time ranges, or late."""

import datetime as dt
import random
from typing import Any

from counted import BUCKETS, LEVELS, floor
from events import event

from exporter.events.event import ErrorEvent

START = dt.datetime(2026, 11, 25, 22, 40, tzinfo=dt.UTC)
CATEGORIES = ("C", "RESOURCE_EXHAUSTED", "NETWORK_TIMEOUT", "WORKER_CRASHED", "TEST_FAILURE", "HARDWARE_FAILURE")
DEVICES = ("GPU-1", "GPU-2", "gpu 0015", "w3 nic 0")
CONDITIONS = (None, None, "overheating", "memory_pressure,throttling", "overheating,memory_pressure,throttling")


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
        for _ in range(count):
            self.sent.append(self._error())
        return self.sent[-count:]

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
            message=f"{rng.choice('abc')} {rng.randrange(20)}", traceback=rng.choice([None, "Frame 1"]),
            hardware_type=rng.choice([None, "cuda", "cpu", "rocm"]), hardware_error=rng.random() < 0.3,
            is_recurring=rng.random() < 0.4, imported=rng.random() < 0.1, conditions=rng.choice(CONDITIONS), **sensors,
            run=rng.choice([None, "r1", "r2", f"r{rng.randrange(40)}"]), job=rng.choice([None, "nightly", "smoke"]),
            suite=rng.choice([None, "unit"]), branch=rng.choice([None, "main", "side"]), commit=rng.choice([None, "c0"]),
            user=rng.choice([None, "ada", "bob"]), test=rng.choice([None, f"t::{rng.randrange(30)}"]),
            devices=tuple(sorted(rng.sample(DEVICES, rng.choice([0, 0, 1, 2])))),
        )  # fmt: skip

    def _time(self) -> dt.datetime:
        """A time just now, long ago or a little ahead; often at the border of a span or of a time range, or next to
        it."""
        rng = self.rng
        ago = rng.choice([
            dt.timedelta(seconds=rng.uniform(-300, 60)), dt.timedelta(minutes=rng.uniform(0, 200)),
            dt.timedelta(hours=rng.uniform(0, 60)), dt.timedelta(days=rng.uniform(0, 45)),
            dt.timedelta(hours=rng.choice(list(BUCKETS))),
        ])  # fmt: skip
        time = self.now - ago
        if rng.random() < 0.4:
            time = floor(time, rng.choice(list(LEVELS.values())))
        return time + rng.choice([0, 0, 0, -1, 1]) * dt.timedelta(microseconds=1)
