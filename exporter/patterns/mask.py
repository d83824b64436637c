"""Masks what differs between occurrences of one fault. Pure functions.

A scanner reads a message from left to right. At each place it tries the kinds of the table below in their order. Codes
(`codes.py`) stay, in one spelling; a number, a path, an address or a date becomes a placeholder; every other field goes
through `fields.field`, which masks a field that holds a digit as a whole. Then `folds.fold` joins neighbouring
placeholders, units and lists.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from exporter.patterns.codes import CODES, STEMS
from exporter.patterns.fields import FIELD, HOLE, NO_FIELD, SEPARATORS, field, path
from exporter.patterns.folds import DAY_OR_MONTH, fold

PLACEHOLDER: Final = "<*>"
_NO_NUMBER: Final = r"(?:nan|NaN|NAN|inf|Inf|INF|infinity|Infinity)\b"
_ROOT: Final = r"(?:~?/|\.{1,2}/|[A-Za-z]:[\\/]|\\\\)"
_QUOTED: Final = r"""(?:'[^'\n\[\]]{0,80}+'|"[^"\n\[\]]{0,80}+")"""


class Kind(NamedTuple):
    """`name` is a group of the scanner. `replace` is what replaces a match: a text, a function, or None for a match that
    stays as it is."""

    name: str
    pattern: str
    replace: str | Callable[[re.Match[str]], str] | None


# A run of words of letters only, and what separates them: the fast path. A word that may begin another kind is none.
PLAIN: Final = Kind(
    "plain",
    rf"""(?:
          (?:(?=[abdfijklmpqtuvyzBKLPQUVYZ])(?!inf\b)|(?!(?i:{STEMS})|{DAY_OR_MONTH}|{_NO_NUMBER}|SIG))
          (?![A-Fa-f]{{8}})[A-Za-z]++(?:-[A-Za-z]++)*+(?![:=]\S){NO_FIELD}
          (?:[\s,;)\]}}>!?]|[.:=](?=\s)|[<{{](?=[A-Za-z])|["'](?=[A-Za-z])(?!.:[\\/])|\((?=[A-Za-z])(?!n(?:il|ull)\))
            |\[(?=[A-Za-z])(?![A-Fa-f]{{1,4}}\d{{0,3}}:))*+
        )++""",
    None,
)
# Kinds that begin with a letter, after the codes.
LETTER: Final = (
    # worker_exit_code: the part before a code's label
    Kind("prefix", r"(?:[A-Za-z]++_)*?[A-Za-z]++_(?=(?i:s?xid|exit|err|status|code|ret|sql|sig))", None),
    # Mar 15 12:34:56 · Sun, 15 Mar: the names; the numbers are fields of their own
    Kind("date", rf"(?:{DAY_OR_MONTH}[.,]?\s{{1,3}})+(?=\d)", HOLE + " "),
    # https://a.example/x?id=1
    Kind(
        "url",
        r"""[A-Za-z][\w+.-]{0,30}+://(?:\[[0-9A-Fa-f:.]++\])?[^\s"'<>()\[\]{}`|\x00]*+(?<![.,;:!?])""",
        HOLE,
    ),
    # C:\Program Files\a.dll
    Kind("drive", rf"""[A-Za-z]:[\\/](?:(?:[^\s\\/:"'<>|,;]++\ ){{0,3}}+[^\s\\/:"'<>|,;]++[\\/]++)*+{FIELD}*+""", path),
    # ipv6:[::1]:80: the prefix of an address
    Kind("ip_prefix", r"ipv[46]:(?=[\d\[%])", HOLE),
    # FF:F2:9F:16:E2 · fe80::1%eth0
    Kind(
        "hex_colons",
        r"(?=[A-Fa-f:]{0,20}+\d|(?:[A-Fa-f]{2}:){4})[A-Fa-f][0-9A-Fa-f]{0,7}:{1,2}+(?=[0-9A-Fa-f]{1,4}\b)",
        HOLE,
    ),
    # api.example.com:443 · localhost:8080
    Kind(
        "host",
        r"(?:(?:[A-Za-z_-]++\.)++(?!(?:c|h|cc|cpp|cu|go|hs|java|js|kt|ml|php|pl|py|rb|rs|sh|ts):)[A-Za-z]{2,12}|localhost)(?=:\d{2,5}(?!\d))",
        HOLE,
    ),
    # nan
    Kind("no_number", rf"{_NO_NUMBER}{NO_FIELD}", HOLE),
    Kind("name", rf"{FIELD}++", field),
)
# Kinds that begin with a digit: numbers, times, versions, ids, and lists of them.
DIGIT: Final = (Kind("number", rf"\d{FIELD}*+(?:[ ,:]{{1,2}}\d{FIELD}*+)*+", HOLE),)
# Kinds that begin with another character.
OTHER: Final = (
    Kind("separators", r"""[\s,;)\]}>`|=]++(?<![ \t](?=\d))|[:'"](?=[A-Za-z\d])""", None),
    # "/srv/my data/a.csv"
    Kind("quoted_path", rf"""(?:"(?={_ROOT})[^"\n]{{2,400}}+"|'(?={_ROOT})[^'\n]{{2,400}}+')""", f"'{HOLE}'"),
    # /srv/a.csv · ../x · ~/x · \\host\share
    Kind("path", rf"(?:~|\.{{1,2}})?/(?=[\w.~*$@%/-])(?:{FIELD}|[=&])++|\\\\{FIELD}++", path),
    # [::1]:80 · ::1
    Kind("ip", r"\[(?=[0-9A-Fa-f.]{0,15}+:)[0-9A-Fa-f:.]{2,45}+(?:%\w{1,20})?\]|(?<!\w)::(?=[0-9A-Fa-f]{1,4}\b)", HOLE),
    # (nil) · -inf
    Kind("nil", rf"\((?:nil|null)\)|[-+]{_NO_NUMBER}{NO_FIELD}", HOLE),
    # ['a', 'b']: a list of quoted values, one or several
    Kind("quoted_list", rf"(?<!\w)\[{_QUOTED}(?:,\ ?{_QUOTED})*+\]", f"[{HOLE}]"),
    # [ 12.345678]: blanks that right-align a number
    Kind("padding", r"[\[(]\s+(?=\d)", lambda found: found.group()[0]),
    # -5, #3, $x
    Kind("symbol", rf"(?![.\\]?[.\\])[^\w{SEPARATORS}]{FIELD}*+", field),
    Kind("rest", r"\.++|[\s\S]", None),
)


