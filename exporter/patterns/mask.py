"""Masks what differs between occurrences of one fault. Pure functions.

A message is read as *fields*: what stands between blanks, commas, brackets, quotes, `=` and `:`. A field that holds a
digit, a path, an address or a date becomes `<*>` as a whole, so that ids fold whatever their shape: `7f3a`, `1200` and
`web-5dbc-x2` are one. Kept are the codes of `codes.py` and the words of `terms.py`. Then neighbouring placeholders, units
and lists become one placeholder.

While masking, one character stands for the placeholder.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from exporter.patterns.codes import CODES, STEMS
from exporter.patterns.terms import is_term

PLACEHOLDER: Final = "<*>"
_HOLE: Final = "\0"

_SEPARATORS: Final = r"""\s=,;()\[\]{}<>"'`|:\x00"""
_F: Final = rf"(?:[^{_SEPARATORS}.]|\.(?=[^{_SEPARATORS}.]))"  # a character of a field; a dot at its end is none
_NO_F: Final = rf"(?![^{_SEPARATORS}.]|\.[^{_SEPARATORS}.])"
_DAY_OR_MONTH: Final = (
    "(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?|Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?"
    r"|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b"
)
_NO_NUMBER: Final = r"(?:nan|NaN|NAN|inf|Inf|INF|infinity|Infinity)\b"
_ROOT: Final = r"(?:~?/|\.{1,2}/|[A-Za-z]:[\\/]|\\\\)"


class Kind(NamedTuple):
    """A kind of field. `name` is its group in the scanner. `replace` is what replaces a match: a text, a function, or
    None for a match that stays as it is."""

    name: str
    pattern: str
    replace: str | Callable[[re.Match[str]], str] | None


def _token(found: re.Match[str]) -> str:
    return found.group() if is_term(found.group()) else _HOLE


def _source(found: re.Match[str]) -> str:
    path = found["source"].replace("\\", "/")
    directory, _, name = path.rpartition("/")
    if path.startswith(("/tmp/", "/var/folders/")):
        return _HOLE
    if path[0] in "/~." or ":" in path or any(map(str.isdigit, directory)):
        return name
    return path


