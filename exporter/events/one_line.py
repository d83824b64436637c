"""Makes texts of reports fit for a line: cuts them and replaces control characters, because terminals, chat and mail
programs may interpret them."""

from typing import Final

# Line and paragraph separators, and characters that change the direction of the text after them.
_BREAKS: Final = (*range(0x2028, 0x202F), *range(0x2066, 0x206A))
_VISIBLE: Final = dict.fromkeys((*range(32), *range(127, 160), *_BREAKS), "�") | {9: "\t", 10: "\n"}
_ONE_LINE: Final = _VISIBLE | {9: " ", 10: " "}


def one_line(text: str, most: int) -> str:
    """Returns `text` in one line, with control characters replaced, cut to `most` characters."""
    return cut(text.translate(_ONE_LINE), most).strip()


def cut(text: str, most: int, *, end: bool = False) -> str:
    """Returns the beginning of `text`, or with `end` its end: `most` characters at most, with an ellipsis at the cut.
    Line breaks become "\\n"; other control characters except tabs are replaced."""
    if len(text) > most:
        text = "…" + text[len(text) - most + 1 :] if end else text[: most - 1] + "…"
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_VISIBLE)
