"""Secrets in texts that their place tells: in URLs and their queries, in headers, in statements and commands."""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any, Final

from exporter.redaction.engine import compiled
from exporter.redaction.mark import Found
from exporter.redaction.names import rule_of
from exporter.redaction.values import is_nothing, is_random, is_said

Span = tuple[int, int]

# --- the part before @ in a URL. Excluded characters end it, so that a URL without one does not reach into the next.
_USER_INFO: Final = compiled(
    r"://([^\s/?#@\"'<>()\[\]{}|\\^`,;][^\s/?#\"'<>()\[\]{}|\\^`,;]*|:[^\s/?#\"'<>()\[\]{}|\\^`,;]+)@"
)
_ORACLE: Final = compiled(r"jdbc:oracle:\w+:[^/\s@:]+/([^@\s\"']+)@")
_QUERY: Final = compiled(
    r"[?&](?:amp;)?(?i:([\w.-]*(?:sig|signature|key|code|token|jwt|auth|passw\w*|pwd|secret)))=([^\s&\"'<>#;\\)]+)"
)
_SIGNED: Final = frozenset((b"sig", b"signature", b"x-amz-signature", b"x-goog-signature"))
_SHORT: Final = frozenset((b"key", b"code", b"auth", b"jwt"))  # names of much else: only long values count

# --- headers. The value is in quotes, or ends with the line.
_AUTHORIZATION: Final = compiled(
    r"(?i:authorization)\\*[\"']?\]?\s*(?:=>|[:=,])\s*[\[(]*([\"'`]?)(?:\\*[\"'])?"
    r"(?:((?i:bearer|basic|digest|token|negotiate|ntlm|apikey|api-key|hawk|aws4-hmac-sha256|sso-key|oauth))\s+)?"
)
_BEARER: Final = compiled(r"\b(?i:bearer)\s+([\w.~+/=-]{16,})")
_BASIC: Final = compiled(r"\b(?i:basic)\s+([A-Za-z0-9+/]{8,}={0,2})")
_COOKIE: Final = compiled(r"(?i:cookie)\\*[\"']?\]?\s*(?:=>|[:=,])\s*[\[(]*(\\*[\"'`]?)([\w.%-]+=)")
_LONG_SCHEMES: Final = (b"digest", b"hawk", b"aws4-hmac-sha256", b"oauth")
_WORD: Final = re.compile(rb"[^\s\"'`,;<>)\]}\\]++")
_LINE: Final = re.compile(rb"[^\n\\]++")
_TO_QUOTE: Final = {
    b'"': re.compile(rb'[^"\n\\]++'), b"'": re.compile(rb"[^'\n\\]++"), b"`": re.compile(rb"[^`\n\\]++"),
}  # fmt: skip
_NAME_START: Final = re.compile(rb"([\"'`])[\w-]*+\Z")
MAX_HEADER: Final = 8_192  # bytes of a value

# --- statements and commands
_SPOKEN: Final = compiled(
    r"(?i:identified\s+by|\bpassword)\s+(?:\\*['\"])([^'\"\s\\]+)\\*['\"]"  # SQL
    r"|\b(?i:login)\s+\S+\s+(?i:password)\s+(\S+)"  # .netrc
    r"|\b(?:curl|wget|http)\b[^\n]*?\s(?:-u|--user|--proxy-user)(?:\s+|=)[\"']?[^\s:\"'$]+:([^\s\"'][^\"'\n]*[\"']|[^\s\"']+)"
    r"|\bsshpass\s+-p\s*(?:'([^'\n]+)'|\"([^\"\n]+)\"|([^\s'\"]\S*))"
    r"|\bredis-cli\b[^\n]*?\s-a\s+[\"']?([^\s\"']+)"
    r"|(?:^|[\s:])_auth(?:Token)?\s*=\s*([\w.~+/=-]{16,})"  # .npmrc
)

_MENTIONED: Final = compiled(r"\b(?i:token|secret|password|api key)\s+[\"'(]?([A-Za-z0-9_-]{20,})")

_EMAIL: Final = compiled(r"\b[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.[A-Za-z]{2,24}\b")
_IP_ADDRESS: Final = compiled(
    r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b"
    r"|(?:\b[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}\b"
    r"|\b(?:[0-9A-Fa-f]{1,4}:){2,6}(?::[0-9A-Fa-f]{1,4}){1,6}\b|\bfe80::[0-9A-Fa-f:]+\b|\b(?:[0-9A-Fa-f]{1,4}:){2,6}:"
)
OPTIONAL: Final = {"email": _EMAIL, "ip-address": _IP_ADDRESS}  # the rules that only a setting turns on


def redact_urls(text: bytes, found: Found) -> bytes:
    """Returns `text` with marks for passwords and tokens before the @ of URLs."""
    return _marked(_marked(text, _USER_INFO, _password, "url-password", found), _ORACLE, _group, "url-password", found)


def redact_queries(text: bytes, found: Found) -> bytes:
    """Returns `text` with marks for secrets in the queries of URLs."""
    return _marked(text, _QUERY, _parameter, "query", found)


