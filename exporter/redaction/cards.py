"""Card numbers: digits whose length, issuer and check digit fit."""

import re
from typing import Final

from exporter.redaction.engine import compiled
from exporter.redaction.mark import Found

RULE: Final = "card-number"
# In groups of four, in the groups of American Express and Diners, or without separators.
SHAPE: Final = r"\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{4}|3\d{3}[ -]\d{6}[ -]\d{4,5}|[3-6]\d{13,18}|2[2-7]\d{14}"
_CANDIDATE: Final = compiled(rf"\b(?:{SHAPE})\b")
_ISSUERS: Final = (  # the lengths, and the first digits
    ((16,), re.compile(rb"4")),
    ((16,), re.compile(rb"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720")),
    ((15,), re.compile(rb"3[47]")),
    ((14,), re.compile(rb"30[0-5]|3[689]")),
    ((16,), re.compile(rb"35(?:2[89]|[3-8])")),
    ((16,), re.compile(rb"6011|64[4-9]|65")),
    ((16, 17, 18, 19), re.compile(rb"62")),
)
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def is_card_number(digits: bytes) -> bool:
    """Returns whether digits, without separators, have the length and beginning of an issuer, and the right check
    digit."""
    if not any(len(digits) in lengths and first.match(digits) for lengths, first in _ISSUERS):
        return False
    if digits.count(digits[:1]) == len(digits):
        return False
    values = [one - 48 for one in reversed(digits)]
    return (sum(values[::2]) + sum([_DOUBLED[one] for one in values[1::2]])) % 10 == 0


def redact_cards(text: bytes, found: Found) -> bytes:
    """Returns `text` with marks for card numbers. Digits that belong to a longer number or name stay."""
    pieces: list[bytes] = []
    done = 0
    for match in _CANDIDATE.finditer(text):
        if not found.place():
            break
        start, end = match.span()
        if found.stays(text[start:end]):
            continue
        if _stands_alone(text, start, end) and is_card_number(re.sub(rb"[ -]", b"", text[start:end])):
            pieces += (text[done:start], found.mark(RULE))
            done = end
    return b"".join((*pieces, text[done:])) if pieces else text


def _stands_alone(text: bytes, start: int, end: int) -> bool:
    """Returns whether neither a part of a decimal number nor one of an id is next to the digits."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    return before[-1:] not in (b".", b"-", b"+", b"/", b":") and not (after[:1] in (b".", b"-") and after[1:].isalnum())
