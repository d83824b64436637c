"""Exponential backoff with jitter, for retries."""

import random


class Backoff:
    """Pauses between retries, in seconds: `first`, then doubled each time up to `longest`, with a jitter of ±25 %."""

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._pause = first

    def next(self) -> float:
        pause, self._pause = self._pause, min(2 * self._pause, self._longest)
        return pause * random.uniform(0.75, 1.25)

    def reset(self) -> None:
        self._pause = self._first
