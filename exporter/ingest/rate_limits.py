"""Limits how fast reports are accepted: a token bucket for each worker, and one for each access token.

A bucket holds `burst` tokens and gets `rate` new ones a second; each new report takes one. What is kept of a bucket is
the time at which it will be full again. A full bucket need not be kept, because it equals a new one.
"""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

SECOND: Final = 10**9
MAX_BUCKETS: Final = 10_000  # workers, or access tokens; beyond it, those with the fullest buckets are forgotten
TOKEN_BURST_SECONDS: Final = 10  # an access token's bucket holds so many seconds of its rate


class Wait(NamedTuple):
    """Why a report is refused: whose bucket is empty, and the seconds until it has a token."""

    limit: str  # "worker" or "token"
    seconds: float


class Buckets:
    """Token buckets by name. Times are in nanoseconds of one monotonic clock: floating point would add up errors."""

    def __init__(self, rate: float, burst: float) -> None:
        self._interval = max(1, round(SECOND / rate))
        self._span = max(1, round(burst)) * self._interval
        self._full_at: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._full_at)

    def wait(self, name: str, now: int) -> int:
        """Returns the time until the bucket has a token; 0 or less if it has one."""
        full_at = self._full_at.get(name)
        return 0 if full_at is None else full_at + self._interval - self._span - now

    def take(self, name: str, now: int) -> None:
        """Takes a token from a bucket that has one."""
        full_at = self._full_at.get(name, now)
        self._full_at[name] = (full_at if full_at > now else now) + self._interval
        if len(self._full_at) > MAX_BUCKETS:
            self._forget(now)

    def give_back(self, name: str) -> None:
        """Gives one token back."""
        if name in self._full_at:
            self._full_at[name] -= self._interval

    def _forget(self, now: int) -> None:
        """Forgets full buckets; if too many are not full, also the fuller half, so that this happens rarely."""
        left = {name: full_at for name, full_at in self._full_at.items() if full_at > now}
        if len(left) > MAX_BUCKETS // 2:
            left = dict(sorted(left.items(), key=lambda item: item[1])[-MAX_BUCKETS // 2 :])
        self._full_at = left


class RateLimits:
    """The limits of workers, `rate` reports a second with bursts of `burst`, and of access tokens, `token_rate` reports
    a second. A rate of 0 is no limit. `clock` returns nanoseconds. Only the event loop may use it."""

    def __init__(
        self, rate: float = 0.0, burst: int = 1, token_rate: float = 0.0, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._workers = Buckets(rate, burst) if rate else None
        self._tokens = Buckets(token_rate, token_rate * TOKEN_BURST_SECONDS) if token_rate else None
        self._clock = clock

    def take(self, worker: str, token: str) -> Wait | None:
        """Takes a token from the buckets of a worker and of an access token ("" for none), or none of both. Returns
        None if both had one."""
        workers, tokens = self._workers, self._tokens
        if workers is None and tokens is None:
            return None
        now = self._clock()
        if tokens is not None and token and (wait := tokens.wait(token, now)) > 0:
            return Wait("token", wait / SECOND)
        if workers is not None:
            if (wait := workers.wait(worker, now)) > 0:
                return Wait("worker", wait / SECOND)
            workers.take(worker, now)
        if tokens is not None and token:
            tokens.take(token, now)
        return None

    def give_back(self, worker: str) -> None:
        """Gives the token of a report back that could not be stored, so that its repeat finds one. That of the access
        token is not given back: it has room for seconds of its rate."""
        if self._workers is not None:
            self._workers.give_back(worker)
