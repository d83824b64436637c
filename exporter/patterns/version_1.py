"""Computes the fingerprint of version 1, which patterns stored before version 2 have. Pure functions.

The service uses it only to link an old pattern to the new one when the error of the old one occurs again. Never change
the rules in this file: old patterns would no longer be found.
"""

import re
from hashlib import blake2b
from typing import Final

_MAX_MASKED_MESSAGE: Final = 4_000  # leading characters
_MAX_SEARCHED_TRACEBACK: Final = 8_192  # last characters

_UNIT: Final = r"""
          (?:\ ?(?:[KMGTP]i?B|[kmgtp]?[Bb]ytes?|[nmµu]?s|secs?|seconds?|min(?:ute)?s?|hours?|[MGk]?Hz|°?C|%)
             (?![A-Za-z0-9]))?
"""
# One alternation, tried from left to right at each position where a token can begin. `xid` and `keep` come before the
# alternatives that mask. `plain`, `quantity` and `rest` are shortcuts. Quantifiers are possessive: nothing backtracks.
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
_LIST: Final = re.compile(r"(<\w+>)(?:(?:[,;] ?\1)++|(?:[ :/x=-]\1){2,}+)")
# The indentation excludes line breaks: with \s, a run of empty lines would be scanned again from each of its lines.
_FRAME: Final = re.compile(r'^[^\S\n]*+File "([^"\n]++)", line \d++, in (\S++)', re.MULTILINE)
_FOREIGN: Final = ("site-packages", "dist-packages", "/lib/python", "<frozen", "\\lib\\")
_EMBEDDED: Final = "Traceback (most recent call last)"
_WORDS: Final = {
    "time": "<time>", "uuid": "<id>", "email": "<email>", "url": "<url>", "pci": "<pci>", "mac": "<mac>", "ip": "<ip>",
    "path": "<path>", "host": "<host>", "hex": "<hex>", "number": "<num>", "quantity": "<num>", "digits": "<num>",
}  # fmt: skip


def fingerprint(type_: str, message: str, traceback: str | None) -> str:
    """Returns the fingerprint of version 1, 16 hex digits. Never raises."""
    text = message[:_MAX_MASKED_MESSAGE]
    if _EMBEDDED in text:
        head, _, tail = text.partition(_EMBEDDED)
        traceback = traceback or tail
        text = head.strip() or tail.rstrip().rpartition("\n")[2]
    frame = _top_frame(traceback) if traceback else ""
    key = f"1\0{type_}\0{_mask(text)}\0{frame}"
    return blake2b(key.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _mask(text: str) -> str:
    masked = " ".join(_TOKEN.sub(_replace, text).split())
    return _LIST.sub(r"\1…", masked) if masked.count("<") > 2 else masked


def _top_frame(traceback: str) -> str:
    frames = _FRAME.findall(traceback[-_MAX_SEARCHED_TRACEBACK:])
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
