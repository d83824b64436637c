"""Compiles the patterns of redaction with RE2.

RE2 takes linear time for every pattern and every text, also for the patterns of users. All patterns are searched in
UTF-8, so that no text has to be decoded.
"""

from typing import Any, Final

import re2

MAX_MEMORY: Final = (
    2**25
)  # bytes of RE2 for one pattern; with less, the search for suspicious places is 20 times slower


def compiled(pattern: str) -> Any:
    """Returns a built-in pattern, which regards a text as bytes. Letters are ASCII."""
    return _compiled(pattern.encode(), re2.Options.Encoding.LATIN1)


def compiled_by_user(pattern: str) -> Any:
    """Returns a pattern of a user, which regards a text as characters. Raises ValueError with RE2's explanation."""
    try:
        return _compiled(pattern.encode(), re2.Options.Encoding.UTF8)
    except re2.error as error:
        words = error.args[0] if error.args else "it is not a regular expression of RE2"
        raise ValueError(words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)) from None


def _compiled(pattern: bytes, encoding: Any) -> Any:
    options = re2.Options()
    options.encoding = encoding
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    return re2.compile(pattern, options)