# Tried in this order wherever a field or a separator begins. `plain` is a shortcut over words of letters only.
KINDS: Final = (
    Kind(
        "plain",
        rf"""(?:(?:(?![A-Fa-f]{{8}})(?=[abdfijklmpqtuvyzBKLPQUVYZ])(?!inf\b)
                |(?!(?i:{STEMS})|{_DAY_OR_MONTH}|{_NO_NUMBER}|SIG|[A-Fa-f]{{8}}))
              [A-Za-z]++(?:-[A-Za-z]++)*+(?![:=]\S){_NO_F}
              (?:[\s,;)\]}}>!?]|[.:=](?=\s)|["'{{<](?=[A-Za-z])|\[(?=[A-Za-z])(?![A-Fa-f]{{1,4}}\d?\w?\w?:)|\((?=[A-Za-z])(?!n(?:il|ull)\)))*+)++""",
        None,
    ),
    *(Kind(code.name, code.pattern, code.spell) for code in CODES),
    # worker_exit_code: the part before a code's label
    Kind("prefix", r"(?P<prefix>(?:[A-Za-z]++_)*?[A-Za-z]++_)(?=(?i:s?xid|exit|err|status|code|ret|sql|sig))", None),
    # Mar 15 12:34:56 · Sun, 15 Mar: the names; the numbers are fields of their own
    Kind("date", rf"(?:{_DAY_OR_MONTH}[.,]?\s+)+(?=\d)", _HOLE + " "),
    # https://a.example/x?id=1
    Kind(
        "url",
        r"""[A-Za-z][A-Za-z0-9+.-]{0,30}+://(?:\[[0-9A-Fa-f:.]++\])?[^\s"'<>()\[\]{}`|\x00]*+(?<![.,;:!?])""",
        _HOLE,
    ),
    # src/net.rs:42 · tests/test_a.py::test_b: a place in the source, named without the directories of one machine
    Kind(
        "source",
        r"""(?P<source>(?:[A-Za-z]:)?[/\\]?(?:[\w.+@~-]++[/\\]++)*+[\w+-]++(?:\.[\w+-]++)*+
              (?:(?<=\.[chR])|(?<=\.(?:cc|cu|go|hs|js|kt|ml|pl|py|rb|rs|sh|ts))|(?<=\.(?:cpp|cuh|cxx|hpp|jsx|mjs|php|pyi|pyx|tsx))
                |(?<=\.(?:java)))(?=:\d|::\w|\(\d|["']?,\ line\ ))(?:(?:::[A-Za-z_]\w*+)*+)""",
        _source,
    ),
    # "/srv/my data/a.csv" · C:\Program Files\a.dll · ../x · \\host\share
    Kind(
        "path",
        rf"""(?<=")(?={_ROOT})[^"\n]{{2,400}}(?=") | (?<=')(?={_ROOT})[^'\n]{{2,400}}(?=')
            | [A-Za-z]:[\\/](?:[^\s\\/:"'<>|,;]++(?:\ [^\s\\/:"'<>|,;]++){{0,3}}+[\\/]++)*+(?:{_F})*+
            | \\\\{_F}++
            | (?:~|\.{{1,2}})?/(?=[\w.~*$@%/-])(?:{_F}|[=&])++""",
        _HOLE,
    ),
    # a/b/c: a relative path; one slash joins words (`input/output`)
    Kind("slashes", rf"[^{_SEPARATORS}\\/]++[\\/][^{_SEPARATORS}\\/]++[\\/]{_F}*+", _HOLE),
    # fe80::1%eth0 · [::1]:80 · FF:F2:9F:16:E2 · 0000:3b:00.0
    Kind(
        "colons",
        r"""\[(?=[0-9A-Fa-f.]*+:)[0-9A-Fa-f:.]{2,45}(?:%\w{1,20})?\]
            | (?<!\w)(?=[A-Fa-f:]{0,40}+\d|(?:[A-Fa-f]{2}:){4})(?:[0-9A-Fa-f]{1,8}|(?=::)):(?:[0-9A-Fa-f]{0,4}:)++
              [0-9A-Fa-f]{0,4}(?:\.\d++)*+(?:%\w{1,20})?(?!\w)""",
        _HOLE,
    ),
    # ipv6:[::1]:80: the prefix of an address
    Kind("ip_prefix", r"ipv[46]:(?=[\d\[%])", _HOLE),
    # [ 12.345678]: blanks that right-align a number
    Kind("padding", r"(?<=[\[(])\s+(?=\d)", ""),
    # (nil) · nan · -inf
    Kind("nil", rf"\((?:nil|null)\)|[-+]?{_NO_NUMBER}{_NO_F}", _HOLE),
    # ['a', 'b']: a list of quoted values, one or several
    Kind(
        "quoted_list",
        r"""(?<!\w)\[(?:'[^'\n\[\]]{0,80}+'|"[^"\n\[\]]{0,80}+")(?:,\ ?(?:'[^'\n\[\]]{0,80}+'|"[^"\n\[\]]{0,80}+"))*+\]""",
        f"[{_HOLE}]",
    ),
    # user@host · Foo@abcdef
    Kind("at", rf"[\w.+-]++@\w{_F}*+", _HOLE),
    # hub.ci.example.com · api.example.com:443
    Kind(
        "host",
        rf"""(?:[A-Za-z0-9_-]++\.)++(?:(?<=\.)(?:com|org|edu|gov|internal|local|localdomain|lan|corp|example)
             | (?<=\.)[A-Za-z]{{2,12}}(?=:\d{{2,5}}(?!\d))){_NO_F}
             | (?:[A-Za-z0-9_-]++\.){{2,}}+(?:net|io|int|mil|de|uk|fr|nl|cn|jp|kr|hk|tw|in|ru|br|ca|au|eu|us|ch|se|it|es){_NO_F}""",
        _HOLE,
    ),
    # any other field that holds a digit: number, id, version, address, time
    Kind("token", rf"(?:[^{_SEPARATORS}.\d]|\.(?=[^{_SEPARATORS}.]))*+\d{_F}*+", _token),
    # hexadecimal without a digit
    Kind("hex", rf"[A-Fa-f]{{8,}}+{_NO_F}", _HOLE),
    Kind("word", rf"{_F}++", None),
    Kind("rest", r"""[\s,;)\]}>`|]++|\.++|[^\w]""", None),
)


def _alternative(kind: Kind) -> str:
    return kind.pattern if f"(?P<{kind.name}>" in kind.pattern else f"(?P<{kind.name}>{kind.pattern})"


