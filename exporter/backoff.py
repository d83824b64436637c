"""Exponential backoff with jitter, for everything that is tried again."""

import random


class Backoff:
    """Pauses in seconds: `first`, doubled each time up to `longest`, each varied by a quarter in both directions."""

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._pause = first

    def next(self) -> float:
        pause, self._pause = self._pause, min(2 * self._pause, self._longest)
        return pause * random.uniform(0.75, 1.25)

    def reset(self) -> None:
        self._pause = self._first
