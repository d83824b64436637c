"""In an overload, a request with few reports is not behind all large ones, and no request waits for ever."""

from typing import NamedTuple

import pytest

from exporter.ingest import turns
from exporter.ingest.turns import FEW, LEAST_EVENTS, MAX_EVENTS, SECONDS, kept_free, next_size, next_turn

pytestmark = pytest.mark.dashboard


class Request(NamedTuple):
    name: int
    submissions: range
    size: int = 100


def requests(*sizes: int) -> list[Request]:
    return [Request(name, range(size)) for name, size in enumerate(sizes)]


def names(found: list[Request]) -> list[int]:
    return [one.name for one in found]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MAX_BYTES", 1_000)


def test_what_fits_is_taken_as_it_came() -> None:
    waiting = requests(5, 1, 4)
    assert next_turn(waiting, 10) == (waiting, [])
    assert next_turn([], 10) == ([], [])


def test_half_is_for_the_oldest_and_half_for_the_smallest() -> None:
    taken, left = next_turn(requests(3, 2, 4, 3, 1, 4, 1), 10)
    assert names(taken) == [0, 1, 3, 4, 6]
    assert names(left) == [2, 5]


def test_a_request_that_is_larger_than_all_is_taken_when_it_is_the_oldest() -> None:
    taken, left = next_turn(requests(50, 50, 2), 10)
    assert names(taken) == [0, 2]
    assert names(left) == [1]


def test_bytes_are_limited_too() -> None:
    taken, left = next_turn([Request(name, range(1), 400) for name in range(4)], 10)
    assert names(taken) == [0, 1]
    assert names(left) == [2, 3]


def test_nobody_waits_for_ever() -> None:
    """A large request, behind which small ones come again and again."""
    waiting = requests(4, 4, 4, 4)
    for turn in range(3):
        waiting += [Request(100 + turn * 10 + number, range(1)) for number in range(10)]
        _, waiting = next_turn(waiting, 10)
    assert not {0, 1, 2} & set(names(waiting))


def test_the_end_of_the_queue_is_kept_for_few_reports() -> None:
    assert kept_free(FEW, 20_000) == 0
    assert kept_free(FEW + 1, 20_000) == 2_000
    assert kept_free(100, 5) == 0


def test_a_batch_that_takes_long_is_followed_by_smaller_ones() -> None:
    """Also where nobody waits: an idle service with a slow disk starts an overload with small batches."""
    most = MAX_EVENTS
    for _ in range(10):
        most = next_size(most, SECONDS * 2, was_full=True)
    assert most == LEAST_EVENTS
    assert next_size(most, SECONDS / 10, was_full=False) == most
    assert next_size(most, SECONDS * 0.7, was_full=True) == most
    for _ in range(10):
        most = next_size(most, SECONDS / 10, was_full=True)
    assert most == MAX_EVENTS