_SCANNER: Final = re.compile("|".join(map(_alternative, KINDS)), re.VERBOSE)
_REPLACE: Final = {kind.name: kind.replace for kind in KINDS}
_CODE_NAMES: Final = frozenset(code.name for code in CODES)

_UNIT: Final = (
    r"(?:(?:[KMGTPE]i?|[kmgtp])(?:[Bb](?:ytes?|its?)?(?:/s(?:ec)?|ps)?)?|[Bb]|(?:kilo|mega|giga|tera)?bytes?|Bytes|bits?|pages?|blocks?"
    r"|[nmµu]?s|h|hrs?|(?:nano|micro|milli)?sec(?:ond)?s?|min(?:ute)?s?|hours?|days?|weeks?|months?|years?|d|w"
    r"|[kMGT]?Hz|°?C|°F|%|percent|[mkM]?W|rpm|RPM|fps|px"
    r"|AM|PM|am|pm|UTC|GMT|Z|E[SD]T|C[SD]T|M[SD]T|P[SD]T|CES?T|EES?T|BST|IST|JST|MSK|HKT|SGT|AE[SD]T)"
)
_NEIGHBOURS: Final = re.compile(
    rf"""\x00(?:[\ ,:;/.+@~x-]{{0,6}}+(?:(?:and|or)\ )?\x00
            | ,?\ ?{_UNIT}(?![\w-])
            | [\ ,/-]{_DAY_OR_MONTH}(?=[\ ,]\x00)
            | :[0-9A-Fa-f]{{1,4}}(?!\w)
            | \.?,?(?=[\])])
         )*+""",
    re.VERBOSE,
)
_NESTED: Final = re.compile(r"\[{2,}\x00\]+(?:,? ?\[+\x00\]+)*+\]*+|(?<!\w)\[\]")
_COUNTED: Final = re.compile(
    r"(\x00 (?:\w+ )?(?:attempt|byte|call|character|child|chunk|connection|core|device|element|entr|error|event|failure|file"
    r"|GPU|item|job|line|match|message|node|object|packet|page|process|request|retr|row|sample|step|task|test|thread|time"
    r"|token|try|tries|warning|worker))(?:s|es|ies|y)?\b"
)
_ROWS: Final = re.compile(r"(?<=\n)\d++\t[^\n]*+")
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|\][^\x07\x1b]*+(?:\x07|\x1b\\)?|[@-_])")
_MASKED: Final = re.compile(r"""[\d/\\@\x00]|::|(?i:nan|inf|nil|null)\b|SIG|\[['"\]]|[A-Fa-f]{8}|\w\.\w""")
_LONGEST_BLOCK: Final = 12  # words of a repeated block


def mask(text: str) -> str:
    """Returns `text` with `<*>` for the parts that differ between occurrences of an error, and one blank for each run of
    white space. Codes stay, in one spelling. Never raises."""
    text = _clean(text)
    if not _MASKED.search(text):
        return " ".join(text.split())
    masked = " ".join(_SCANNER.sub(_replace, text).split())
    if _HOLE in masked:
        masked = _COUNTED.sub(r"\1s", _NEIGHBOURS.sub(_HOLE, masked))
        if "[[" in masked:
            masked = _NESTED.sub(f"[{_HOLE}]", masked)
        if masked.count(_HOLE) > 2:
            masked = _once(masked)
    if "[]" in masked:
        masked = _NESTED.sub(f"[{_HOLE}]", masked)
    return masked.replace(_HOLE, PLACEHOLDER)


def kept(text: str) -> tuple[str, ...]:
    """Returns the codes that `mask` keeps of `text`, as `mask` spells them, in their order."""
    matches = _SCANNER.finditer(_clean(text))
    return tuple(_replace(found) for found in matches if found.lastgroup in _CODE_NAMES)


def _clean(text: str) -> str:
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    if "\t" in text:
        text = _ROWS.sub(_HOLE, text)
    return text.replace(PLACEHOLDER, _HOLE)


def _replace(found: re.Match[str]) -> str:
    replace = _REPLACE[found.lastgroup or "rest"]
    if replace is None:
        return found.group()
    return replace if isinstance(replace, str) else replace(found)


def _once(masked: str) -> str:
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
            if block[-1] == out[-1] and block == out[-length:] and _HOLE in "".join(block):
                while words[at : at + length] == block:
                    at += length
                break
    return " ".join(out)
