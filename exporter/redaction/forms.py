"""Secrets that have a form of their own, so that no name is needed: tokens and keys of services, JWTs, private keys."""

import re
from typing import Final

from exporter.redaction.engine import compiled
from exporter.redaction.mark import Found

# Rule, pattern with one group for the secret, and whether the secret must have a digit and a capital, because words may
# have the same form. The first that matches counts.
_FORMS: Final = (
    ("aws-key", r"\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})\b", False),
    ("google-key", r"\b(AIza[\w-]{35}|GOCSPX-[\w-]{20,}|ya29\.[\w-]{20,})", False),
    ("github-token", r"\b(gh[opsur]_[A-Za-z0-9]{30,}|github_pat_\w{30,})", False),
    ("gitlab-token", r"\b(gl(?:pat|dt|rt|cbt|ptt|ft|oas|soat|agent)-[\w.-]{20,})", False),
    ("slack-token", r"\b(xox[a-z]-[\w-]{10,}|xapp-\d-[\w-]{20,})", False),
    ("slack-webhook", r"hooks\.slack\.com/(?:services|workflows|triggers)/([\w/-]{20,})", False),
    ("discord-webhook", r"discord(?:app)?\.com/api/(?:v\d+/)?webhooks/(\d{15,20}/[\w-]{30,})", False),
    ("telegram-token", r"(?:\bbot|\b)(\d{8,10}:AA[\w-]{33})", False),
    ("npm-token", r"\b(npm_[A-Za-z0-9]{36})", False),
    ("pypi-token", r"\b(pypi-[\w-]{50,})", False),
    ("stripe-key", r"\b([rs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{24,})", False),
    ("anthropic-key", r"\b(sk-ant-[\w-]{20,})", False),
    ("openai-key", r"\b(sk-[\w-]{20,})", True),
    ("huggingface-token", r"\b(hf_[A-Za-z0-9]{30,})", False),
    ("sendgrid-key", r"\b(SG\.[\w-]{16,}\.[\w-]{16,})", False),
    ("azure-key", r"(?i)(?:AccountKey|SharedAccessKey|SharedAccessSignature)=([A-Za-z0-9+/%]{20,}=*)", False),
    ("ev-token", r"\b(ev_\w{36,})", True),
    ("jwt", r"\b(eyJ[\w-]{8,}\.[\w-]{16,}(?:\.[\w-]*){0,3})", False),
    ("vendor-token", r"\b(hvs\.[\w-]{20,}|dapi[0-9a-f]{32}|do[opr]_v1_[0-9a-f]{64}|dckr_pat_[\w-]{20,}"
     r"|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|glsa_\w{32,}|NRAK-[A-Z0-9]{27}|ATATT3[\w=-]{50,}|lin_api_\w{32,}"
     r"|AGE-SECRET-KEY-1[A-Z0-9]{50,}|tfp_\w{40,}|rubygems_[0-9a-f]{40,}|sntrys_[\w+/=-]{40,})", False),
)  # fmt: skip
NAMES: Final = (*dict.fromkeys(rule for rule, _, _ in _FORMS), "private-key")
_ANY: Final = compiled("|".join(pattern for _, pattern, _ in _FORMS))
_MIXED: Final = re.compile(rb"(?=[^0-9]*+[0-9])(?=[^A-Z]*+[A-Z])")

_KEY_BEGINS: Final = compiled(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|PuTTY-User-Key-File-\d[^\n]*")
_KEY_ENDS: Final = b"-----END "
_KEY_END: Final = compiled(r"((?:[A-Za-z0-9+/=]{4,}(?:\s|\\+[nr])+)+)-----END [A-Z0-9 ]*PRIVATE KEY")
MAX_KEY: Final = 16_384  # bytes of a private key
# What follows the beginning of a key that was cut off: lines of base64, perhaps with escaped line breaks, and headers.
_KEY_LINES: Final = re.compile(
    rb"(?:(?:\s|\\+[nr]|[\"',|>])*+(?:"
    rb"(?:Proc-Type|DEK-Info|Version|Comment|Encryption|P(?:ublic|rivate)-(?:Lines|MAC)): [^\n\\]{0,100}+"
    rb"|[A-Za-z0-9+/=]{16,}+"
    rb"|[A-Za-z0-9+/]{1,15}+={0,2}(?=\s*+(?:$|-----|\\n|[\"']))"  # the last line
    rb"|=[\w+/]{4}))*+"  # a checksum
)


def redact_forms(text: bytes, found: Found, off: frozenset[str]) -> bytes:
    """Returns `text` with marks for secrets of a known form. `off` names rules that are off."""
    pieces: list[bytes] = []
    done = 0
    for match in _ANY.finditer(text):
        if not found.place():
            break
        index = next(number for number, group in enumerate(match.groups()) if group is not None)
        rule, _, mixed = _FORMS[index]
        start, end = match.span(index + 1)
        secret = text[start:end]
        if rule in off or (mixed and not _MIXED.match(secret)) or found.stays(secret):
            continue
        pieces += (text[done:start], found.mark(rule))
        done = end
    return b"".join((*pieces, text[done:])) if pieces else text


def redact_private_keys(text: bytes, found: Found) -> bytes:
    """Returns `text` with a mark between the first and the last line of each private key. A key that was cut off has no
    last line."""
    pieces: list[bytes] = []
    done = 0
    while match := _KEY_BEGINS.search(text, done):
        if not found.place():
            break
        start = match.end()
        end = text.find(_KEY_ENDS, start, start + MAX_KEY)
        if end < 0:
            end = _KEY_LINES.match(text, start, start + MAX_KEY).end()  # type: ignore[union-attr]  # may be empty
        inside = text[start:end]
        if inside.strip(b" \r\n\t\\nr\"'") and b"[redacted:" not in inside:
            before, after = _margins(inside)
            pieces += (text[done:start], before, found.mark("private-key"), after)
        else:
            pieces.append(text[done:end])
        done = end
    text = b"".join((*pieces, text[done:])) if pieces else text
    return text if b"-----END " not in text else _without_ends(text, found)


def _without_ends(text: bytes, found: Found) -> bytes:
    """Returns `text` with marks for private keys whose beginning was cut off."""
    pieces: list[bytes] = []
    done = 0
    for match in _KEY_END.finditer(text):
        if not found.place():
            break
        start, end = match.span(1)
        pieces += (text[done:start], found.mark("private-key"), b"\n")
        done = end
    return b"".join((*pieces, text[done:])) if pieces else text


def is_private_key_begun(text: bytes) -> bool:
    """Returns whether a private key begins in `text` and does not end there."""
    begins = _KEY_BEGINS.search(text)
    return begins is not None and _KEY_ENDS not in text[begins.end() :]


def is_line_of_key(text: bytes) -> bool:
    return _KEY_LINES.fullmatch(text) is not None


_BREAK_AT_START: Final = re.compile(rb"(?:\s|\\+[nr])*+")
_BREAK_AT_END: Final = re.compile(rb"(?:\s|\\+[nr])++\Z")


def _margins(inside: bytes) -> tuple[bytes, bytes]:
    """Returns the line breaks at the start and the end of a key, which stay."""
    before = _BREAK_AT_START.match(inside)
    after = _BREAK_AT_END.search(inside, max(0, len(inside) - 8))
    return before.group() if before else b"", after.group() if after else b""
