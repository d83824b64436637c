"""The clock of deletions by age: a jump ahead counts only after a day."""

import datetime as dt

import pytest

from exporter.store.trusted_time import DOUBT, TrustedTime

pytestmark = pytest.mark.dashboard
START = dt.datetime(2026, 3, 15, 12)
HOUR = dt.timedelta(hours=1)


class Machine:
    """`ahead` is by how much the wall clock is wrong, `passed` the time since the start."""

    def __init__(self) -> None:
        self.ahead = self.passed = dt.timedelta()
        self.trusted = TrustedTime(lambda: START + self.passed + self.ahead, lambda: 50 + self.passed.total_seconds())

    def after(self, passed: dt.timedelta) -> dt.timedelta:
        """Lets time pass, and returns the error of the trusted time."""
        self.passed += passed
        return self.trusted.now() - START - self.passed


def test_without_jumps_it_is_the_wall_clock() -> None:
    machine = Machine()
    for minutes in (0, 1, 5_000, 100_000):
        machine.ahead += dt.timedelta(minutes=5)  # it is set, or drifts
        assert machine.after(dt.timedelta(minutes=minutes)) == machine.ahead


@pytest.mark.parametrize("jump", [HOUR * 2, dt.timedelta(days=400)])
def test_a_jump_ahead_counts_after_a_day(jump: dt.timedelta) -> None:
    machine = Machine()
    machine.ahead = jump
    for _ in range(23):
        assert machine.after(HOUR) == dt.timedelta()
    machine.after(DOUBT)
    assert machine.after(HOUR) == jump  # it was asleep, or the clock was wrong before
    machine.ahead = dt.timedelta()
    assert machine.after(HOUR) == dt.timedelta()  # back at once: that deletes nothing


def test_a_jump_ahead_and_back_never_counts() -> None:
    machine = Machine()
    for _ in range(3):
        machine.ahead = dt.timedelta(days=400)
        assert machine.after(20 * HOUR) == dt.timedelta()
        machine.ahead = dt.timedelta()
        assert machine.after(20 * HOUR) == dt.timedelta()
