"""JSON as Python's `json` module reads it: NaN, infinities, lone surrogates and huge numbers are replaced."""

import json
from typing import Any, Final

MAX_DIGITS: Final = 20  # of a whole number; 64 bits need no more


def lenient_json(text: str) -> Any:
    """Decodes `text` and replaces what JSON forbids: NaN, infinities and numbers beyond 64 bits become None, lone
    surrogates become U+FFFD. Raises ValueError and RecursionError."""
    return replaced(loads(text))


def loads(text: str) -> Any:
    """Decodes `text`. NaN, Infinity and -Infinity become None; a number that is too large for its type is infinite."""
    return json.loads(text, parse_constant=lambda _: None, parse_int=_whole_number)


def replaced(value: Any) -> Any:
    """Returns what `loads` returned, with what JSON forbids replaced: see `lenient_json`."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {replaced(key): replaced(item) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item) for item in value]
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return None
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return None
    return value


def _whole_number(digits: str) -> float:
    return int(digits) if len(digits) <= MAX_DIGITS else float("inf")