def redact_headers(text: bytes, found: Found, off: frozenset[str]) -> bytes:
    """Returns `text` with marks for credentials in headers. The scheme, such as `Bearer`, stays. `off` names rules that
    are off."""
    if "cookie" not in off:
        text = _marked(text, _COOKIE, _cookies, "cookie", found)
    if "authorization" in off:
        return text
    text = _marked(text, _AUTHORIZATION, _credentials, "authorization", found)
    text = _marked(text, _BEARER, _group, "authorization", found)
    return _marked(text, _BASIC, _user_and_password, "authorization", found)


def redact_spoken(text: bytes, found: Found) -> bytes:
    """Returns `text` with marks for passwords in SQL statements and in the arguments of programs."""
    return _marked(text, _SPOKEN, _group, "password", found)


def redact_mentioned(text: bytes, found: Found) -> bytes:
    """Returns `text` with marks for random texts after the word token or secret, as in `token 3f8a… was revoked`."""
    return _marked(text, _MENTIONED, _random, "token", found)


def redact_all(text: bytes, found: Found, pattern: Any, rule: str) -> bytes:
    """Returns `text` with marks for all that `pattern` matches: its first group, or the whole match if it has none."""
    return _marked(text, pattern, _first_group, rule, found)


def _marked(text: bytes, pattern: Any, span: Callable[[bytes, Any], Span | None], rule: str, found: Found) -> bytes:
    pieces: list[bytes] = []
    done = at = 0
    while match := pattern.search(text, at):
        if not found.place():
            break
        at = match.end()
        secret = span(text, match)
        if secret is not None and secret[1] > secret[0] and not found.stays(text[secret[0] : secret[1]]):
            pieces += (text[done : secret[0]], found.mark(rule))
            done = secret[1]
        at = max(at, done)
        if match.end() == match.start():
            at += 1
        if at >= len(text):
            break
    return b"".join((*pieces, text[done:])) if pieces else text


def _first_group(_: bytes, match: Any) -> Span:
    return match.span(1 if match.groups() and match[1] is not None else 0)  # type: ignore[no-any-return]


def _random(_: bytes, match: Any) -> Span | None:
    return match.span(1) if is_random(match[1]) else None


def _group(_: bytes, match: Any) -> Span | None:
    number = next((number for number, group in enumerate(match.groups(), 1) if group is not None), 0)
    value = match[number].strip(b"\"'")
    start = match.start(number)
    return (
        None if not value or is_nothing(value) or is_said(value) else (start, start + len(match[number].rstrip(b"\"'")))
    )


def _password(_: bytes, match: Any) -> Span | None:
    start, end = match.span(1)
    user, colon, password = match[1].partition(b":")
    if colon:
        return None if is_nothing(password) else (start + len(user) + 1, end)
    return (start, end) if len(user) >= 16 and is_random(user) else None


def _parameter(_: bytes, match: Any) -> Span | None:
    name, value = match[1].lower(), match[2]
    if is_nothing(value):
        return None
    if name in _SIGNED:
        return match.span(2)  # type: ignore[no-any-return]
    rule = rule_of(match[1].decode("latin-1"))
    if rule in ("password", "secret", "api-key") or (rule == "token" and name not in _SHORT):
        return match.span(2) if rule == "password" or len(value) >= 6 else None
    return match.span(2) if name in _SHORT and len(value) >= 16 and is_random(value) else None


def _credentials(text: bytes, match: Any) -> Span | None:
    quote, scheme, start = match[1], (match[2] or b"").lower(), match.end()
    if scheme in _LONG_SCHEMES:
        quote = quote or _quote_before(text, match.start())
    pattern = (_TO_QUOTE[quote] if quote else _LINE) if scheme in _LONG_SCHEMES else _WORD
    value = pattern.match(text, start, start + MAX_HEADER)
    if not value or is_nothing(value.group()) or is_said(value.group()):
        return None
    sent = value.group()
    if scheme in _LONG_SCHEMES:
        return value.span() if b"=" in sent else None
    looks = is_random(sent) or (scheme == b"basic" and _is_basic(sent)) or (scheme != b"" and len(sent) > 24)
    return value.span() if looks else None


def _cookies(text: bytes, match: Any) -> Span | None:
    quote, start = match[1][-1:], match.start(2)
    quote = quote or _quote_before(text, match.start())
    value = (_TO_QUOTE[quote] if quote else _LINE).match(text, start, start + MAX_HEADER)
    return value.span() if value else None


def _quote_before(text: bytes, at: int) -> bytes:
    """Returns the quote before the name of a header, as in `curl -H 'Set-Cookie: …'`; b"" if there is none."""
    before = _NAME_START.search(text, max(0, at - 20), at)
    return before[1] if before else b""


def _user_and_password(_: bytes, match: Any) -> Span | None:
    return match.span(1) if _is_basic(match[1]) else None


def _is_basic(sent: bytes) -> bool:
    try:
        return b":" in base64.b64decode(sent + b"=" * (-len(sent) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
