"""Redacts reports and texts: the entry of this package."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from exporter.redaction import forms, named, texts
from exporter.redaction.cards import RULE as CARD
from exporter.redaction.cards import redact_cards
from exporter.redaction.engine import compiled_by_user
from exporter.redaction.mark import UNCHECKED, Found
from exporter.redaction.names import rule_of
from exporter.redaction.reduced import reduced
from exporter.redaction.rules import RULES
from exporter.redaction.rules_file import NO_RULES, UserRules
from exporter.redaction.structure import NotJSONError, Structure
from exporter.redaction.suspicion import suspicion

MAX_ROUNDS: Final = 4
Step = Callable[[bytes, Found], bytes]


class Redaction:
    """Replaces secrets. `counts` has the number of marks by rule, 0 for each rule that found nothing. To be used by one
    thread only."""

    def __init__(self, rules: UserRules = NO_RULES, *, emails: bool = False, ip_addresses: bool = False) -> None:
        optional = [name for name, on in zip(texts.OPTIONAL, (emails, ip_addresses), strict=True) if on]
        names = (*RULES, *optional, *rules.names, UNCHECKED)
        self.counts: Counter[str] = Counter({name: 0 for name in names if name not in rules.off})
        self._rules = rules
        keywords = "|".join((named.KEYWORDS, *rules.keywords))
        more = [one.pattern for one in rules.patterns]
        self._suspicion = suspicion(keywords, more, emails=emails, ip_addresses=ip_addresses)
        self._steps = self._chosen(keywords, optional)

    def redact(self, body: bytes) -> bytes:
        """Returns the JSON of a report with marks for its secrets; `body` itself if there is none. What is no JSON may
        come back as it is, because such a report is refused."""
        try:
            return self._redacted(body)
        except NotJSONError:
            return body

    def _redacted(self, body: bytes) -> bytes:
        hit = self._suspicion.search(body)
        if hit is None:
            return body
        found = Found(self._rules.allowed)
        redacted = self._rewritten(body, hit, found)
        if found.exhausted:
            found = Found(self._rules.allowed, most=math.inf)
            found.mark(UNCHECKED)
            whole, body = body, reduced(body)
            if body is whole:
                raise NotJSONError
            redacted = self._rewritten(body, self._suspicion.search(body), found)
        self.counts.update(found.rules)
        return redacted

    def _rewritten(self, body: bytes, hit: Any, found: Found) -> bytes:
        """Rewrites a report until nothing changes, because a mark may show that the text after it is a value."""
        for _ in range(MAX_ROUNDS):
            before, body = body, Structure(body, self._text, self._rule_of, found).rewritten(self._suspicion, hit)
            if body is before or found.exhausted:
                break
            hit = self._suspicion.search(body)
        return body

    def redact_text(self, text: str) -> str:
        """Returns a text that is not in JSON, such as a line of the service's log, with marks for its secrets."""
        found = Found(self._rules.allowed, most=math.inf)
        return self._text(text.encode("utf-8", "surrogatepass"), found).decode("utf-8", "surrogatepass")

    def _chosen(self, keywords: str, optional: Sequence[str]) -> list[tuple[Sequence[bytes], Step]]:
        """Returns the rules for texts in their order: what has a form of its own comes first, because its mark says
        most. With each are texts of which one must occur, none if the rule is always to be tried."""
        off = self._rules.off
        by_user: list[Step] = [
            partial(texts.redact_all, pattern=compiled_by_user(one.pattern), rule=one.name)
            for one in self._rules.patterns
        ]
        assigned = named.assigned(keywords)
        steps: list[tuple[str, Sequence[bytes], Step]] = [
            ("private-key", (b"PRIVATE KEY", b"PuTTY"), forms.redact_private_keys),
            ("", (), partial(forms.redact_forms, off=off)),
            ("url-password", (b"://", b"jdbc:"), texts.redact_urls),
            ("query", (b"?", b"&"), texts.redact_queries),
            ("", (), partial(texts.redact_headers, off=off)),
            ("password", (), texts.redact_spoken),
            ("", (), partial(named.redact_named, rule_of=self._rule_of, pattern=assigned)),
            ("token", (), texts.redact_mentioned),
            (CARD, (), redact_cards),
        ]
        steps += [(name, (), partial(texts.redact_all, pattern=texts.OPTIONAL[name], rule=name)) for name in optional]
        return [*[((), step) for step in by_user], *[(gates, step) for name, gates, step in steps if name not in off]]

    def _text(self, text: bytes, found: Found) -> bytes:
        for gates, step in self._steps:
            if not gates or any(gate in text for gate in gates):
                text = step(text, found)
        return text

    def _rule_of(self, name: str) -> str | None:
        rules = self._rules
        rule = rules.keys.get(name.lower()) or rule_of(name)
        return None if rule is None or rule in rules.off or name.encode("utf-8", "replace") in rules.allowed else rule
