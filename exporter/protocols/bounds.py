"""Limits what a report keeps of a message of another protocol: its depth, its values, and its characters.

What fits no field of an error report is kept under a key of its protocol. Its size is up to the sender, so it is cut
here, before it becomes JSON again. `[cut]` marks each place at which something is missing.

A text is cut between words: redaction comes later, and would not know the half of a token.
"""

import re
from typing import Any, Final

MAX_DEPTH: Final = 8
MAX_ITEMS: Final = 100  # of one object or list
MAX_KEY: Final = 256  # characters
MAX_TEXT: Final = 4_096  # characters of one text
MAX_VALUES: Final = 1_000  # of all that is kept of one message
MAX_CHARACTERS: Final = 65_536
MARK: Final = "[cut]"
LONGEST_WORD: Final = 2_048  # characters: a longer one, which no token has, is cut in its middle
_BIGGEST: Final = 2**63
_WORD: Final = re.compile(r"[^\s\"',;<>(){}\[\]]*")


def beginning(text: str, most: int) -> str:
    """Returns the first `most` characters at most, without the part of a word that is left of one that was cut."""
    if len(text) <= most:
        return text
    kept = text[: max(most, 0)]
    part = _word(kept[: -LONGEST_WORD - 1 : -1]) if _word(text[most : most + 1]) else 0
    return kept[: len(kept) - part] if part < LONGEST_WORD else kept


def ending(text: str, most: int) -> str:
    """As `beginning`, of the last characters."""
    return beginning(text[::-1], most)[::-1]


def _word(text: str) -> int:
    """Returns the length of the word that a text begins with."""
    found = _WORD.match(text)
    return found.end() if found else 0


class Bounds:
    """What is left of the limits of one report. The parts of a message that are kept share it."""

    def __init__(self, values: int = MAX_VALUES, characters: int = MAX_CHARACTERS) -> None:
        self._values = values
        self._characters = characters

    def keep(self, value: Any, *, newest: bool = False) -> Any:
        """Returns a copy of a decoded JSON value within the limits. `newest`: of a list that is too long, the items at
        its end are kept."""
        return self._keep(value, MAX_DEPTH, newest=newest)

    def _keep(self, value: Any, depth: int, *, newest: bool = False) -> Any:
        self._values -= 1
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int) and not -_BIGGEST <= value < 2 * _BIGGEST:
            return self._text(str(value) if value.bit_length() < 1_000 else MARK)
        if isinstance(value, dict | list):
            if not value:
                return value
            if depth <= 0 or self._values <= 0 or self._characters <= 0:
                return MARK
            return self._object(value, depth) if isinstance(value, dict) else self._list(value, depth, newest=newest)
        return value

    def _object(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, item in value.items():
            if len(kept) >= MAX_ITEMS or self._values <= 0 or self._characters <= 0:
                kept[MARK] = f"{len(value) - len(kept)} more"
                break
            name = str(name)[:MAX_KEY]
            self._characters -= len(name)
            kept[name] = self._keep(item, depth - 1)
        return kept

    def _list(self, value: list[Any], depth: int, *, newest: bool) -> list[Any]:
        chosen = value[-MAX_ITEMS:] if newest else value[:MAX_ITEMS]
        kept: list[Any] = []
        for item in reversed(chosen) if newest else chosen:
            if self._values <= 0 or self._characters <= 0:
                break
            kept.append(self._keep(item, depth - 1))
        if newest:
            kept.reverse()
        if len(kept) < len(value):
            kept.insert(0 if newest else len(kept), f"{MARK} {len(value) - len(kept)} more")
        return kept

    def _text(self, text: str) -> str:
        most = max(min(MAX_TEXT, self._characters), 0)
        self._characters -= min(len(text), most)
        return text if len(text) <= most else f"{beginning(text, most)}…{MARK}"
