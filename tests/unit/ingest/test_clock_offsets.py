"""Workers whose times without an offset are off by whole or half hours."""

import datetime as dt
import logging
import random

import pytest

from exporter.ingest import clock_offsets
from exporter.ingest.clock_offsets import REPORTS, ClockOffsets, advice

pytestmark = pytest.mark.dashboard
NOW = dt.datetime(2026, 3, 15, 12, tzinfo=dt.UTC)
MINUTE = 60.0
HOUR = 3_600.0


def at(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


def sent(offsets: ClockOffsets, *off: float, worker: str = "w", begin: float = 0.0, every: float = 1.0) -> int:
    """Notes reports whose times are `off` seconds ahead of their receipts; they are received `every` so many seconds.
    Returns the offset after the last one."""
    found = 0
    for number, seconds in enumerate(off):
        receipt = begin + number * every
        found = offsets.note(worker, at(receipt + seconds), at(receipt))
    return found


@pytest.mark.parametrize(
    ("off", "expected"),
    [
        ([-2 * HOUR] * 5, -2 * HOUR),
        ([2 * HOUR] * 5, 2 * HOUR),
        ([5.5 * HOUR] * 5, 5.5 * HOUR),
        ([-HOUR / 2] * 5, -HOUR / 2),
        ([26 * HOUR] * 5, 26 * HOUR),  # from UTC-12 to UTC+14
        ([-12 * HOUR - 200, -12 * HOUR + 250, -12 * HOUR, -12 * HOUR - 3, -12 * HOUR - 300], -12 * HOUR),
        ([-HOUR, -2 * HOUR, -2 * HOUR, -2 * HOUR, -2 * HOUR, -2 * HOUR], -2 * HOUR),
        ([-2 * HOUR, -2 * HOUR - 15 * MINUTE] * 4 + [-2 * HOUR], -2 * HOUR),  # some of them were late besides
        ([-2 * HOUR] * 4, 0),  # too few
        ([0.0] * 20, 0),
        ([-299.0, 299.0] * 10, 0),
        ([-400.0] * 20, 0),  # late
        ([-2 * HOUR - 301] * 20, 0),
        ([-15 * MINUTE] * 20, 0),
        ([-2 * HOUR, -HOUR] * 10, 0),  # they do not agree
        ([-27 * HOUR] * 20, 0),  # no zone is so far away
        ([-9e9] * 20, 0),
    ],
)
def test_reports_that_agree_name_a_worker(off: list[float], expected: float) -> None:
    offsets = ClockOffsets()
    assert sent(offsets, *off) == expected
    assert offsets.found == ({"w": expected} if expected else {})


def test_one_right_report_ends_it() -> None:
    offsets = ClockOffsets()
    assert sent(offsets, *[-2 * HOUR] * 5) == -2 * HOUR
    assert sent(offsets, -2 * HOUR - 20 * MINUTE, begin=10) == -2 * HOUR  # a late one does not
    assert sent(offsets, -1.0, begin=20) == 0
    assert offsets.found == {}


def test_a_time_that_needs_no_zone_ends_it_until_the_next_wrong_one() -> None:
    offsets = ClockOffsets()
    sent(offsets, *[-2 * HOUR] * 5)
    offsets.note_independent("w")
    assert offsets.found == {}
    assert sent(offsets, -2 * HOUR, begin=10) == -2 * HOUR


def test_a_worker_without_reports_is_forgotten() -> None:
    """Otherwise each name of a pod that once ran in a wrong zone would be shown until the next restart."""
    offsets = ClockOffsets()
    sent(offsets, *[-2 * HOUR] * 5, worker="gone")
    sent(offsets, *[HOUR] * 5, worker="here", begin=30)
    assert offsets.named(at(24 * HOUR)) == {"gone": -7_200, "here": 3_600}
    assert offsets.named(at(24 * HOUR + 20)) == offsets.found == {"here": 3_600}
    assert sent(offsets, -2 * HOUR, worker="gone", begin=25 * HOUR) == -2 * HOUR


def test_another_offset_replaces_it() -> None:
    offsets = ClockOffsets()
    sent(offsets, *[-2 * HOUR] * 5)
    assert sent(offsets, *[-HOUR] * 4, begin=10) == -2 * HOUR
    assert sent(offsets, -HOUR, begin=20) == -HOUR


def test_reports_that_were_received_together_are_one() -> None:
    """A batch of an hour's outage is late by the same time for all its reports."""
    offsets = ClockOffsets()
    assert sent(offsets, *[-HOUR] * 50, every=0) == 0
    assert sent(offsets, *[-HOUR] * 4, begin=60) == -HOUR


def test_a_worker_that_was_right_is_late_until_it_lasts() -> None:
    offsets = ClockOffsets()
    sent(offsets, 0.0)
    assert sent(offsets, *[-HOUR] * 50, begin=HOUR) == 0  # sent again after an outage, one right after the other
    assert sent(offsets, 0.0, begin=HOUR + 100) == 0
    assert sent(offsets, *[-HOUR] * 10, begin=2 * HOUR, every=59) == 0
    assert sent(offsets, -HOUR, begin=2 * HOUR + 600) == -HOUR


def test_workers_do_not_mix() -> None:
    offsets = ClockOffsets()
    for number in range(REPORTS):
        sent(offsets, -2 * HOUR, worker="a", begin=number)
        sent(offsets, HOUR, worker="b", begin=number)
        sent(offsets, 0.0, worker="c", begin=number)
    assert offsets.found == {"a": -7_200, "b": 3_600}


def test_the_log_names_a_worker_once(caplog: pytest.LogCaptureFixture) -> None:
    offsets = ClockOffsets()
    with caplog.at_level(logging.INFO):
        for begin in (0, 10_000, 20_000):
            sent(offsets, *[-2 * HOUR] * 20, begin=begin, every=60)
            sent(offsets, 0.0, begin=begin + 5_000)
    assert [record.getMessage() for record in caplog.records] == [advice("w", -7_200)]
    assert "w sends times without an offset that are 2 h behind: set its time zone" in advice("w", -7_200)


def test_the_workers_in_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_offsets, "MAX_WORKERS", 10)
    offsets = ClockOffsets()
    sent(offsets, *[-2 * HOUR] * 5, worker="wrong")
    for number in range(9):
        sent(offsets, 0.0, worker=f"w{number}")
    assert "wrong" in offsets.found
    sent(offsets, -2 * HOUR, worker="wrong")  # heard again: others go first
    for number in range(9):
        sent(offsets, 0.0, worker=f"v{number}")
    assert "wrong" in offsets.found
    sent(offsets, 0.0, worker="one more")
    assert offsets.found == {}
    assert len(offsets._workers) == 10


def test_random_delays_name_nobody() -> None:
    """Reports without a wrong zone, each late by any time up to three hours, seldom agree five times in a row."""
    random.seed(20261113)
    offsets = ClockOffsets()
    for worker in range(300):
        sent(offsets, *(-random.uniform(0, 3 * HOUR) for _ in range(40)), worker=f"w{worker}")
    assert len(offsets.found) <= 3
