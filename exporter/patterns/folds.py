"""Joins placeholders of a masked text with what belongs to them: units, lists, dates, repeated blocks. Pure
functions."""

import re
from typing import Final

from exporter.patterns.fields import HOLE

DAY_OR_MONTH: Final = (
    "(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?|Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?"
    r"|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b"
)
_UNIT: Final = "|".join(
    (
        r"(?:[KMGTPE]i?|[kmgtp])[Bb](?:ytes?|its?)?(?:/s(?:ec)?|ps)?|[KMGT]i?|B",  # GiB, kB, Mi, G, MB/s
        r"(?:kilo|mega|giga|tera)?[Bb]ytes?|bits?",
        r"[nmµu]?s|hrs?|(?:nano|micro|milli)?sec(?:ond)?s?|min(?:ute)?s?|hours?|days?|weeks?|months?|years?",
        r"[kMG]?Hz|°?[CF]|%|percent|[mk]?W|[rR][pP][mM]|fps|px",
        r"[AaPp]\.?[Mm]|UTC|GMT|Z|[ECMP][SD]T|CES?T|EES?T|BST|IST|JST|MSK|HKT|SGT|AE[SD]T",
    )
)
# A placeholder with what belongs to it: further items of a list, further parts of a time or an address; a unit; the
# month of a date; a short hexadecimal part of an address; the comma of `(3,)`.
_NEIGHBOURS: Final = re.compile(
    rf"""\x00(?:
          [\ ,:;/.+@~x-]{{0,6}}+(?:(?:and|or)\ |>)?\x00
        | \[\x00\]
        | ,?\ ?(?:{_UNIT})(?![\w-])
        | [\ ,/-]{DAY_OR_MONTH}(?=[\ ,]\x00)
        | ::?[0-9A-Fa-f]{{1,4}}(?!\w)
        | \.?,?(?=[\])])
      )*+""",
    re.VERBOSE,
)
# Counted things: both `1 attempt` and `3 attempts` become `<*> attempt(s)`.
_COUNTED: Final = re.compile(
    r"""(\x00\ (?:(?!(?:a|and|as|at|by|for|from|in|is|no|of|on|or|per|the|to|was|with)\ )\w{1,24}\ )?
        (?:attempt|byte|call|character|child|chunk|connection|core|device|element|error|event|failure|file|GPU|item|job|line
          |message|node|object|packet|page|process|request|row|sample|step|task|test|thread|time|token|warning|worker))
        (?:\((?:e?s)\)|e?s)?(?![\w(]|\ \d)""",
    re.VERBOSE,
)
_NESTED: Final = re.compile(r"(?<!\[)\[{2,}\x00\]+(?:,? ?\[+\x00\]+)*+\]*+|(?<!\w)\[\]")
_QUOTED: Final = re.compile(r"""((["'])\x00\2)(?:,\ ?\1)+""", re.VERBOSE)


def fold(masked: str) -> str:
    """Returns `masked` with one placeholder for each group of neighbouring placeholders and what belongs to them.
    `masked` must have single blanks as its only white space."""
    if HOLE in masked:
        masked = _NEIGHBOURS.sub(HOLE, masked)
        if _COUNTED.search(masked):  # `sub` with a group in the replacement is slow even where nothing matches
            masked = _COUNTED.sub(r"\1(s)", masked)
        if masked.count(HOLE) > 1:
            masked = once(masked)
    if f'"{HOLE}",' in masked or f"'{HOLE}'," in masked:
        masked = _QUOTED.sub(r"\1", masked)
    return _NESTED.sub(f"[{HOLE}]", masked) if "[[" in masked or "[]" in masked else masked


def once(masked: str) -> str:
    """Returns `masked` without repeated blocks: a block of words with a placeholder that follows an equal block is
    removed. `a <*> b <*> a <*> b <*>` becomes `a <*> b <*>`."""
    words = masked.split(" ")
    if len(set(words)) > len(words) - 2:
        return masked
    out: list[str] = []
    last: dict[str, int] = {}  # word → index of its last occurrence in `out`
    for word in words:
        before = last.get(word)
        last[word] = len(out)
        out.append(word)
        if before is None:
            continue
        length = len(out) - 1 - before
        block = out[-length:]
        if block == out[-2 * length : -length] and HOLE in "".join(block):
            del out[-length:]
            last.update((same, len(out) - length + n) for n, same in enumerate(block))
    return " ".join(out)
