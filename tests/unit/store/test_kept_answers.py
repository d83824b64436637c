"""Which answers may be given again, and how many are kept."""

import pytest

from exporter.store import answers as module
from exporter.store.answers import Answer, Answers, Version

pytestmark = pytest.mark.dashboard


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def answer(json: bytes = b"{}", generation: int = 3, position: int = 10, asked: float = 1_000.0) -> Answer:
    return Answer(json, Version(generation, position), asked)


@pytest.mark.parametrize(
    ("generation", "position", "seconds", "given"),
    [
        (3, 10, 0.0, True),
        (3, 10, module.MAX_AGE_SECONDS, True),
        (3, 10, module.MAX_AGE_SECONDS + 0.1, False),
        (3, 11, 0.0, False),
        (4, 10, 0.0, False),
        (3, 9, 0.0, True),  # it includes more than was accepted when the request came
    ],
)
def test_an_answer_is_given_again_while_the_data_is_the_same(
    clock: Clock, generation: int, position: int, seconds: float, given: bool
) -> None:
    answers, kept = Answers(), answer()
    answers.keep(b"k", kept)
    clock.now += seconds
    found = answers.current(b"k", Version(generation, position))
    assert found is (kept if given else None)
    assert kept.requests == given
    assert answers.current(b"another", Version(3, 10)) is None


@pytest.mark.parametrize(
    ("generation", "position", "seconds", "max_age", "given"),
    [
        (3, 11, 0.0, 1.0, True),
        (3, 500, 1.0, 1.0, True),
        (3, 11, 1.1, 1.0, False),
        (3, 11, 5.0, 5.0, True),
        (3, 10, module.MAX_AGE_SECONDS + 0.1, 5.0, True),  # nothing changed, but its time range ended long ago
        (4, 10, 0.0, 5.0, False),  # a deletion, for example
    ],
)
def test_a_request_may_take_an_old_answer_that_lacks_only_events(
    clock: Clock, generation: int, position: int, seconds: float, max_age: float, given: bool
) -> None:
    answers, kept = Answers(), answer()
    answers.keep(b"k", kept)
    clock.now += seconds
    assert answers.current(b"k", Version(generation, position), max_age) is (kept if given else None)


def test_its_age_is_that_of_its_time_range(clock: Clock) -> None:
    old = answer(asked=clock.now - 1.5)
    clock.now += 2
    assert old.age() == 3.5


def test_the_number_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWERS", 3)
    answers = Answers()
    for number in (1, 2, 3, 1, 4):  # 1 is renewed
        answers.keep(b"%d" % number, answer())
    assert len(answers) == 3
    assert [answers.latest(b"%d" % number) is not None for number in range(1, 5)] == [True, False, True, True]


def test_the_bytes_are_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    answers = Answers()
    for key, size in ((b"a", 40), (b"b", 40), (b"a", 60), (b"c", 41)):
        answers.keep(key, answer(b"x" * size))
    assert [answers.latest(key) is not None for key in (b"a", b"b", b"c")] == [False, False, True]
    answers.keep(b"d", answer(b"x" * 101))
    answers.keep(b"e", answer(b"x" * 59))
    assert [answers.latest(key) is not None for key in (b"c", b"d", b"e")] == [True, False, True]


def test_old_answers_are_dropped(clock: Clock) -> None:
    answers = Answers()
    answers.keep(b"a", answer())
    clock.now += module.KEPT_SECONDS + 0.1
    answers.keep(b"b", answer(asked=clock.now))
    assert len(answers) == 1
    assert answers.latest(b"a") is None
