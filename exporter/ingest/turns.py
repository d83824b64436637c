"""Which requests come next when more wait than one append takes, and which may still wait in a queue nearly full.

Half of an append is for the requests that have been waiting for longest, the other half for those with the fewest
reports, and the end of the queue is kept for these. An append has only as many reports as take `SECONDS`. So a worker
that reports now and then is answered soon although others flood the service, and nobody waits for ever.
"""

from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

MAX_EVENTS: Final = 4_000  # in one batch, unless one request has more
MAX_BYTES: Final = 2**24
LEAST_EVENTS: Final = 250  # with fewer, an append would take longer than what it appends
SECONDS: Final = 0.2  # that one batch takes, from its first report to the end of the append
FEW: Final = 10  # reports of a request that may use the end of the queue
KEPT: Final = 10  # the end of the queue is a tenth of it


class Waiting(Protocol):
    """A request in the queue; `size` is in bytes."""

    @property
    def submissions(self) -> Sequence[object]: ...
    @property
    def size(self) -> int: ...


W = TypeVar("W", bound=Waiting)


def next_turn(waiting: list[W], most: int) -> tuple[list[W], list[W]]:
    """Returns the requests whose reports are appended next, and those that go on waiting. Both are in the order of
    `waiting`. The former are at least one, and have at most `most` reports if they are several."""
    if _fitting(waiting, most, MAX_BYTES) == len(waiting):
        return waiting, []
    oldest = max(1, _fitting(waiting, most // 2, MAX_BYTES // 2))
    smallest = sorted(range(oldest, len(waiting)), key=lambda place: len(waiting[place].submissions))
    many = _fitting([waiting[place] for place in smallest], most // 2, MAX_BYTES // 2)
    taken = set(smallest[:many])
    left = [one for place, one in enumerate(waiting) if place >= oldest and place not in taken]
    return waiting[:oldest] + [waiting[place] for place in sorted(taken)], left


def next_size(most: int, seconds: float, *, was_full: bool) -> int:
    """Returns how many reports the next batch may have, when the one before had at most `most`, took so many seconds,
    and others had to wait for it."""
    if seconds > SECONDS:
        return max(LEAST_EVENTS, most // 2)
    return min(MAX_EVENTS, most * 2) if was_full and seconds < SECONDS / 2 else most


def kept_free(reports: int, capacity: int) -> int:
    """Returns how much of a queue a request with so many reports has to leave free."""
    return capacity // KEPT if reports > FEW else 0


def _fitting(waiting: Sequence[Waiting], events: int, size: int) -> int:
    """Returns how many of the first requests have together at most so many events and bytes."""
    for number, one in enumerate(waiting):
        events -= len(one.submissions)
        size -= one.size
        if events < 0 or size < 0:
            return number
    return len(waiting)
