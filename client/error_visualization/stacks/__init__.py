"""Finds stack traces in the output of programs.

A dialect knows one language's way to print an uncaught error. It says which line begins a stack, which lines after it
belong to it, and what its type and message are. `joiner.Joiner` feeds it lines; `find_all` is for a whole text.
"""

from __future__ import annotations

from error_visualization.stacks.dialect import Dialect, Stack
from error_visualization.stacks.joiner import Joiner
from error_visualization.stacks.table import DIALECTS

__all__ = ["DIALECTS", "Dialect", "Joiner", "Stack", "find_all"]


def find_all(text: str) -> list[Stack]:
    """Returns the stack traces in `text`, in its order."""
    joiner = Joiner()
    found = [item for line in text.split("\n") for item in joiner.push(line)]
    return [item for item in found + joiner.flush() if isinstance(item, Stack)]
