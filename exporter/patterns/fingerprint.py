"""Computes the fingerprint of an error, which identifies its pattern. Pure functions.

The fingerprint is a hash of the error type, the masked message and the innermost traceback frame in the project's own
code. Masking replaces the parts of a message that differ between occurrences. It keeps codes that identify a fault
(XID, CUDA error, signal, errno, HTTP status). Increase `VERSION` with every change that alters a fingerprint or a
pattern.
"""

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

VERSION: Final = 1
MAX_MASKED_MESSAGE: Final = 4_000  # leading characters of a message that the fingerprint depends on
MAX_SEARCHED_TRACEBACK: Final = 8_192  # last characters of a traceback that are searched for a frame
MAX_PATTERN: Final = 500  # characters of a pattern
MAX_REMEMBERED: Final = 1_000  # characters; patterns of longer texts are not cached
REMEMBERED: Final = 4_096  # entries in each cache


class Pattern(NamedTuple):
    """`fingerprint` is 16 hex digits; `text` is the masked message, or the error type if the message is empty."""

    fingerprint: str
    text: str


_UNIT: Final = r"""
          (?:\ ?(?:[KMGTP]i?B|[kmgtp]?[Bb]ytes?|[nmµu]?s|secs?|seconds?|min(?:ute)?s?|hours?|[MGk]?Hz|°?C|%)
             (?![A-Za-z0-9]))?
"""
# One alternation, tried from left to right at each position where a token can begin. `xid` and `keep` come before the
# alternatives that mask. `plain`, `quantity` and `rest` are shortcuts that save trying the others. Quantifiers are
# possessive, so that no input causes backtracking.
_TOKEN: Final = re.compile(
    r"""
      (?P<plain>(?:\b(?!(?i:xid|cu(?:da|blas|dnn)|nccl|sig|exit|errno|returncode|http|status))
          [A-Za-z_]++(?![\w@/\\+-]|[:.]\S)(?:[^\w\[+\-~/.]|\.(?!\S))*+)++)
    | (?P<quantity>(?<![A-Za-z0-9_.])[-+]?\d++(?:\.\d++)?+(?![\w.:,/\\@+-])UNIT)
    | (?P<xid>\b(?i:xid)\b(?:\ ?\(PCI:[^)\s]{4,32}\))?[\s:=(]*+(?P<code>\d++)\b)
    | (?P<keep>
          \bCUDA\ error:?\ \d++\b | \b(?:CUDA_ERROR|cuda[Ee]rror|CUBLAS_STATUS|CUDNN_STATUS|nccl[A-Z])\w*+
        | \b(?i:signal|exit\ code|exitcode|exit\ status|returncode)[\s:=]*+-?\d++\b | \bSIG[A-Z]{2,6}\d?\b
        | \[?\b(?i:errno)[\s:=]*+\d++\]?
        | \b(?i:HTTP(?:/\d(?:\.\d)?)?|status(?:\ code)?)[\s:=]*+[1-5]\d\d\b
      )
    | (?P<time>
          \b\d{4}-\d\d-\d\d(?:[T\ ]\d\d:\d\d(?::\d\d(?:[.,]\d++)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?!\w)
        | \b\d{1,2}:\d\d:\d\d(?:[.,]\d++)?\b
      )
    | (?P<uuid>\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b)
    | (?P<email>\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8})
    | (?P<url>\b[a-z]{2,10}://[^\s'"<>)\]]++)
    | (?P<pci>\b(?:[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.\d)? | [0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.\d)\b)
    | (?P<mac>\b[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}\b)
    | (?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b | (?<![\w:])\[?(?:[0-9a-fA-F]{1,4}:){4,7}:?[0-9a-fA-F]{1,4}\]?)
    | (?P<path>(?<![\w.])(?:[A-Za-z]:\\|~?/|\.{1,2}/)[^\s'"<>:,;()\[\]]*+)
    | (?P<hex>\b0[xX][0-9a-fA-F]++\b
        | \b(?=[a-f]*+[0-9])(?=[0-9]*+[a-f])[0-9a-f]{8,}+\b | \b(?=[A-F]*+[0-9])(?=[0-9]*+[A-F])[0-9A-F]{8,}+\b)
    | (?P<host>\b(?=[A-Za-z-]{1,63}+\d)[A-Za-z][\w-]{0,63}(?:\.[A-Za-z][\w-]{0,63}){2,8}\b)
    | (?P<number>
          (?<![A-Za-z0-9_.])[-+]?\d++(?:[.,]\d++)*+(?:[eE][-+]?\d++)?UNIT
      )
    | (?P<digits>(?:(?<=_)-)?\d++)
    | (?P<rest>[^\W\d]++[^\w\[+\-~/.]*+ | [^\w\[+\-~/.]++)  # no token begins inside: skipped in one step
    """.replace("UNIT", _UNIT),
    re.VERBOSE,
)
# Matches texts in which the value of a digit matters, because it is kept or decides what is masked. Other texts are
# cached with every digit replaced by 1, so that texts which differ only in digits share one cache entry. In real logs,
# four of five lines then hit the cache.
_DIGITS_MATTER: Final = re.compile(
    r"""
      (?i:xid) | \d[xX]
    | (?i:signal|code|errno|status|http)[^A-Za-z\d]*+\d | CUDA\ error:?\ \d | \bSIG[A-Z]{2,6}\d
    | \b(?:CUDA_ERROR|cuda[Ee]rror|CUBLAS_STATUS|CUDNN_STATUS|nccl[A-Z])\w*?\d
    """,
    re.VERBOSE,
)
_ALIKE: Final = bytes.maketrans(b"023456789", b"111111111")
_LIST: Final = re.compile(r"(<\w+>)(?:(?:[,;] ?\1)++|(?:[ :/x=-]\1){2,}+)")
# The indentation excludes line breaks: with \s, a run of empty lines would be scanned again from each of its lines.
_FRAME: Final = re.compile(r'^[^\S\n]*+File "([^"\n]++)", line \d++, in (\S++)', re.MULTILINE)
_FOREIGN: Final = ("site-packages", "dist-packages", "/lib/python", "<frozen", "\\lib\\")
_EMBEDDED: Final = "Traceback (most recent call last)"
_WORDS: Final = {
    "time": "<time>", "uuid": "<id>", "email": "<email>", "url": "<url>", "pci": "<pci>", "mac": "<mac>", "ip": "<ip>",
    "path": "<path>", "host": "<host>", "hex": "<hex>", "number": "<num>", "quantity": "<num>", "digits": "<num>",
}  # fmt: skip


