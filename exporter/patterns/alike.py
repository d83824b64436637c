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
# What these find in a text with 1 for each digit may be a code or a term with another value of the digit, though 1 is
# none: HTTP status, signal and gRPC numbers, hexadecimal, and terms such as `float16`. All other codes and terms show
# in what is masked.
_STATUS: Final = re.compile(r"(?:got|received|returned|expected)[^1]*+111(?!1)|111 ?(?:!=|==|is not) |\(111\)")
_BEFORE_DIGIT: Final = re.compile(r"(?<![a-z])[a-z]++(?=[-/]?1)")
_TERMS: Final = (
    "float", "complex", "bf", "tf", "fp", "double", "bool", "int", "utf", "sha", "md", "base", "ipv", "ip", "amd",
    "arm", "win", "http", "https", "tls", "ssl", "oauth", "ext", "latin",
)  # fmt: skip


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
    if _values_matter(alike.lower()):
        return None
    found = mask(alike)
    return None if _DIGIT.search(found) else found


def _values_matter(alike: str) -> bool:
    """Whether texts that are `alike`, which is in lower case, may have several masks. May be true without need."""
    if "1x" in alike or "sig" in alike or "grpc" in alike or ("111" in alike and _STATUS.search(alike)):
        return True
    return any(len(word) == 1 or word.removesuffix("v").endswith(_TERMS) for word in _BEFORE_DIGIT.findall(alike))


_mask = lru_cache(REMEMBERED)(mask)
