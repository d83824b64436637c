"""Joins the lines of stack traces. One thread at a time."""

from __future__ import annotations

import re
from typing import Final, Union

from error_visualization.stacks.dialect import Dialect, Stack
from error_visualization.stacks.table import DIALECTS

MAX_LINES: Final = 2_000  # of one stack
MAX_CHARACTERS: Final = 512_000
MAX_READ_AGAIN: Final = 30  # lines of something that was no stack after all and may hold one
_COLOURS: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\))")

Item = Union[str, Stack]


def plain(line: str) -> str:
    """Returns the line without terminal colours, and without what a carriage return overwrites."""
    line = line.rstrip("\r\n")
    if "\x1b" in line:
        line = _COLOURS.sub("", line)
    return line.rsplit("\r", 1)[-1]


class Joiner:
    """Takes lines and gives them back, those of a stack trace as one `Stack`."""

    def __init__(self) -> None:
        self._dialect: Dialect | None = None
        self._lines: list[str] = []
        self._size = 0

    @property
    def holds(self) -> bool:
        """Whether lines are held that may be a stack, or a part of one."""
        return self._dialect is not None

    def push(self, line: str) -> list[Item]:
        """Returns what is complete with this line."""
        return self._push(plain(line))

    def flush(self) -> list[Item]:
        """Returns what is held, as complete."""
        items: list[Item] = []
        while self._dialect:
            items += self._end()
        return items

    def _push(self, line: str) -> list[Item]:
        items: list[Item] = []
        if self._dialect:
            fits = len(self._lines) < MAX_LINES and self._size < MAX_CHARACTERS
            if fits and self._dialect.goes_on(self._lines, line):
                self._lines.append(line)
                self._size += len(line)
                return items
            items += self._end()
            if self._dialect:  # what followed in the lines that were no stack begins one
                return items + self._push(line)
        self._dialect = next((dialect for dialect in DIALECTS if dialect.begins(line)), None)
        if not self._dialect:
            return [*items, line]
        self._lines, self._size = [line], len(line)
        return items

    def _end(self) -> list[Item]:
        """Ends the stack that is held. If its lines are no stack, they are read again without the first."""
        dialect, lines = self._dialect, self._lines
        self._dialect, self._lines, self._size = None, [], 0
        if not dialect:
            return []
        last = len(lines)
        while last > 1 and not lines[last - 1].strip():
            last -= 1
        read = dialect.read(lines[:last])
        if read:
            type_, message = read
            return [Stack(type_, message.strip(), "\n".join(lines[:last]), dialect.language), *lines[last:]]
        items: list[Item] = [lines[0]]
        for number, line in enumerate(lines[1:]):
            items += self._push(line) if number < MAX_READ_AGAIN else [line]
        return items
