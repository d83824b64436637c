"""Mends what test tools write as XML and is none: wrong encodings, forbidden characters, `&` that begins no entity.

It is done in pieces: a regular expression holds the interpreter lock until its end, so one over megabytes would stop
the event loop.
"""

import re
from collections.abc import Iterator
from typing import Final

PIECE: Final = 65_536  # characters that are mended at one time
LONGEST_REFERENCE: Final = 10  # characters, `&#1234567;`
_ENCODING: Final = re.compile(rb"""^\s{0,100}<\?xml[^>]{0,200}?encoding=["']([A-Za-z0-9._-]{1,40})["'][^>]{0,200}?>""")
_KNOWN: Final = re.compile(
    r"utf-?8|iso-8859-\d{1,2}|windows-125\d|cp125\d|us-ascii|ascii|latin-?1|gbk|gb2312|shift_jis|euc-(?:jp|kr)|big5",
    re.IGNORECASE,
)
_DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]{0,300}\?>")
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_CDATA: Final = re.compile(r"<!\[CDATA\[.*?(?:\]\]>|\Z)", re.DOTALL)
_AMPERSAND: Final = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)")
_REFERENCE: Final = re.compile(r"&#(?:([0-9]{1,7})|x([0-9a-fA-F]{1,6}));")


def mended(body: bytes) -> bytes:
    """Returns UTF-8 without what XML forbids. Characters are replaced, never left out, so that a text shows it."""
    try:
        text = body.decode(_encoding_of(body), "replace")
    except (LookupError, UnicodeError):
        text = body.decode("utf-8", "replace")
    text = _DECLARATION.sub("", text.removeprefix("\ufeff"), count=1)
    text = "".join([_FORBIDDEN.sub("\ufffd", part) for part in _pieces(text)])
    parts, start = [], 0
    for cdata in _CDATA.finditer(text):
        parts += [_with_entities(text[start : cdata.start()]), cdata[0]]
        start = cdata.end()
    return "".join([*parts, _with_entities(text[start:])]).encode("utf-8", "replace")


def _encoding_of(body: bytes) -> str:
    """Returns the name of the encoding. A declaration that can be read as ASCII is not in UTF-16, whatever it says:
    .NET writes so into files in UTF-8."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if body[:2] in (b"<\0", b"\0<"):
        return "utf-16-le" if body[:1] == b"<" else "utf-16-be"
    found = _ENCODING.match(body.removeprefix(b"\xef\xbb\xbf"))
    encoding = found[1].decode() if found else "utf-8"
    return encoding if _KNOWN.fullmatch(encoding) else "utf-8"  # some of Python's other ones take quadratic time


def _with_entities(text: str) -> str:
    if "&" not in text:
        return text
    return "".join([_REFERENCE.sub(_reference, _AMPERSAND.sub("&amp;", part)) for part in _pieces(text)])


def _pieces(text: str) -> Iterator[str]:
    """Divides a text, but no reference to an entity."""
    start = 0
    while start < len(text):
        end = start + PIECE
        if (begun := text.rfind("&", end - LONGEST_REFERENCE, end)) > start:
            end = begun
        yield text[start:end]
        start = end


def _reference(found: re.Match[str]) -> str:
    number = int(found[1]) if found[1] else int(found[2], 16)
    legal = number in (9, 10, 13) or 0x20 <= number <= 0xD7FF or 0xE000 <= number <= 0xFFFD
    return found[0] if legal or 0x10000 <= number <= 0x10FFFF else "\ufffd"
