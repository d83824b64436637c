"""Decides whether one field of a message is masked. A field is the text between separators: blanks, commas, brackets,
quotes, `=` and `:`.

A field with a digit is masked, whatever its form, unless it is a term: a word with a digit that names a thing, such as
`float16`. A field without a digit is a word and is kept, unless it is an address, a path or hexadecimal.
"""

import re
from typing import Final

HOLE: Final = "\0"  # stands for the placeholder while masking
SEPARATORS: Final = r"""\s=,;()\[\]{}<>"'`|:\x00"""
FIELD: Final = rf"(?:[^{SEPARATORS}.]|\.(?=[^{SEPARATORS}.]))"  # one character of a field; it does not end in a dot
NO_FIELD: Final = rf"(?![^{SEPARATORS}.]|\.[^{SEPARATORS}.])"

_DIGIT: Final = re.compile(r"\d")
_TERM: Final = re.compile(
    r"""(?:[A-Za-z_]++\.)*(?:
        # int64, float16, bf16, uint8_t, f32
        (?i:b?float|complex|bf|tf|fp|double|bool|q?u?int)(?:4|8|16|32|64|128)(?:_t)? | [fiu](?:8|16|32|64)
        # conv2d, BatchNorm1d, MaxPool2dBackward
      | (?![0-9a-f]++$)[A-Za-z_]{3,}+[123][dD](?:[A-Z_][A-Za-z_]*)?
        # names of formats, protocols and platforms
      | (?i:utf-?(?:8|16|32)|sha-?(?:1|256|384|512)|md5|base64|ipv[46]|x86(?:_64)?|(?:amd|arm|win|x)(?:32|64)
          |http/?[123]          |(?:tls|ssl)v?[123]|oauth2|p2p|ext[34]|s3|k8s|e2e|latin-?1|x509)
        # SSLV3Error, urllib3.exceptions.ReadTimeoutError
      | (?:[A-Za-z]\w*\.)*+[A-Za-z]\w*(?:Error|Exception|Warning|Failure|Timeout)
        # ERR_HTTP2_PROTOCOL_ERROR, SSLV3_ALERT_HANDSHAKE_FAILURE
      | (?:[A-Z]++_)*+(?:HTTP[23]|(?:SSL|TLS)V?[123]|IPV?[46]|UTF8|SHA(?:1|256)|MD5|S3|X509|OAUTH2|P2P)(?:_[A-Z]++)++
        # E2BIG, ORA-00942, E11000
      | E2BIG | (?:ORA|TNS|PLS|DP[IY])-\d{3,6} | E\d{5}
        # test_http2_upgrade, TestV2Api
      | (?:test_|Test[A-Z])(?:[A-Za-z_]|\d{1,2}(?!\d))*+
        # a mangled name of C++
      | _Z[A-Z]\w{2,}
    )(?:-[A-Za-z]++)*+""",
    re.VERBOSE,
)
# Names of hosts without a digit: build.ci.example.com, db.internal
_HOST: Final = re.compile(
    r"(?:[\w-]+\.)+(?:com|org|edu|gov|internal|local|localdomain|lan|corp|example|(?:ac|com?|edu|gov|mil|net|org)\.[a-z]{2})"
    r"|(?:[\w-]+\.){2,}(?:net|io|int|mil|de|uk|fr|nl|cn|jp|kr|hk|tw|in|ru|br|ca|au|eu|us|ch|se|it|es)"
)
_HEX: Final = re.compile("[0-9A-Fa-f]{8,}|[0-9a-f]{6,}")


def _suffixes(text: str) -> tuple[str, ...]:
    return tuple(f".{suffix}" for suffix in text.split())


