"""Folds what stands beside placeholders in a masked text: units, lists, dates, repeated blocks."""

import re
from typing import Final

from exporter.patterns.fields import HOLE

DAY_OR_MONTH: Final = (
    "(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?|Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?"
    r"|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b"
)
_UNIT: Final = "|".join(
    (
        r"(?:[KMGTPE]i?|[kmgtp])(?:[Bb](?:ytes?|its?)?(?:/s(?:ec)?|ps)?)?|[Bb]",  # GiB, kB, Mi, G, MB/s
        r"(?:kilo|mega|giga|tera)?[Bb]ytes?|bits?",
        r"[nmµu]?s|h|hrs?|(?:nano|micro|milli)?sec(?:ond)?s?|min(?:ute)?s?|hours?|d|days?|w|weeks?|months?|years?",
        r"[kMG]?Hz|°?[CF]|%|percent|[mk]?W|[rR][pP][mM]|fps|px",
        r"[AaPp]\.?[Mm]|UTC|GMT|Z|[ECMP][SD]T|CES?T|EES?T|BST|IST|JST|MSK|HKT|SGT|AE[SD]T",
    )
)
# A placeholder and what belongs to it: the rest of a list, a time, an address; a unit; the month of a date; a short
# hexadecimal part of an address; the comma of `(3,)`.
_NEIGHBOURS: Final = re.compile(
    rf"""\x00(?:
          [\ ,:;/.+@~x-]{{0,6}}+(?:(?:and|or)\ )?\x00
        | ,?\ ?(?:{_UNIT})(?![\w-])
        | [\ ,/-]{DAY_OR_MONTH}(?=[\ ,]\x00)
        | ::?[0-9A-Fa-f]{{1,4}}(?!\w)
        | \.?,?(?=[\])])
      )*+""",
    re.VERBOSE,
)
# Counted things, in the plural: `1 attempt` and `3 attempts` are one.
_COUNTED: Final = re.compile(
    r"(\x00 (?:\w{1,24} )?(?:attempt|byte|call|character|child|chunk|connection|core|device|element|error|event|failure"
    r"|file|GPU|item|job|line|message|node|object|packet|page|process|request|row|sample|step|task|test|thread|time|token"
    r"|warning|worker))(?:s|es)?\b"
)
_NESTED: Final = re.compile(r"\[{2,}\x00\]+(?:,? ?\[+\x00\]+)*+\]*+|(?<!\w)\[\]")
_LONGEST_BLOCK: Final = 12  # words of a repeated block


def fold(masked: str) -> str:
    """Returns `masked`, a text in which white space is single blanks, with neighbouring placeholders as one."""
    if HOLE in masked:
        masked = _COUNTED.sub(r"\1s", _NEIGHBOURS.sub(HOLE, masked))
        if masked.count(HOLE) > 1:
            masked = once(masked)
    return _NESTED.sub(f"[{HOLE}]", masked) if "[[" in masked or "[]" in masked else masked


def once(masked: str) -> str:
    """Returns `masked` with one of each run of equal blocks of words that hold a placeholder: `a <*> b <*> a <*> b <*>`
    becomes `a <*> b <*>`."""
    words = masked.split(" ")
    if len(set(words)) > len(words) - 3:
        return masked
    out: list[str] = []
    at = 0
    while at < len(words):
        out.append(words[at])
        at += 1
        for length in range(1, min(_LONGEST_BLOCK, len(out), len(words) - at) + 1):
            block = words[at : at + length]
            if block[-1] == out[-1] and block == out[-length:] and HOLE in "".join(block):
                while words[at : at + length] == block:
                    at += length
                break
    return " ".join(out)
