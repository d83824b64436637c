"""When the reports of an open-loop load are due: at times that do not depend on earlier answers."""

import itertools
import random
from collections.abc import Iterator
from typing import Final

SEED: Final = 11


def due_times(rate: float, seconds: float, *, is_even: bool = False) -> Iterator[float]:
    """Yields ascending times in seconds from 0 to before `seconds`, `rate` of them a second on average. They are those
    of a Poisson process, which independent senders make, or evenly spaced."""
    random_gap = random.Random(SEED).expovariate
    due = 0.0
    for number in itertools.count(1):
        due = number / rate if is_even else due + random_gap(rate)
        if due >= seconds:
            return
        yield due
