"""What a worker is now, by the times of its newest reports."""

import datetime as dt
from typing import Any

import pytest

from exporter.events.standing import CALM, Newest, Now, age, reason_of, state_of
from exporter.judgement import situation

pytestmark = pytest.mark.severity
NOW = dt.datetime(2026, 11, 26, 3, 0, tzinfo=dt.UTC)


def newest(
    critical: float | None, other: float | None = None, warning: float | None = None, ids: Any = (1, 2)
) -> Newest:
    """Returns reports of so many minutes ago; a warning is another report, too."""
    at = {
        name: None if ago is None else NOW - dt.timedelta(minutes=ago)
        for name, ago in locals().items()
        if name != "ids"
    }
    others = [one for one in (at["other"], at["warning"]) if one is not None]
    return Newest(
        (at["critical"], ids[0]) if at["critical"] else None, (max(others), ids[1]) if others else None, at["warning"]
    )


A_MOMENT = 1 / 60_000_000  # a microsecond
TABLE: list[tuple[Newest, Now, str]] = [
    (newest(None), "stable", CALM),
    (newest(None, 0), "stable", CALM),
    (newest(0), "critical", "critical error 0 s ago"),
    (newest(0.5, 0.1), "critical", "critical error 30 s ago"),
    (newest(5 - A_MOMENT), "critical", "critical error 4 min ago"),
    (newest(5), "recovering", "last critical error 5 min ago"),
    (newest(4, None, 1), "critical", "critical error 4 min ago"),
    (newest(-3), "critical", "critical error 0 s ago"),
    (newest(6, None, 1), "warning", "warning 1 min ago, critical error 6 min ago"),
    (newest(None, None, 10 - A_MOMENT), "warning", "warning 9 min ago"),
    (newest(None, None, 10), "stable", CALM),
    (newest(90, 2, 3), "warning", "warning 3 min ago"),
    (newest(10 - A_MOMENT), "recovering", "last critical error 9 min ago"),
    (newest(10), "silent", "nothing since a critical error 10 min ago"),
    (newest(10, 9), "recovering", "last critical error 10 min ago"),
    (newest(12, 15, 15), "silent", "nothing since a critical error 12 min ago"),
    (newest(12, 12, ids=(2, 1)), "silent", "nothing since a critical error 12 min ago"),
    (newest(12, 12, ids=(1, 2)), "recovering", "last critical error 12 min ago"),
    (newest(30 - A_MOMENT, 1), "recovering", "last critical error 29 min ago"),
    (newest(30, 1), "stable", CALM),
    (newest(45), "silent", "nothing since a critical error 45 min ago"),
    (newest(60 * 24 - A_MOMENT), "silent", "nothing since a critical error 23 h ago"),
    (newest(60 * 24), "stable", CALM),
]


@pytest.mark.parametrize(("reports", "now", "reason"), TABLE, ids=range(len(TABLE)))
def test_a_state(reports: Newest, now: Now, reason: str) -> None:
    found = state_of(reports, NOW)
    assert (found.now, reason_of(found, NOW)) == (now, reason)
    assert found.silent_since == (reports.critical and reports.critical[0] if now == "silent" else None)
    naive = Newest(*[
        one and (one.replace(tzinfo=None) if isinstance(one, dt.datetime) else (one[0].replace(tzinfo=None), one[1]))
        for one in reports
    ])  # fmt: skip
    assert state_of(naive, NOW.replace(tzinfo=None)).now == now


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_600, "1 h"), (1e6, "277 h")],
)
def test_an_age(seconds: float, words: str) -> None:
    assert age(NOW - dt.timedelta(seconds=seconds), NOW) == words


def test_an_order_of_the_limits_on_which_the_table_rests() -> None:
    """A critical error is no longer one of now when silence begins, and late reports cannot make anything recover."""
    assert situation.CRITICAL_SECONDS <= situation.SILENT_SECONDS < situation.SILENT_FOR_SECONDS
    assert situation.CRITICAL_SECONDS < situation.RECOVERY_SECONDS <= situation.LATE_SECONDS
    assert situation.WINDOW_SECONDS <= situation.SILENT_SECONDS
