"""The mark that stands for a secret, as in `[redacted:password]`, and the counts of marks by rule."""

from collections import Counter
from typing import Final

MAX_PLACES: Final = 1_000  # of one report that are looked at; a report with more is reduced (`reduced.py`)
UNCHECKED: Final = "unchecked"  # the rule of what was replaced without being looked at
BEGINS: Final = b"[redacted"


class Found:
    """What was found in one report: `rules` counts marks by rule. Each place that is looked at, secret or not, counts.
    After `most` of them, the rules stop, and what they return must not be used. `allowed` are values that stay."""

    def __init__(self, allowed: frozenset[bytes] = frozenset(), most: float = MAX_PLACES) -> None:
        self.rules: Counter[str] = Counter()
        self._allowed = allowed
        self._left = most

    def place(self) -> bool:
        """Counts a place. Returns whether it may be looked at."""
        self._left -= 1
        return self._left >= 0

    @property
    def exhausted(self) -> bool:
        return self._left < 0

    def probe(self) -> "Found":
        """Returns what looks at a text without marks: no value is allowed, and as many places are left as here."""
        return Found(most=self._left)

    def count(self, probe: "Found") -> None:
        """Counts the places that `probe` looked at."""
        self._left = probe._left

    def stays(self, value: bytes) -> bool:
        """Returns whether a value is no secret: it is allowed, or it is a mark."""
        return value in self._allowed or value.startswith(BEGINS)

    def mark(self, rule: str) -> bytes:
        """Returns the mark of a rule, and counts it."""
        self.rules[rule] += 1
        return f"[redacted:{rule}]".encode()
