"""What becomes of one field of a message: the text between blanks, commas, brackets, quotes, `=` and `:`.

A field that holds a digit varies, whatever its shape, unless it is a term: a word with a digit that names a thing. A field
without a digit is a word and stays, unless it is an address, a path or hexadecimal.
"""

import re
from typing import Final

HOLE: Final = "\0"  # stands for the placeholder while masking
SEPARATORS: Final = r"""\s=,;()\[\]{}<>"'`|:\x00"""
FIELD: Final = rf"(?:[^{SEPARATORS}.]|\.(?=[^{SEPARATORS}.]))"  # one character of a field; it does not end in a dot
NO_FIELD: Final = rf"(?![^{SEPARATORS}.]|\.[^{SEPARATORS}.])"

_DIGIT: Final = re.compile(r"\d")
_TERM: Final = re.compile(
    r"""(?:[A-Za-z_]++\.)*+(?:
        # int64, float16, bf16, uint8_t
        (?i:b?float|complex|[bft]f|fp|double|bool|q?u?int|[iu])(?:4|8|16|32|64|128)(?:_t)?
        # conv2d, BatchNorm1d, MaxPool2dBackward
      | [A-Za-z_]*[123][dD](?:[A-Z_][A-Za-z_]*)?
        # names of formats, protocols and platforms
      | (?i:utf-?(?:8|16|32)|sha-?(?:1|256|384|512)|md5|base64|ipv[46]|x86(?:_64)?|(?:amd|arm|win|x)(?:32|64)|http/?[123]
          |(?:tls|ssl)v?[123]|oauth2|p2p|ext[34]|s3|k8s|e2e|latin-?1)
        # SSLV3Error, urllib3.exceptions.ReadTimeoutError
      | (?:[A-Za-z]\w*\.)*+[A-Za-z]\w*(?:Error|Exception|Warning|Failure|Timeout)
        # E2BIG, ERR_HTTP2_PROTOCOL_ERROR, SSLV3_ALERT_HANDSHAKE_FAILURE
      | E2BIG | [A-Z]{3,}\d{0,2}(?:_[A-Z]{2,}\d{0,2})++
        # test_http2_upgrade, TestV2Api
      | (?:test_|Test[A-Z])[A-Za-z]*+(?:[A-Za-z_]|\d{1,2}(?!\d))*+
        # libcudnn.so.8
      | lib[A-Za-z_+-]++\d{0,2}[A-Za-z_]*+\.so(?:\.\d++)*+
    )""",
    re.VERBOSE,
)
# Names of hosts without a digit: build.ci.example.com, db.internal
_HOST: Final = re.compile(
    r"(?:[\w-]+\.)+(?:com|org|edu|gov|internal|local|localdomain|lan|corp|example)"
    r"|(?:[\w-]+\.){2,}(?:net|io|int|mil|de|uk|fr|nl|cn|jp|kr|hk|tw|in|ru|br|ca|au|eu|us|ch|se|it|es)"
)
_HEX: Final = re.compile("[0-9A-Fa-f]{8,}|[0-9a-f]{6,}")
_SOURCES: Final = tuple(
    f".{suffix}"
    for suffix in (
        "c cc cpp cu cuh cxx go h hpp hs java js jsx kt mjs ml php pl py pyi pyx rb rs scala sh swift ts tsx".split()  # noqa: SIM905
    )
)
# What follows the name of a source file: the line, or a test's name.
_PLACE: Final = re.compile(r""":\d|::\w|\(\d|["']?,\ line\ |["']?:\ ?line\ """)


def field(found: re.Match[str]) -> str:
    """Returns what stays of the field that `found` matched."""
    text = found.group()
    if text.endswith(_SOURCES) and _PLACE.match(found.string, found.end()):
        return source(text)
    if _DIGIT.search(text):
        return text if is_term(text) else HOLE
    if text.isalpha():
        return HOLE if len(text) > 7 and _HEX.fullmatch(text) else text
    if "@" in text[1:-1] or text.count("/") + text.count("\\") > 1 or ("." in text and _HOST.fullmatch(text)):
        return HOLE
    return text


def is_term(text: str) -> bool:
    """Returns whether `text`, a field that holds a digit, is a word that carries meaning."""
    return len(text) < 120 and (text[0].isalpha() or text[0] == "_") and _TERM.fullmatch(text) is not None


def source(path: str) -> str:
    """Returns the path of a source file without the directories of one machine: all of them if the path is absolute or a
    directory holds a digit. A generated file in a temporary directory varies."""
    path = path.replace("\\", "/")
    directory, _, name = path.rpartition("/")
    if path.startswith(("/tmp/", "/var/folders/")):
        return HOLE
    return name if path[0] in "/~." or ":" in directory or _DIGIT.search(directory) else path


def path(found: re.Match[str]) -> str:
    """Returns what stays of a path that begins at a root: the name of a source file if a line number follows."""
    text = found.group()
    return source(text) if text.endswith(_SOURCES) and _PLACE.match(found.string, found.end()) else HOLE
