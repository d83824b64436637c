"""Errors at random, as the verdict sees them: bursts, pauses as long as its limits, late and imported ones."""

import datetime as dt
import random

from events import event

from exporter.events.event import ErrorEvent

START = dt.datetime(2026, 11, 26, 1, 7, 3, 250_000, tzinfo=dt.UTC)
PAUSES = (0.0, 0.0, 0.5, 5.0, 59.0, 299.0, 600.0, 1_200.0, 1_799.0, 1_800.0, 1_801.0, 4_000.0)
AGES = (-200.0, 0.0, 0.0, 0.0, 0.0, 1.0, 45.0, 600.0, 1_200.0, 1_799.999, 1_800.0, 7_200.0, 5e7)


def random_errors(seed: int, count: int = 120) -> tuple[list[ErrorEvent], dt.datetime]:
    """Returns events in the order of the log, and the time of the last receipt."""
    rng = random.Random(seed)
    now, events = START, []
    known: set[str] = set()
    pauses = rng.choices(PAUSES, k=4)
    for number in range(1, count + 1):
        now += dt.timedelta(seconds=rng.choice(pauses) if rng.random() < 0.2 else 0.25)
        pattern = f"{rng.randrange(5)}" * 16
        events.append(
            event(
                number, timestamp=now - dt.timedelta(seconds=rng.choice(AGES)), received_at=now,
                worker_id=f"w{int(12 * rng.random() ** 2)}", fingerprint=pattern, pattern=f"template {pattern[0]}",
                severity=rng.choice(["critical", "warning", "warning", "info"]), imported=rng.random() < 0.05,
                hardware_type=rng.choice([None, "cuda", "cuda", "rocm"]), run=rng.choice([None, "nightly-7", "nightly-7", "r"]), is_new_fingerprint=pattern not in known,
                is_new_pattern=pattern not in known,
            )
        )  # fmt: skip
        known.add(pattern)
    return events, now