_SOURCES: Final = _suffixes(
    "c cc cpp cu cuh cxx go h hpp hs java js jsx kt mjs ml php pl py pyi pyx rb rs scala sh swift ts tsx"
)
# Data files: masked, because their names vary as their paths do.
_DATA: Final = _suffixes(
    "bak bin bz2 cfg ckpt conf csv db deb dump gif gz html img ini iso jpeg jpg json jsonl lock log mp4 npy npz onnx"
    " parquet pdf pid pkl png pt pth rpm safetensors sock sqlite svg tar tgz tmp toml tsv txt wav"
    " whl xml xz yaml yml zip zst"
)
# The random end of a pod's name, if it has no digit. Kubernetes chooses its letters from these.
_SUFFIX: Final = re.compile("-(?!https|xhtml)[bcdfghjklmnpqrstvwxz]{5}(?![A-Za-z-])")
# A shared library: of `libcudnn.so.8`, `libcudnn.so` is kept and the version is dropped.
_LIBRARY: Final = re.compile(r"lib[A-Za-z_+-]++\d{0,2}[A-Za-z_]*+\.so(?:\.\d++)*+")
# A source file that a compiler generated in a temporary directory, with an id as its name.
_GENERATED: Final = re.compile(r"/(?:tmp|var/folders)/(?:[^/]++/)*+(?=[a-z]*\d)[a-z0-9]{6,}\.\w++")
# Names that many directories of one project have: test_a.py, __init__.py, mod.rs, index.js
_REPEATED: Final = re.compile(r"test|(?:__\w+__|conftest|index|lib|main|mod|utils?)\.")
_LABEL: Final = re.compile(r"(\w+)[ :=]")
# What follows the path of a source file if it is a place in the code: a line number, or the name of a test.
_PLACE: Final = re.compile(r""":\d|::\w|\(\d|["']?,\ line\ |["']?:\ ?line\ """)


def field(found: re.Match[str]) -> str:
    """Returns the masked text of the field that `found` matched."""
    text = found.group()
    if "." in text:
        if text.endswith(_SOURCES) and (place := _PLACE.match(found.string, found.end())):
            return source(text, place.group().startswith("::"))
        if text.endswith(_DATA):
            return HOLE
    if _DIGIT.search(text):
        return text.partition(".so.")[0] + ".so" if is_library(text) else text if is_term(text) else HOLE
    if text.isalpha():
        return HOLE if len(text) > 7 and _HEX.fullmatch(text) else text
    if (
        _SUFFIX.search(text)
        or "@" in text[1:-1]
        or text.count("/") + text.count("\\") > 1
        or ("." in text and _HOST.fullmatch(text))
    ):
        return HOLE
    return text


def is_term(text: str) -> bool:
    """Returns whether `text`, a field that holds a digit, is a word that carries meaning."""
    return len(text) < 120 and (text[0].isalpha() or text[0] == "_") and _TERM.fullmatch(text) is not None


def is_library(text: str) -> bool:
    """Returns whether `text` is the file name of a shared library."""
    return ".so" in text and _LIBRARY.fullmatch(text) is not None


def source(path: str, test: bool) -> str:
    """Returns the part of a source file's path that is kept: its name, after the directory if `test` is true or the
    name is one that many directories have. A directory with a digit in its name is dropped, because it may differ
    between machines. A generated file (`/tmp/x1/cabq3x7.py`) is masked."""
    path = path.replace("\\", "/")
    if _GENERATED.fullmatch(path):
        return HOLE
    directory, _, name = path.rpartition("/")
    parent = directory.rpartition("/")[2]
    if not (test or _REPEATED.match(name)) or parent in ("", ".", "..", "~") or _DIGIT.search(parent):
        return name
    return f"{parent}/{name}"


def host(found: re.Match[str]) -> str:
    """Returns the masked text of a dotted name before a number. The name of a source file is kept, a host is masked."""
    text = found.group()
    return text if text.endswith(_SOURCES) else HOLE


def path(found: re.Match[str]) -> str:
    """Returns the masked text of a path that begins at a root. If a line number or the name of a test follows, the end
    of a source file's path is kept (`source`)."""
    text = found.group()
    place = _PLACE.match(found.string, found.end()) if text.endswith(_SOURCES) else None
    return source(text, place.group().startswith("::")) if place else HOLE


def quoted_path(found: re.Match[str]) -> str:
    """Returns the masked text of a path in quotes, in single quotes. The end of a source file's path is kept as in
    `path`."""
    text = found.group()[1:-1]
    return f"'{source(text, False) if text.endswith(_SOURCES) and _PLACE.match(found.string, found.end()) else HOLE}'"


def command(found: re.Match[str]) -> str:
    """Returns the masked text of a list of arguments. The name of the program is kept unless it has a digit."""
    program = found.group()[2:].partition(found.group()[1])[0].rpartition("/")[2]
    return f"[{HOLE if not program or _DIGIT.search(program) else program} {HOLE}]"


def process(found: re.Match[str]) -> str:
    """Returns the masked text of the number and name of a process. The label, such as `process` or `comm`, is kept."""
    label = _LABEL.match(found.group())
    return f"{label[1].lower()} {HOLE}" if label else HOLE
