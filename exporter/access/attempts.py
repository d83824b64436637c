"""Slows down who tries passwords.

After `FREE` wrong ones, the next attempt from the same address, or for the same name, has to wait: 1 s, then twice as
long after each further wrong one, `LONGEST_SECONDS` at most. An attempt before that is refused without a look at the
password, and does not make the wait longer. After `FORGET_SECONDS` without an attempt everything is forgotten.

An address from which somebody logged in has a count of its own for this name. So neither a stranger who tries passwords
for the name, nor a colleague behind the same address, locks this person out.
"""

import math
import time
from typing import Final, TypeVar

FREE: Final = 5
LONGEST_SECONDS: Final = 60.0
FORGET_SECONDS: Final = 900.0
MAX_KEYS: Final = 10_000
T = TypeVar("T")
Key = tuple[str, str]  # (address, ""), ("", name) or (address, name)


class Attempts:
    """`wrong` and `wrong_addresses` map a key to the number of wrong attempts and the monotonic time of the last one,
    oldest first. They are apart because a wrong attempt without a name costs nothing: many addresses that send such
    ones must not push out the count of a name."""

    def __init__(self) -> None:
        self._wrong: dict[Key, tuple[int, float]] = {}
        self._wrong_addresses: dict[Key, tuple[int, float]] = {}
        self._succeeded: dict[Key, None] = {}

    def wait(self, address: str, name: str | None) -> int:
        """Returns the whole seconds until the next attempt is allowed; 0: now. `name` is None if there is none."""
        now = time.monotonic()
        until = max((self._until(key) for key in self._keys(address, name)), default=0.0)
        return max(0, math.ceil(until - now))

    def failed(self, address: str, name: str | None) -> None:
        """Counts a wrong attempt; without a name, only for the address."""
        now = time.monotonic()
        for key in self._keys(address, name):
            table = self._table(key)
            count, last = table.pop(key, (0, now))
            _put(table, key, (1 if now - last > FORGET_SECONDS else count + 1, now))

    def succeeded(self, address: str, name: str) -> None:
        self._table((address, name)).pop((address, name), None)
        self._succeeded.pop((address, name), None)
        _put(self._succeeded, (address, name), None)

    def _keys(self, address: str, name: str | None) -> tuple[Key, ...]:
        if name is None:
            return ((address, ""),)
        known = (address, name)
        return (known,) if known in self._succeeded else ((address, ""), ("", name))

    def _table(self, key: Key) -> dict[Key, tuple[int, float]]:
        return self._wrong if key[1] else self._wrong_addresses

    def _until(self, key: Key) -> float:
        count, last = self._table(key).get(key, (0, 0.0))
        if count < FREE:
            return 0.0
        return last + min(LONGEST_SECONDS, 2.0 ** min(count - FREE, 10))


def _put(table: dict[Key, T], key: Key, value: T) -> None:
    while len(table) >= MAX_KEYS:
        del table[next(iter(table))]
    table[key] = value
