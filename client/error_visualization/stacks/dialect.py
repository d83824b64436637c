"""What a dialect of stack traces is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Stack(NamedTuple):
    """A stack trace: `type` and `message` of its error, its whole `text`, and the `language` that printed it."""

    type: str
    message: str
    text: str
    language: str


class Dialect(NamedTuple):
    """How one language prints an error.

    `begins(line)`: whether the line may be the first of a stack. `goes_on(lines, line)`: whether `line` belongs to the
    stack that has `lines` so far. `read(lines)`: type and message, or None if the lines are no stack after all.
    """

    language: str
    begins: Callable[[str], object]
    goes_on: Callable[[Sequence[str], str], object]
    read: Callable[[Sequence[str]], tuple[str, str] | None]
