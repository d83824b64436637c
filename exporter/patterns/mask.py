"""Masks the parts of a message that differ between occurrences of one fault. Pure functions.

A scanner reads the message from left to right. At each position it tries the codes of `codes.py` and the kinds of
`kinds.py` in a fixed order. It writes codes in one spelling, and replaces numbers, paths, addresses and dates by a
placeholder. `fields.field` decides about every other field: it masks a field with a digit as a whole. Then `folds.fold`
joins neighbouring placeholders, units and lists.
"""

import re
from typing import Final

from exporter.events.plain_text import plain_text
from exporter.patterns.codes import CODES, STEMS
from exporter.patterns.fields import HOLE
from exporter.patterns.folds import fold
from exporter.patterns.kinds import COLON, DIGIT, KINDS, LETTER, OTHER, PLAIN, RECORD, WORD, Kind

PLACEHOLDER: Final = "<*>"


def _alternatives(*kinds: Kind) -> str:
    """Returns an alternation of the kinds. Each alternative ends in an empty group, so that `re.Match.lastgroup` is the
    name of the kind. A group around the alternative would prevent `re` from skipping it by its first character."""
    return "|".join(f"{kind.pattern}(?P<{kind.name}>)" for kind in kinds)


_CODES: Final = {
    first: tuple(Kind(code.name, code.pattern, code.spell) for code in CODES if code.first == first)
    for first in ("letter", "digit", "other")
}
_SCANNER: Final = re.compile(
    rf"""(?=[A-Za-z])(?:
            {_alternatives(PLAIN)}
          | (?=(?i:{STEMS})|SIG)(?:{_alternatives(RECORD, *_CODES["letter"])})
          | (?=[\w.+-]{{0,100}}+:)(?:{_alternatives(*COLON)})
          | (?=[A-Za-z]++(?!\d))(?:{_alternatives(*WORD)})
          | {_alternatives(*LETTER)}
        )
      | (?=\d)(?:{_alternatives(*_CODES["digit"], *DIGIT)})
      | {_alternatives(*_CODES["other"], *OTHER)}""",
    re.VERBOSE,
)
_REPLACE: Final = {kind.name: kind.replace for kind in KINDS} | {code.name: code.spell for code in CODES}
_WITHOUT_DIGITS: Final = frozenset((PLAIN.name, "separators", "number"))
_DIGIT: Final = re.compile("[0-9]")
_CODE_NAMES: Final = frozenset(code.name for code in CODES)
# The prefix that the log of the kernel or the system puts before a message: a stamp, or time, host and `kernel:`.
_STAMP: Final = r"\[ *\d++\.\d{6}\] ++"
_PREFIX: Final = re.compile(
    r"(?:<\d{1,3}>)?"
    rf"(?:{_STAMP}|(?:\d{{4}}-\d\d-\d\dT\S++|[A-Z][a-z]{{2}} [ \d]\d [\d:]{{8}}) [\w.-]++ kernel: ++(?:{_STAMP})?)"
)
_ROWS: Final = re.compile(r"(?<=\n)\d++\t[^\n]*+")  # rows of a table: lines that begin with a number and a tab


def mask(text: str) -> str:
    """Returns `text` with `<*>` for the parts that differ between occurrences of a fault, codes in one spelling, and
    one blank for each run of white space. Never raises."""
    masked = " ".join(_SCANNER.sub(_replace, _clean(text)).split())
    return fold(masked).replace(HOLE, PLACEHOLDER)


def mask_and_digits(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Returns `mask(text)`, and start and end of each place of `text` whose digits change the result: codes, and fields
    that keep a digit. Does not find a number that is masked but would be a code with other digits."""
    cleaned = _clean(text)
    places: list[tuple[int, int]] = []

    def replace(found: re.Match[str]) -> str:
        result = _replace(found)
        name = found.lastgroup
        if name in _CODE_NAMES:
            id_ = f"{name}_id"
            places.append(found.span(id_) if found.re.groupindex.get(id_) and found[id_] else found.span())
        elif name == RECORD.name or (name not in _WITHOUT_DIGITS and _DIGIT.search(result)):
            places.append(found.span())
        return result

    masked = " ".join(_SCANNER.sub(replace, cleaned).split())
    if places and len(cleaned) != len(text):
        shift = len(text) - len(cleaned)
        whole = [(0, len(text))]
        places = [(start + shift, end + shift) for start, end in places] if text.endswith(cleaned) else whole
    return fold(masked).replace(HOLE, PLACEHOLDER), places


def kept(text: str) -> tuple[str, ...]:
    """Returns the codes of `text` in the spelling in which `mask` keeps them, in the order of the text."""
    matches = _SCANNER.finditer(_clean(text))
    return tuple(_replace(found).strip("()") for found in matches if found.lastgroup in _CODE_NAMES)


def _clean(text: str) -> str:
    text = plain_text(text)
    if prefix := _PREFIX.match(text):
        text = text[prefix.end() :]
    if "\t" in text:
        text = _ROWS.sub(HOLE, text)
    return text.replace(PLACEHOLDER, HOLE)


def _replace(found: re.Match[str]) -> str:
    replace = _REPLACE[found.lastgroup or "rest"]
    if replace is None:
        return found.group()
    return replace if isinstance(replace, str) else replace(found)
