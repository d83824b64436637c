"""Caches masked texts by a key in which digits are replaced by 1. Pure functions.

In real logs, most lines differ from an earlier line only in the values of digits, so most lines are found in the cache.
The key keeps digits whose value may change the masked text: those of a code, or of a term such as `float16`.
"""

import re
from functools import lru_cache
from typing import Final

from exporter.patterns.codes import ANSWER
from exporter.patterns.mask import mask, mask_and_digits

MAX_REMEMBERED: Final = 1_000  # characters; longer texts are not cached
REMEMBERED: Final = 4_096  # entries in each cache

_ALIKE: Final = bytes.maketrans(b"023456789", b"111111111")
# Find places that are no code and no term while every digit is 1, but may be one with the original digits. `_ANYWHERE`
# finds hexadecimal, signals and gRPC codes: then the key keeps all digits of the text. `_PLACES` finds HTTP status
# codes, and words with a digit after them: then the key keeps the digits of this place.
_ANYWHERE: Final = re.compile("1x|sig|grpc", re.IGNORECASE)
_PLACES: Final = re.compile(
    rf"""\(111\) | 111\ ?(?:!=|==|is\ not)\ ?111 | {ANSWER}111
      | (?<![a-z])(?P<word>[a-z]++)[-/]?1[\w./-]*+""",
    re.VERBOSE | re.IGNORECASE,
)
_TERMS: Final = (
    "float", "complex", "bf", "tf", "fp", "double", "bool", "int", "utf", "sha", "md", "base", "ipv", "ip", "amd",
    "arm", "win", "http", "https", "tls", "ssl", "oauth", "ext", "latin",
)  # fmt: skip
_LETTERS: Final = frozenset("efikpsux")  # with a digit after them, they may be a term: f32, s3, k8s, x86


def masked(text: str) -> str:
    """Returns `mask(text)`, from a cache if it has the text or one that differs only in digits that do not matter."""
    if len(text) > MAX_REMEMBERED:
        return mask(text)
    alike = text.encode("utf-8", "surrogatepass").translate(_ALIKE).decode("utf-8", "surrogatepass")
    template, places = _shape(alike)
    if not places:
        return template
    for start, end in places:
        alike = alike[:start] + text[start:end] + alike[end:]
    return _mask(alike)


@lru_cache(REMEMBERED)
def _shape(alike: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Returns `mask(alike)`, and start and end of each place of `alike` where other digits may change it. Every digit
    of `alike` must be 1."""
    if _ANYWHERE.search(alike):
        return "", ((0, len(alike)),)
    template, places = mask_and_digits(alike)
    for found in _PLACES.finditer(alike):
        word = (found["word"] or "").lower()
        if not word or word in _LETTERS or word.removesuffix("v").endswith(_TERMS):
            places.append(found.span())
    return template, tuple(places)


_mask = lru_cache(REMEMBERED)(mask)
