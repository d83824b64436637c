"""Texts without the secrets in them, for the log and for answers."""

import re
from typing import Final

SECRET: Final = "<secret>"  # as Prometheus shows it
_USER: Final = re.compile(r"(?<=://)[^/?#\s]*@")
_QUERY: Final = re.compile(r"(?<=\?)[^#\s]+")


def without_secrets(text: str) -> str:
    """Returns a text in which the user, password and query of addresses (http://user:password@host/?key=…) are masked.
    A text without `://` is returned as it is."""
    if "://" not in text:
        return text
    return _QUERY.sub(SECRET, _USER.sub(f"{SECRET}@", text))
