"""Cuts long texts in the middle, and says so."""

from __future__ import annotations


def cut(text: str, most: int) -> str:
    """Returns `text`; if it is longer than `most` characters, a quarter of them from its beginning, the rest from its
    end, where a traceback names the error, and a line between them that says how many were left out."""
    if len(text) <= most:
        return text
    first = max(most, 0) // 4
    last = max(most, 0) - first
    return f"{text[:first]}\n… {len(text) - first - last} characters left out …\n{text[len(text) - last :]}"