def _alternatives(kinds: tuple[Kind, ...]) -> str:
    return "|".join(
        kind.pattern if f"(?P<{kind.name}>" in kind.pattern else f"(?P<{kind.name}>{kind.pattern})" for kind in kinds
    )


_CODES: Final = {
    first: tuple(Kind(code.name, code.pattern, code.spell) for code in CODES if code.first == first)
    for first in ("letter", "digit", "other")
}
_SCANNER: Final = re.compile(
    rf"""{_alternatives((PLAIN,))}
      | (?=[^\W\d])(?:(?=(?i:{STEMS})|SIG)(?:{_alternatives(_CODES["letter"])})|{_alternatives(LETTER)})
      | (?=\d)(?:{_alternatives(_CODES["digit"] + DIGIT)})
      | {_alternatives(_CODES["other"] + OTHER)}""",
    re.VERBOSE,
)
_REPLACE: Final = {
    kind.name: kind.replace
    for kind in (PLAIN, *LETTER, *DIGIT, *OTHER, *(k for kinds in _CODES.values() for k in kinds))
}
_CODE_NAMES: Final = frozenset(code.name for code in CODES)
_ROWS: Final = re.compile(r"(?<=\n)\d++\t[^\n]*+")
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|\][^\x07\x1b]*+(?:\x07|\x1b\\)?|[@-_])")


def mask(text: str) -> str:
    """Returns `text` with `<*>` for the parts that differ between occurrences of an error, and one blank for each run of
    white space. Codes stay, in one spelling. Never raises."""
    masked = " ".join(_SCANNER.sub(_replace, _clean(text)).split())
    return fold(masked).replace(HOLE, PLACEHOLDER)


def kept(text: str) -> tuple[str, ...]:
    """Returns the codes that `mask` keeps of `text`, as `mask` spells them, in their order."""
    matches = _SCANNER.finditer(_clean(text))
    return tuple(_replace(found) for found in matches if found.lastgroup in _CODE_NAMES)


def _clean(text: str) -> str:
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    if "\t" in text:
        text = _ROWS.sub(HOLE, text)
    return text.replace(PLACEHOLDER, HOLE)


def _replace(found: re.Match[str]) -> str:
    replace = _REPLACE[found.lastgroup or "rest"]
    if replace is None:
        return found.group()
    return replace if isinstance(replace, str) else replace(found)
