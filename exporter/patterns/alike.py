"""Caches masked texts by a key in which every digit is replaced by 1. Pure functions.

In real logs, most lines differ from an earlier line only in the values of digits, so most lines are found in the cache.
Where the value of a digit may change the masked text, as in a code, the key is the text itself.
"""

import re
from functools import lru_cache
from typing import Final

from exporter.patterns.mask import mask

MAX_REMEMBERED: Final = 1_000  # characters; longer texts are not cached
REMEMBERED: Final = 4_096  # entries in each cache

_ALIKE: Final = bytes.maketrans(b"023456789", b"111111111")
_DIGIT: Final = re.compile("[0-9]")
# Matches a key if the value of a digit may matter although 1 is no code and no term there: an HTTP status, a signal or
# gRPC number, hexadecimal, or a term such as `float16`. All other codes and terms keep a digit in the masked text,
# which `_mask_alike` checks.
_VALUES: Final = re.compile(
    r"""
      1[xX] | (?i:sig|grpc) | (?i:got|received|returned|expected)[^1]*+111(?!1) | 111\ ?(?:!=|==|is\ not) | \(111\)
    | (?i:float|complex|bf|tf|fp|double|bool|int|utf|sha|md|base|ipv|amd|arm|win|https?|tls|ssl|oauth|ext|latin)v?[-/]?1
    | (?<![A-Za-z0-9])[A-Za-z][-/]?1
    """,
    re.VERBOSE,
)


def masked(text: str) -> str:
    """Returns `mask(text)`, from a cache if it has the text or one that differs only in digits that do not matter."""
    if len(text) > MAX_REMEMBERED:
        return mask(text)
    alike = text.encode("utf-8", "surrogatepass").translate(_ALIKE).decode("utf-8", "surrogatepass")
    found = _mask_alike(alike)
    return _mask(text) if found is None else found


@lru_cache(REMEMBERED)
def _mask_alike(alike: str) -> str | None:
    """Returns the masked text of every text that becomes `alike` when its digits are replaced by 1; None if the texts
    may have different ones."""
    if _VALUES.search(alike):
        return None
    found = mask(alike)
    return None if _DIGIT.search(found) else found


_mask = lru_cache(REMEMBERED)(mask)
