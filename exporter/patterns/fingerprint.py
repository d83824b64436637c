"""Computes the fingerprint of an error, which identifies its pattern. Pure functions.

The fingerprint is a hash of the error type, the masked message (`mask.py`) and the place where the error began: the
frame of the stack (`frames.py`) and the test (`failed_test.py`). Increase `VERSION` with every change that alters a
fingerprint or the text of a pattern, and keep the previous rules in a file such as `version_1.py`.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

from exporter.patterns.alike import MAX_REMEMBERED, REMEMBERED, masked
from exporter.patterns.frames import NOWHERE, Place, find_place, is_plain, is_repeated, split

VERSION: Final = 2
MAX_MASKED_MESSAGE: Final = 4_000  # leading characters of a message that the fingerprint depends on
MAX_PATTERN: Final = 500  # characters of `Pattern.text`


class Pattern(NamedTuple):
    """`fingerprint` is 16 hex digits. `text` is the masked message, cut to `MAX_PATTERN` characters, or the error type
    if the message is empty. `scope` is 16 hex digits, a hash of error type and place: errors that differ only in their
    message have the same scope."""

    fingerprint: str
    text: str
    scope: str


def fingerprint(type_: str, message: str, traceback: str | None) -> Pattern:
    """Returns the pattern of an error. Never raises.

    Reads at most `MAX_MASKED_MESSAGE` characters of the message, and `frames.MAX_SEARCHED` at each end of a stack. A
    stack inside the message is cut out of the text; it gives the place if `traceback` is missing or has no frame.
    """
    place = find_place(traceback) if traceback else NOWHERE
    if is_plain(message):
        text = message[:MAX_MASKED_MESSAGE]
    else:
        text, place = with_message(message, place)
    return _pattern(type_, masked(text), place)


def with_message(message: str, place: Place) -> tuple[str, Place]:
    """Returns the text of a message without its stack, and the place where the error began. `place` is the place that
    the traceback gives; what it lacks is taken from the message. A test that the message names takes precedence."""
    reading = (
        _split(message, MAX_MASKED_MESSAGE) if len(message) <= MAX_REMEMBERED else split(message, MAX_MASKED_MESSAGE)
    )
    inner = find_place(reading.stack) if reading.stack else NOWHERE
    return reading.text, Place(place.frames or inner.frames, reading.test or place.test or inner.test)


_split = lru_cache(REMEMBERED)(split)


@lru_cache(REMEMBERED)
def _pattern(type_: str, template: str, place: Place) -> Pattern:
    test = "" if is_repeated(place) else place.test
    scope = f"{VERSION}\0{type_}\0{place.frames}\0{test}"
    return Pattern(digest(f"{scope}\0{template}"), template[:MAX_PATTERN] or type_, digest(scope))


def digest(key: str) -> str:
    """Returns the hash of a key: 16 hex digits."""
    return blake2b(key.encode("utf-8", "replace"), digest_size=8).hexdigest()
