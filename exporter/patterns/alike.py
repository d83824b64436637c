"""Masks with a cache that texts share which differ only in digits. Pure functions.

In real logs, most lines differ from an earlier line only in the values of digits. The cache's key is the text with
every digit replaced by 1, unless the value of a digit matters: then it is the text itself.
"""

import re
from functools import lru_cache
from typing import Final

from exporter.patterns.mask import mask

MAX_REMEMBERED: Final = 1_000  # characters; longer texts are not cached
REMEMBERED: Final = 4_096  # entries in each cache

_ALIKE: Final = bytes.maketrans(b"023456789", b"111111111")
_DIGIT: Final = re.compile("[0-9]")
# Texts, with 1 for each digit, in which another value of a digit may be a code or a term though 1 is none: HTTP status,
# signal and gRPC numbers, hexadecimal, and terms such as `float16`. All other codes and terms show in what is masked.
_VALUES: Final = re.compile(
    r"""
      1[xX] | (?i:sig|grpc) | (?i:got|received|returned|expected)[^1]*+111(?!1) | 111\ ?(?:!=|==|is\ not) | \(111\)
    | (?i:float|complex|bf|tf|fp|double|bool|int|utf|sha|md|base|ipv|amd|arm|win|https?|tls|ssl|oauth|ext|latin)v?[-/]?1
    | (?<![A-Za-z0-9])[A-Za-z][-/]?1
    """,
    re.VERBOSE,
)


def masked(text: str) -> str:
    """Returns `mask(text)`."""
    if len(text) > MAX_REMEMBERED:
        return mask(text)
    alike = text.encode("utf-8", "surrogatepass").translate(_ALIKE).decode("utf-8", "surrogatepass")
    found = _mask_alike(alike)
    return _mask(text) if found is None else found


@lru_cache(REMEMBERED)
def _mask_alike(alike: str) -> str | None:
    """The mask of every text that is `alike` but for its digits; None if they may have several."""
    if _VALUES.search(alike):
        return None
    found = mask(alike)
    return None if _DIGIT.search(found) else found


_mask = lru_cache(REMEMBERED)(mask)
