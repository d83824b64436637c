"""The pattern ids of the fingerprints in use. Keeps a bounded number.

    new ─► seen once, at most MAX_ONCE ──(seen again)──► seen again, at most MAX_AGAIN
                     └── evicted                                  └── evicted

So a flood of messages that are all different evicts only fingerprints that were seen once, not those that keep coming.
"""

from collections.abc import Iterator
from typing import Final

MAX_ONCE: Final = 20_000
MAX_AGAIN: Final = 80_000


class KnownFingerprints:
    """Maps fingerprints to pattern ids. Only the event loop may use it."""

    def __init__(self) -> None:
        self._once = _Recent(MAX_ONCE)
        self._again = _Recent(MAX_AGAIN)

    def __len__(self) -> int:
        return len(self._once) + len(self._again)

    def see(self, fingerprint: str) -> str | None:
        """Returns the pattern id of the fingerprint of an arriving error; None if it is not known. Counts as a use."""
        pattern_id = self._again.use(fingerprint)
        if pattern_id is None and (pattern_id := self._once.pop(fingerprint)) is not None:
            self._again.put(fingerprint, pattern_id)
        return pattern_id

    def add(self, fingerprint: str, pattern_id: str, *, again: bool = False) -> None:
        """Adds a fingerprint that is not known. `again`: it was seen more than once."""
        (self._again if again else self._once).put(fingerprint, pattern_id)

    def get(self, fingerprint: str) -> str | None:
        """Returns the pattern id of a fingerprint; None if it is not known. Does not count as a use."""
        return self._again.get(fingerprint) or self._once.get(fingerprint)

    def replace(self, fingerprint: str, pattern_id: str) -> None:
        """Changes the pattern id of a fingerprint, if it is known."""
        if not self._again.replace(fingerprint, pattern_id):
            self._once.replace(fingerprint, pattern_id)

    def pop(self, fingerprint: str) -> None:
        self._again.pop(fingerprint)
        self._once.pop(fingerprint)

    def items(self) -> Iterator[tuple[str, str]]:
        for recent in (self._once, self._again):
            yield from recent.items()


class _Recent:
    """Keeps at least the `most // 2` keys that were used last, and at most `most`.

    Each time that `most // 2` different keys have been used, all other keys are evicted. Most uses then cost one
    look-up in a dict; an `OrderedDict` would have to move the key at each use."""

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._young: dict[str, str] = {}
        self._old: dict[str, str] = {}  # no key is in both

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def use(self, key: str) -> str | None:
        value = self._young.get(key)
        if value is None and (value := self._old.pop(key, None)) is not None:
            self.put(key, value)
        return value

    def put(self, key: str, value: str) -> None:
        self._old.pop(key, None)
        if len(self._young) >= self._half and key not in self._young:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def get(self, key: str) -> str | None:
        return self._young.get(key) or self._old.get(key)

    def replace(self, key: str, value: str) -> bool:
        """Returns whether the key is there."""
        for keys in (self._young, self._old):
            if key in keys:
                keys[key] = value
                return True
        return False

    def pop(self, key: str) -> str | None:
        value = self._young.pop(key, None)
        return self._old.pop(key, None) if value is None else value

    def items(self) -> Iterator[tuple[str, str]]:
        yield from self._old.items()
        yield from self._young.items()