def fingerprint(type_: str, message: str, traceback: str | None) -> Pattern:
    """Returns the pattern of an error. Never raises.

    Reads at most `MAX_MASKED_MESSAGE` characters of the message and `MAX_SEARCHED_TRACEBACK` of the traceback. A
    traceback inside the message is split off, and used if `traceback` is missing.
    """
    text = message[:MAX_MASKED_MESSAGE]
    if _EMBEDDED in text:
        head, _, tail = text.partition(_EMBEDDED)
        traceback = traceback or tail
        text = head.strip() or tail.rstrip().rpartition("\n")[2]
    frame = top_frame(traceback) if traceback else ""
    if len(text) > MAX_REMEMBERED:
        return _pattern.__wrapped__(type_, text, frame)
    alike = text.encode("utf-8", "surrogatepass").translate(_ALIKE).decode("utf-8", "surrogatepass")
    return _pattern(type_, text if _digits_matter(alike) else alike, frame)


@lru_cache(REMEMBERED)
def _pattern(type_: str, text: str, frame: str) -> Pattern:
    masked = mask(text)
    key = f"{VERSION}\0{type_}\0{masked}\0{frame}"
    digest = blake2b(key.encode("utf-8", "replace"), digest_size=8).hexdigest()
    return Pattern(digest, masked[:MAX_PATTERN] or type_)


@lru_cache(REMEMBERED)
def _digits_matter(alike: str) -> bool:
    return _DIGITS_MATTER.search(alike) is not None


def mask(text: str) -> str:
    """Returns `text` with placeholders such as `<num>` for the parts that differ between occurrences of an error."""
    masked = " ".join(_TOKEN.sub(_replace, text).split())
    return _LIST.sub(r"\1…", masked) if masked.count("<") > 2 else masked


def top_frame(traceback: str) -> str:
    """Returns the innermost frame outside of installed libraries, else the innermost frame, as `file:function`; "" if
    there is no frame. Line numbers are left out because they change with every edit."""
    frames = _FRAME.findall(traceback[-MAX_SEARCHED_TRACEBACK:])
    own = [frame for frame in frames if not any(part in frame[0] for part in _FOREIGN)] or frames
    if not own:
        return ""
    file, function = own[-1]
    return f"{file.replace(chr(92), '/').rpartition('/')[2]}:{function}"


def _replace(found: re.Match[str]) -> str:
    kind = found.lastgroup or ""
    if kind in ("plain", "rest"):
        return found.group()
    if kind == "xid":
        return f"xid {found['code']}"
    if kind == "keep":
        return " ".join(found.group().lower().split())
    return _WORDS[kind]
