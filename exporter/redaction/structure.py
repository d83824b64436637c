"""Rewrites those strings of a report's JSON that may have a secret. Everything else of the text stays as it is.

Each hit of the search (`suspicion.py`) lies in a JSON string, or is a number:

    {"context": {"db_password": "hunter2", "note": "token=…"}}
                  ^^^^^^^^^^^^^ a key: its name tells about the value
                                                    ^^^^^^ a value: the rules for texts are applied to it

Whether a place lies in a string is known from the number of quotes before it, so nothing has to be decoded but the
strings with a hit.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final

from exporter.redaction.cards import RULE, is_card_number
from exporter.redaction.forms import is_line_of_key, is_private_key_begun
from exporter.redaction.mark import Found
from exporter.redaction.names import word_set
from exporter.redaction.values import RANDOM, is_nothing, is_secret

KEPT: Final = ("worker_id", "event_id")  # identities of reports; `timestamp` is one by its meaning
_LONGEST_KEPT: Final = len(r'""') + len(r"\u0077") * len(
    "worker_id"
)  # bytes of such a key, also if all of it is escaped
_BLANKS: Final = b" \t\r\n"
_VALUE: Final = re.compile(rb"\s*+:\s*+")
_NEXT: Final = re.compile(rb'\s*+,\s*+(?=")')
_NAMED_VALUE: Final = re.compile(rb'\s*+,\s*+"(?:value|Value|val)"\s*+:\s*+(?=")')
_IN_NUMBER: Final = (b"-", b"+", b".", b"e", b"E")
_NUMBER: Final = re.compile(rb"-?[0-9][0-9.eE+-]*+")
_BEFORE: Final = 40  # bytes before a string in which a bracket or comma is looked for
_BRACKET: Final = re.compile(rb"[\[\]{}]")
_FLAG: Final = re.compile(r"--?[\w-]++")
# Members of an object with secrets that are none.
_NOT_SECRET: Final = word_set(
    "algorithm arn created description email enabled expires file host hostname id kind login method name "
    "namespace path port provider realm region role scheme scope service status type uri url user username "
    "version"
)
MAX_CONTAINER: Final = 200  # strings of one array or object under the name of a secret


class NotJSONError(ValueError):
    """What is to be rewritten is no JSON."""


class Structure:
    """Rewrites one report. `redact_text` applies the rules for texts, `rule_of` those for names."""

    def __init__(
        self,
        body: bytes,
        redact_text: Callable[[bytes, Found], bytes],
        rule_of: Callable[[str], str | None],
        found: Found,
    ) -> None:
        self._body = body
        self._quotes = body.replace(rb"\\", b"\0\0").replace(rb"\"", b"\0\0")  # each quote begins or ends a string
        self._redact_text = redact_text
        self._rule_of = rule_of
        self._found = found
        self._pieces: list[bytes] = []
        self._done = 0

    def rewritten(self, suspicion: Any, hit: Any) -> bytes:
        """Returns the report with marks. `hit` is the first match of the pattern `suspicion`. If `found` is exhausted,
        the result must not be used. Raises `NotJSONError` if it finds that the report is no JSON."""
        body, quotes = self._body, self._quotes
        at = 0  # outside of a string
        while hit:
            place = hit.start()
            if quotes[place : place + 1] == b'"':
                place += 1
            if quotes.count(b'"', at, place) % 2:
                start, end = quotes.rfind(b'"', at, place), quotes.find(b'"', place)
                if end < 0:
                    break  # no JSON; the report is refused
                at = self._string(start, end + 1)
            else:
                at = self._number(max(at, place))
            if not self._found.place():
                break
            hit = suspicion.search(body, at)
        return b"".join((*self._pieces, body[self._done :])) if self._pieces else body

    def _replace(self, start: int, end: int, by: bytes) -> None:
        if self._body[start:end] != by:
            self._pieces += (self._body[self._done : start], by)
            self._done = end

    def _mark(self, start: int, end: int, rule: str) -> None:
        if self._found.stays(self._body[start:end].strip(b'"')):
            return
        self._replace(start, end, b'"' + self._found.mark(rule) + b'"')

    def _string(self, start: int, end: int) -> int:
        """Handles the string from `start` to `end`. Returns the end of what was handled."""
        text = _decoded(self._body[start:end])
        value = _VALUE.match(self._body, end)
        if not value:
            return self._value(start, end, text)
        self._redact(start, end, text)
        rule = self._rule_of(text)
        return self._value_of(value.end(), rule, text) if rule else value.end()

    def _value(self, start: int, end: int, text: str) -> int:
        """Handles a string that is no key."""
        if self._key_of(start) in KEPT:
            return end
        before = self._body[max(0, start - _BEFORE) : start].rstrip()
        if (named := _NAMED_VALUE.match(self._body, end)) and (rule := self._rule_of(text)):
            return self._value_of(named.end(), rule, text)
        if before.endswith((b"[", b",")) and (after := _NEXT.match(self._body, end)):
            if is_private_key_begun(text.encode("utf-8", "replace")):
                self._redact(start, end, text)
                return self._lines_of_key(after.end())
            if (_FLAG.fullmatch(text) or text.lower() in ("cookie", "set-cookie")) and (
                rule := self._rule_of(text.lstrip("-"))
            ):
                next_end = self._end(after.end())
                if self._body[after.end() + 1 : after.end() + 2] != b"-":
                    return self._value_of(after.end(), rule, text)
                return next_end
        self._redact(start, end, text)
        return end

    def _redact(self, start: int, end: int, text: str) -> None:
        redacted = self._redact_text(text.encode("utf-8", "surrogatepass"), self._found)
        new = redacted.decode("utf-8", "surrogatepass")
        if new != text:
            self._replace(start, end, _encoded(new, self._body[start:end]))

    def _value_of(self, start: int, rule: str, name: str) -> int:
        """Handles the value at `start`, whose name is that of a secret. Returns its end, or `start` if the texts in it
        are still to be looked at."""
        first = self._body[start : start + 1]
        if first == b'"':
            end = self._end(start)
            text = _decoded(self._body[start:end])
            self._secret_or_text(start, end, text, rule, name)
            return end
        if first in (b"[", b"{"):
            return self._container(start, rule)
        if number := _NUMBER.match(self._body, start):
            if rule not in RANDOM and len(number.group()) > 3:
                self._mark(start, number.end(), rule)
                return number.end()
            return self._number(start)
        return start

    def _secret_or_text(self, start: int, end: int, text: str, rule: str, name: str) -> None:
        encoded = text.encode("utf-8", "surrogatepass")
        probe = self._found.probe()
        redacted = self._redact_text(encoded, probe)
        if probe.exhausted or redacted == encoded:
            self._found.count(probe)
        if redacted != encoded and b"[redacted" in redacted:  # a form of its own tells more than the name
            self._redact(start, end, text)
        elif _is_header(rule, text) or is_secret(rule, name.encode("utf-8", "replace"), encoded):
            self._mark(start, end, rule)

    def _container(self, start: int, rule: str) -> int:
        """Handles an array or object under the name of a secret: all its strings, but not those of `_NOT_SECRET`.
        Returns the end of what was handled. Each key, string, array and object in it counts as a place."""
        body, quotes = self._body, self._quotes
        depth, at, name = 0, start, ""
        for _ in range(MAX_CONTAINER):
            quote = quotes.find(b'"', at)
            for bracket in _BRACKET.finditer(body, at, quote if quote >= 0 else len(body)):
                if bracket.group() in b"[{":
                    depth += 1
                    if not self._found.place():
                        return bracket.end()
                else:
                    depth -= 1
                    if depth == 0:
                        return bracket.end()
            if quote < 0:
                raise NotJSONError
            if not self._found.place():
                return quote
            end = self._end(quote)
            text = _decoded(body[quote:end])
            if value := _VALUE.match(body, end):
                name = text
                at = value.end()
                self._redact(quote, end, text)
                continue
            of = self._rule_of(name) or rule
            if name.lower() not in _NOT_SECRET:
                self._secret_or_text(quote, end, text, of, name)
            else:
                self._redact(quote, end, text)
            at = end
        return at

    def _lines_of_key(self, start: int) -> int:
        """Handles the lines of a private key that are strings of an array, from the second one at `start`."""
        rule = "private-key"
        while self._body[start : start + 1] == b'"':
            end = self._end(start)
            text = _decoded(self._body[start:end]).encode("utf-8", "replace")
            if not is_line_of_key(text):
                return start
            if not is_nothing(text):
                self._mark(start, end, rule)
                self._found.place()
            following = _NEXT.match(self._body, end)
            if not following or self._found.exhausted:
                return end
            start = following.end()
        return start

    def _number(self, start: int) -> int:
        """Handles what is at `start` outside of strings."""
        number = _NUMBER.match(self._body, start)
        if number is None:
            return start + 1
        if self._body[start - 1 : start] in _IN_NUMBER:  # the digits after a sign, a point or an e
            return number.end()
        digits = number.group()
        if digits.isdigit() and is_card_number(digits) and self._key_of(start) not in (*KEPT, "timestamp"):
            self._mark(start, number.end(), RULE)
        return number.end()

    def _key_of(self, start: int) -> str | None:
        """Returns the key of the value at `start`, None if it has none or a longer one than those of `KEPT`."""
        colon = self._end_before(start) - 1
        if self._body[colon : colon + 1] != b":":
            return None
        end = self._end_before(colon)
        key = self._quotes.rfind(b'"', max(0, end - _LONGEST_KEPT), max(0, end - 1))
        return None if key < 0 or self._quotes[end - 1 : end] != b'"' else _decoded(self._body[key:end])

    def _end_before(self, end: int) -> int:
        """Returns the end of what comes before the white space that ends at `end`."""
        while end > 0:
            piece = self._body[max(0, end - 256) : end]
            if rest := piece.rstrip(_BLANKS):
                return end - len(piece) + len(rest)
            end -= len(piece)
        return 0

    def _end(self, start: int) -> int:
        """Returns the end of the string at `start`."""
        end = self._quotes.find(b'"', start + 1)
        return end + 1 if end >= 0 else len(self._body)


def _decoded(literal: bytes) -> str:
    try:
        return json.loads(literal)  # type: ignore[no-any-return]  # it is a string
    except ValueError:
        raise NotJSONError from None


def _encoded(text: str, like: bytes) -> bytes:
    """Returns `text` as JSON; in ASCII if the string `like`, which it replaces, is."""
    if not like.isascii():
        try:
            return json.dumps(text, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            pass
    return json.dumps(text).encode()


def _is_header(rule: str, text: str) -> bool:
    return rule == "cookie" and "=" in text and not text.startswith("[redacted")
