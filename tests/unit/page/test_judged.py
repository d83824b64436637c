"""Which of two verdicts counts, and for how long it may be believed: whatever is late, and whatever clock is set."""

from typing import Any

import pytest
from javascript import results

pytestmark = pytest.mark.html
HOUR = 3_600
CALL = """(() => {
    const ms = (seconds) => seconds && seconds.map((one) => one * 1000);
    let known = null;
    const kept = value.steps.map(([judged, began, arrived]) => {
        const before = known;
        known = its.after(known, { checked_at: judged === null ? "" : new Date(judged * 1000).toISOString() }, { began: ms(began), arrived: ms(arrived) });
        return known !== before;
    });
    return [kept, its.age(known, ms(value.now)) / 1000];
})()"""
Moment = tuple[float, float]


def at(seconds: float, ahead: float = 0) -> Moment:
    """A moment of the reader, whose date is ahead of the service's clock."""
    return (seconds, 1_000_000 + seconds + ahead)


def pushed(judged: float, arrived: Moment) -> list[Any]:
    return [1_000_000 + judged, None, arrived]


def asked(judged: float, began: Moment, arrived: Moment) -> list[Any]:
    return [1_000_000 + judged, began, arrived]


@pytest.mark.parametrize(("steps", "now", "kept", "age"), [
    # The fault that was found: asked at 0, the socket is back at 5 and says critical, the answer is read at 12.
    ([pushed(-6, at(-6)), pushed(5, at(5)), asked(0.1, at(0), at(12))], at(12), [True, True, False], 7),
    ([pushed(-6, at(-6)), asked(0.1, at(0), at(12)), pushed(5, at(12.1))], at(13), [True, True, True], 8),
    ([asked(0.1, at(0), at(14))], at(14), [True], 14),  # a slow answer is no newer than its request
    ([asked(13.9, at(0), at(14))], at(14), [True], 14),  # as far as is known
    ([pushed(0, at(0)), pushed(5, at(5)), pushed(10, at(10))], at(12), [True, True, True], 2),
    ([pushed(0, at(0)), pushed(0, at(0.5))], at(3), [True, True], 3),  # the same one again: it is not younger
    ([pushed(0, at(0)), asked(-100, at(1), at(1.5))], at(2), [True, True], 1),  # asked later, judged "before": a clock was set back
    # A tab that was frozen for an hour reads what waited: it is dated, not green.
    ([pushed(0, at(0)), pushed(5, at(HOUR))], at(HOUR), [True, True], HOUR - 5),
    ([pushed(0, at(0)), pushed(5, at(HOUR)), pushed(HOUR - 1, at(HOUR))], at(HOUR), [True, True, True], 1),
    # While the computer slept the first clock stood still.
    ([pushed(0, at(0)), pushed(5, (6, at(HOUR)[1]))], (6, at(HOUR)[1]), [True, True], HOUR - 5),
    ([pushed(0, at(0))], (1, at(HOUR)[1]), [True], HOUR),
    # The reader's clock is wrong, which does not matter.
    ([asked(0.1, at(0, HOUR), at(0.2, HOUR)), pushed(5, at(5.1, HOUR))], at(7, HOUR), [True, True], 2),
    ([asked(0.1, at(0, -HOUR), at(0.2, -HOUR)), pushed(5, at(5.1, -HOUR))], at(7, -HOUR), [True, True], 2),
    ([pushed(0, at(3)), pushed(5, at(5.1))], at(7), [True, True], 2),  # the first one was late: the second shows by how much
    # It is set: forward, the answer to the next request says so; back, the next verdict does.
    ([pushed(0, at(0)), pushed(5, at(5, HOUR))], at(6, HOUR), [True, True], HOUR + 1),
    ([pushed(0, at(0)), pushed(5, at(5, HOUR)), asked(6.1, at(6, HOUR), at(6.2, HOUR))], at(7, HOUR), [True, True, True], 1),
    ([pushed(0, at(0)), pushed(5, at(5, -HOUR))], at(7, -HOUR), [True, True], 2),
    # The service's clock is set: forward, the next verdict says so; back, the answer to the next request does.
    ([pushed(0, at(0)), pushed(HOUR + 5, at(5))], at(7), [True, True], 2),
    ([pushed(0, at(0)), pushed(5 - HOUR, at(5))], at(6), [True, False], 6),
    ([pushed(0, at(0)), pushed(5 - HOUR, at(5)), asked(6 - HOUR, at(6), at(6.1)), pushed(10 - HOUR, at(10))], at(12), [True, False, True, True], 2),
])  # fmt: skip
def test_the_newest_counts_from_when_it_was_judged(
    steps: list[list[Any]], now: Moment, kept: list[bool], age: float
) -> None:
    (found,) = results("judged.js", CALL, [{"steps": steps, "now": now}])
    assert found[0] == kept
    assert found[1] == pytest.approx(age, abs=0.21)


def test_nothing_and_no_time_are_never_fresh() -> None:
    assert results(
        "judged.js", CALL, [{"steps": [], "now": at(0)}, {"steps": [[None, None, at(0)]], "now": at(0)}]
    ) == [
        [[], None],  # infinite
        [[True], None],
    ]
