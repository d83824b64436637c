"""Removes terminal control sequences from texts: colours, cursor moves, titles and links that only a terminal obeys.

A sequence begins with ESC (U+001B) or, in its 8-bit form, with CSI (U+009B) or OSC (U+009D). An 8-bit form without
parameters is kept, because UTF-8 text that was decoded as Latin-1 often has U+009B and U+009D and must not be damaged.
Other control characters are kept, too.
"""

import re
from typing import Final

_SEQUENCE: Final = re.compile(
    r"\x1b\[[0-?]*+[ -/]*+[@-~]?"  # CSI, as in ESC [31m, complete or cut off
    r"|\x1b[]PX^_k](?:[^\x07\x1b\x9c\x9d\n]*+(?:\x07|\x1b\\|\x9c))?"  # OSC and other strings, up to BEL or ST
    r"|\x1b[ -/]++[0-~]"  # character sets, as in ESC (B
    r"|\x1b[0-~]"  # two characters, as in ESC 7
    r"|\x9b[0-?]++[ -/]*+[@-~]"  # 8-bit CSI
    r"|\x9d[0-9]++;[^\x07\x1b\x9c\x9d\n]*+(?:\x07|\x1b\\|\x9c)"  # 8-bit OSC
)


def plain_text(text: str) -> str:
    """Returns `text` without terminal control sequences. A link keeps its text and loses its address."""
    if "\x1b" in text or "\x9b" in text or "\x9d" in text:
        return _SEQUENCE.sub("", text)
    return text
