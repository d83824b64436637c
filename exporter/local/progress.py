"""Says on stderr what a long command does: a bar on a terminal, a line for each finished step elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

WIDTH: Final = 30  # characters of the bar
EVERY_SECONDS: Final = 0.1
NAME_WIDTH: Final = 10


class Progress:
    """The steps of one command. `stream` is stderr."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._drawn = 0.0

    @contextmanager
    def step(self, name: str, total: int) -> Iterator["Step"]:
        """Shows a step of `total` parts (bytes, rows or tables) while it runs inside `with`."""
        step = Step(self, name, total)
        self._draw(step)
        try:
            yield step
        except BaseException:
            self.clear()
            raise
        step.done = total
        self.clear()
        print(f"{name:{NAME_WIDTH}} {time.monotonic() - step.began:.1f} s", file=self._stream, flush=True)

    def clear(self) -> None:
        if self._terminal:
            print("\r\033[K", end="", file=self._stream, flush=True)

    def draw(self, step: "Step") -> None:
        """Draws the bar, unless it was drawn just now."""
        if time.monotonic() - self._drawn >= EVERY_SECONDS:
            self._draw(step)

    def _draw(self, step: "Step") -> None:
        self._drawn = time.monotonic()
        if self._terminal:
            share = min(1.0, step.done / step.total) if step.total else 0.0
            full = int(share * WIDTH)
            bar = f"{step.name:{NAME_WIDTH}} [{'#' * full}{'.' * (WIDTH - full)}] {share:4.0%}"
            print(f"\r{bar} {self._drawn - step.began:.0f} s", end="", file=self._stream, flush=True)


class Step:
    """A step that runs; `done` of its `total` parts are done."""

    def __init__(self, progress: Progress, name: str, total: int) -> None:
        self.name = name
        self.total = total
        self.done = 0
        self.began = time.monotonic()
        self._progress = progress

    def add(self, parts: int) -> None:
        self.done += parts
        self._progress.draw(self)
