"""What people, errors and the time make of the state of a pattern."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from events import event as made

from exporter.events.event import ErrorEvent
from exporter.store.state_machine import (
    Earlier,
    Outcome,
    Standing,
    after_error,
    after_errors,
    at_time,
    claimed,
    muted,
    reopened,
    resolved,
)

pytestmark = pytest.mark.dashboard
AT = dt.datetime(2026, 11, 27, 4)
LATER = AT + dt.timedelta(hours=1)
ANA = Earlier("claimed", "Ana", AT)
OPEN = Standing("open", "", AT)
CLAIMED = Standing("claimed", "Ana", AT)
RESOLVED = Standing("resolved", "Ana", AT, regressions=2)
REGRESSED = Standing("regressed", "Ana", AT, regressions=3, error_id=7)
MUTED = Standing("muted", "Bo", AT, LATER, 5, ANA)


def mute(standing: Standing | None, by: str, at: dt.datetime) -> Standing:
    return muted(standing, by, at, LATER, 5)


@pytest.mark.parametrize(
    ("before", "act", "after"),
    [
        (None, claimed, Standing("claimed", "Cy", LATER)),
        (CLAIMED, claimed, Standing("claimed", "Cy", LATER)),
        (MUTED, claimed, Standing("claimed", "Cy", LATER)),
        (REGRESSED, claimed, Standing("claimed", "Cy", LATER, regressions=3)),
        (None, resolved, Standing("resolved", "Cy", LATER)),
        (REGRESSED, resolved, Standing("resolved", "Cy", LATER, regressions=3)),
        (MUTED, resolved, Standing("resolved", "Cy", LATER)),
        (None, mute, Standing("muted", "Cy", LATER, LATER, 5)),
        (OPEN, mute, Standing("muted", "Cy", LATER, LATER, 5)),
        (CLAIMED, mute, Standing("muted", "Cy", LATER, LATER, 5, ANA)),
        (RESOLVED, mute, Standing("muted", "Cy", LATER, LATER, 5, regressions=2)),
        (REGRESSED, mute, Standing("muted", "Cy", LATER, LATER, 5, Earlier("regressed", "Ana", AT), 3, 7)),
        (MUTED, mute, Standing("muted", "Cy", LATER, LATER, 5, ANA)),
        (None, reopened, None),
        (OPEN, reopened, None),
        (CLAIMED, reopened, Standing("open", "Cy", LATER)),
        (RESOLVED, reopened, Standing("open", "Cy", LATER, regressions=2)),
        (REGRESSED, reopened, Standing("open", "Cy", LATER, regressions=3)),
        (MUTED, reopened, Standing("open", "Cy", LATER)),
    ],
)
def test_what_people_make_of_it(
    before: Standing | None, act: Callable[[Standing | None, str, dt.datetime], Standing | None], after: Standing | None
) -> None:
    assert act(before, "Cy", LATER) == after


def error(seconds: float = 1.0, received: float | None = None, **fields: Any) -> ErrorEvent:
    """An error so many seconds after `AT`."""
    at = AT.replace(tzinfo=dt.UTC)
    return made(
        9,
        timestamp=at + dt.timedelta(seconds=seconds),
        received_at=at + dt.timedelta(seconds=seconds if received is None else received),
        **fields,
    )


SECOND = AT + dt.timedelta(seconds=1)


@pytest.mark.parametrize(
    ("before", "event", "after", "action"),
    [
        (RESOLVED, error(), Standing("regressed", "Ana", SECOND, regressions=3, error_id=9), "regressed"),
        (RESOLVED, error(0), RESOLVED, ""),
        (RESOLVED, error(-60, received=60), RESOLVED, ""),  # a late report
        (RESOLVED, error(60, received=-1), RESOLVED, ""),  # accepted before, by a clock that is ahead
        # Of a worker in a zone that is an hour behind.
        (
            RESOLVED,
            error(1 - 3_600, received=1, clock_offset=-3_600),
            Standing("regressed", "Ana", SECOND, regressions=3, error_id=9),
            "regressed",
        ),
        (RESOLVED, error(-1 - 3_600, received=60, clock_offset=-3_600), RESOLVED, ""),
        (RESOLVED, error(imported=True), RESOLVED, ""),
        (REGRESSED, error(), REGRESSED, ""),
        (CLAIMED, error(), CLAIMED, ""),
        (OPEN, error(), OPEN, ""),
        (Standing("muted", "Bo", AT, LATER), error(), Standing("muted", "Bo", AT, LATER), ""),
        (MUTED, error(), Standing("muted", "Bo", AT, LATER, 4, ANA), ""),
        (MUTED, error(-60, received=60), Standing("muted", "Bo", AT, LATER, 4, ANA), ""),
        (MUTED, error(imported=True), MUTED, ""),
        (Standing("muted", "Bo", AT, None, 1), error(), Standing("open", "", SECOND), "unmuted"),
        (Standing("muted", "Bo", AT, None, 1, ANA), error(), CLAIMED, "unmuted"),
        (
            Standing("muted", "Bo", AT, None, 1, Earlier("regressed", "Ana", AT), 3, 7),
            error(),
            REGRESSED,
            "unmuted",
        ),
    ],
)
def test_what_an_error_makes_of_it(before: Standing, event: ErrorEvent, after: Standing, action: str) -> None:
    outcome = after_error(before, event)
    assert outcome[:2] == (after, action)
    assert outcome[2:] == ((SECOND, 9) if action else (None, None)), "when it happened, and the error"


def test_several_errors_reopen_a_pattern_once() -> None:
    standing, noted = after_errors(RESOLVED, [error(-1), error(1), error(2)])
    assert (standing.status, standing.regressions, len(noted)) == ("regressed", 3, 1)


@pytest.mark.parametrize(
    ("before", "now", "after"),
    [
        (MUTED, LATER - dt.timedelta(microseconds=1), MUTED),
        (MUTED, LATER, CLAIMED),
        (Standing("muted", "Bo", AT, LATER), LATER, Standing("open", "", LATER)),
        (Standing("muted", "Bo", AT, None, 5), LATER, Standing("muted", "Bo", AT, None, 5)),
        (RESOLVED, LATER, RESOLVED),
    ],
)
def test_what_the_time_makes_of_it(before: Standing, now: dt.datetime, after: Standing) -> None:
    assert at_time(before, now) == (Outcome(after) if after == before else Outcome(after, "unmuted", LATER))
