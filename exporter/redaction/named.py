"""Secrets in texts that a name tells: `password=…`, `"token": "…"`, `--api-key …`, `<password>…</password>`."""

import re
from collections.abc import Callable
from typing import Any, Final

from exporter.redaction.engine import compiled
from exporter.redaction.mark import Found
from exporter.redaction.values import is_secret, is_secret_word

# A part of every name that `names.rule_of` accepts.
KEYWORDS: Final = (
    r"(?i:passw|passphrase|passcode|kennwort|pwd|secret|credential|token|jwt|auth|cookie|sess|api[_. -]?key|"
    r"(?:access|account|admin|app|consumer|deploy|encrypt|encryption|hmac|license|master|private|service|shared|signing"
    r"|ssh|storage|subscription|key|become|db|ftp|http|ldap|login|mail|mysql|pg|proxy|redis|root|smtp|store|sudo|user)"
    r"[_.-]?(?:keys?|pass|pw)\b|\b(?:pass|pw)\b)"
)
MAX_VALUE: Final = 8_192  # bytes of a value
_BLANK: Final = r"(?:\s|\\+[nrt])*"


def assigned(keywords: str) -> Any:
    """Returns the pattern of names that are followed by a value. `keywords` matches a part of each name."""
    name = rf"([\w.-]*(?:{keywords})[\w.-]*)"
    return compiled(
        rf"(?:^|[\s\"'`\[(,=:])--?{name}(?:[ \t]+|=|\\*[\"'],\s*)"  # 1: a flag, also of a list of arguments
        rf"|<{name}>"  # 2: XML
        rf"|{name}\\*[\"']\s+value="  # 3: <add key="AdminPassword" value="…"/>
        rf"|(?i:name|key|header)\\*[\"']?{_BLANK}[:=]{_BLANK}\\*[\"']?{name}\\*[\"']?(?:{_BLANK},?{_BLANK})\\*[\"']?"
        rf"(?i:value|val)\\*[\"']?{_BLANK}[:=]{_BLANK}"  # 4: name: DB_PASSWORD, value: …
        rf"|[(]\\*[\"']{name}\\*[\"'],\s*"  # 5: a pair
        rf"|{name}(?:\\*[\"'`]|\])?{_BLANK}(?::=|=>|[:=]){_BLANK}"  # 6: every other assignment
    )


_FLAG, _XML, _VALUE, _NAMED, _PAIR, _OTHER = range(1, 7)
_OPENING: Final = re.compile(rb"(?:Some\(|SecretStr\(|[\[(]{1,2}(?=\\*[\"']))?[bruf]?(\\*[\"'`])")
_CLOSED: Final = {quote: re.compile(rb"(?:[^\n\\" + quote + rb"]++|\\[^\n])*+") for quote in (b'"', b"'", b"`")}
_UNQUOTED: Final = re.compile(
    rb"(?:[^\s\"'`,;)}\]<>&\\|]++|&(?!amp;|[\w.%-]++=)|\\(?![nrt\"'\\])|,(?=[^\s,\w\"'])|(?<==)\])++"
)
_ARGUMENT: Final = re.compile(rb"[^\s\"'`]++")
_PAIR_ENDS: Final = re.compile(rb"\\*+[\"'`]\s*+[)\]]")  # ("password", "salt", 64) is no pair
_IN_XML: Final = re.compile(rb"[^<]*+")


def redact_named(text: bytes, found: Found, rule_of: Callable[[str], str | None], pattern: Any) -> bytes:
    """Returns `text` with marks for the values of names that `rule_of` gives a rule. `assigned` makes the pattern."""
    pieces: list[bytes] = []
    done = at = 0
    while match := pattern.search(text, at):
        at = match.end()
        if not found.place():
            break
        kind = next(number for number, group in enumerate(match.groups(), 1) if group is not None)
        name: bytes = match[kind]
        rule = rule_of(name.decode("latin-1"))
        if rule is None or rule in ("authorization", "cookie"):
            continue
        span = _secret(text, at, rule, name, kind, match.group())
        if span is None or found.stays(text[span[0] : span[1]]):
            continue
        start, end = span
        pieces += (text[done:start], found.mark(rule))
        done = at = end
    return b"".join((*pieces, text[done:])) if pieces else text


def _secret(text: bytes, at: int, rule: str, name: bytes, kind: int, matched: bytes) -> tuple[int, int] | None:
    """Returns start and end of the secret whose name ends at `at`, None if there is none."""
    if kind == _XML:
        end = _end(_IN_XML, text, at)
        return (at, end) if text[end : end + 2] == b"</" and is_secret(rule, name, text[at:end]) else None
    if text[at : at + 1] in b"=:" and text[at : at + 1] and matched[-1:] in b"=:":
        return None  # `==`, `::`
    if kind == _FLAG and matched.endswith((b"',", b'",', b" ")) and matched.rstrip()[-1:] == b",":
        opening = _OPENING.match(text, at)
        return _quoted(text, opening, rule, name) if opening else None
    if opening := _OPENING.match(text, at):
        span = _quoted(text, opening, rule, name)
        return None if kind == _PAIR and span and not _PAIR_ENDS.match(text, span[1]) else span
    if kind == _PAIR:
        return None
    end = _end(_ARGUMENT if kind == _FLAG and matched[-1:] != b"=" else _UNQUOTED, text, at)
    value = text[at:end]
    if kind == _FLAG:
        return (at, end) if value[:1] != b"-" and is_secret(rule, name, value) else None
    before = matched.rstrip(b" \t\r\n")
    spaced, colon = len(before) < len(matched), before[-1:] == b":"
    if name.lower() in (b"pass", b"pw") and (colon or value.isdigit()):  # `pass: 12, fail: 3`
        return None
    if colon and text[: at - len(matched)].endswith(b":"):  # `arn:aws:secretsmanager:eu:123:secret:db`
        return None
    value = value.rstrip(b".") if value.endswith(b"...") else value
    if not is_secret_word(rule, name, value, text[end : end + 3], spaced=spaced, colon=colon):
        return None
    return at, end


def _quoted(text: bytes, opening: re.Match[bytes], rule: str, name: bytes) -> tuple[int, int] | None:
    start, quote = opening.end(), opening[1]
    if text[start : start + 1] in (b")", b",", b";", b""):  # the quote ends a prompt, as in `getpass("Password: ")`
        return None
    if len(quote) == 1:
        end = _end(_CLOSED[quote], text, start)
    else:  # the quote is escaped, and the quotes inside are escaped more often
        end = text.find(quote, start, start + MAX_VALUE)
        end = end if end >= 0 else _end(_UNQUOTED, text, start)
    return (start, end) if is_secret(rule, name, text[start:end]) else None


def _end(pattern: re.Pattern[bytes], text: bytes, at: int) -> int:
    match = pattern.match(text, at, at + MAX_VALUE)
    return match.end() if match else at
