"""An exception as the fields of a report. Raises nothing, whatever the exception does."""

from __future__ import annotations

import traceback
from typing import Any

from error_visualization.cut import cut
from error_visualization.plain import text_of

MAX_TRACEBACK = 1_000_000  # characters


def described(error: BaseException) -> dict[str, Any]:
    """Returns `type`, `message` and `traceback` of a report. The traceback has causes and the exceptions of groups, as
    Python prints them; the error's own line is the last, or for a group the first."""
    name = type_of(error)
    return {"type": name, "message": message_of(error) or name, "traceback": traceback_of(error)}


def type_of(error: BaseException) -> str:
    return str(type(error).__name__)


def message_of(error: BaseException) -> str:
    text = text_of(error)
    try:
        notes = getattr(error, "__notes__", None)
        if isinstance(notes, (list, tuple)) and notes:
            text = "\n".join([text, *map(text_of, notes[:20])])
    except Exception:  # a property of the error
        return text
    return text


def traceback_of(error: BaseException) -> str | None:
    """Returns the traceback with causes and groups, cut in the middle; None if it cannot be formatted."""
    try:
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        return cut("".join(lines), MAX_TRACEBACK)
    except (Exception, RecursionError):  # the traceback module calls methods of the error
        try:
            frames = "".join(traceback.format_tb(error.__traceback__))
            return cut(f"Traceback (most recent call last):\n{frames}{type_of(error)}: {text_of(error)}", MAX_TRACEBACK)
        except (Exception, RecursionError):
            return None
