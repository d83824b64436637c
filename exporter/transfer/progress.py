"""Shows on a terminal how far a command is."""

import sys
import time
from typing import Final

from exporter.access.secrets import without_secrets
from exporter.logs import printable

SECONDS: Final = 0.5  # between two updates


class Progress:
    """A line on stderr, if that is a terminal, which each update replaces."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._next = 0.0
        self._is_terminal = sys.stderr.isatty()
        self._width = 0

    def show(self, words: str, done: int, unit: str) -> None:
        """Shows `words` and the rate of what is done. Does nothing if the last update is not old enough."""
        now = time.monotonic()
        if not self._is_terminal or now < self._next:
            return
        self._next = now + SECONDS
        line = f"{words}, {self.rate(done)} {unit}/s"
        sys.stderr.write(f"\r{line:{self._width}}")
        sys.stderr.flush()
        self._width = len(line)

    def say(self, line: str) -> None:
        """Prints a line that stays. Its words may come from a file or a service."""
        if self._width:
            sys.stderr.write(f"\r{' ' * self._width}\r")
            self._width = 0
        print(printable(without_secrets(line)), file=sys.stderr, flush=True)

    def rate(self, done: int) -> str:
        """Returns how much was done in a second, on average."""
        return f"{done / max(self.seconds(), 0.001):,.0f}"

    def seconds(self) -> float:
        return time.monotonic() - self._began


def size(many: int) -> str:
    """Returns bytes as text: "1.5 MB"."""
    number = float(many)
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.1f} GB"
