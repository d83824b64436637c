"""Returns the category of a report: the one that was sent, in one spelling, or one derived from type and message if
there is no doubt. Pure functions."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from exporter.events.report import MAX_LABEL, UNKNOWN_CATEGORY
from exporter.ingest.category_rules import ASSERTION_TEXT, ASSERTIONS, FAILED, FAILED_TEXT, IN_A_TEST, RULES, Rule

MAX_TEXT: Final = 1_024  # characters of a message that are read, at its start and at its end
MAX_TYPE: Final = 1_024  # characters of a type that are read, at its end
MAX_TRACEBACK: Final = 16_384  # characters at the end of a traceback that are searched for a test
TEST_FAILURE: Final = "TEST_FAILURE"
_NOT_IN_A_NAME: Final = re.compile(r"\W+")
_EXCEPTION: Final = re.compile(r"(?:E +)?(?:assert |[\w.]*(?:Error|Exception|Failure|Exit|Interrupt|Timeout)\b)")
# Words of lines that mention an error without reporting it. Words of `_ABOUT` count before the end of the phrase, those
# of `_NEGATED` before the phrase, and those of `_PRETENDED` anywhere in the line. Words of `_ABOUT` do not count as
# parts of a path or of a host name.
_ABOUT: Final = re.compile(
    r"(?<![\w./-])(?:expect(?:s|ed|ing)?|should|(?<!device-side )asserts?|contains?|match(?:es)?|handl(?:es|ing of)"
    r"|recover(?:s|ed|y) from|ignor(?:es?|ed)|avoid(?:s|ed)?|how to|see|docs?|documentation|runbook|for example)"
    r"(?![\w/-]|\.\w)",
    re.IGNORECASE,
)
_NEGATED: Final = re.compile(r"\b(?:(?:did|do|does|was|were|is|are) not|never|no longer|without)\b", re.IGNORECASE)
_OVER: Final = re.compile(r"\W{0,3}(?:resolved|fixed)\b", re.IGNORECASE)  # at the start of a line
# Behind a phrase: "OOMKilled: false".
_DENIED: Final = re.compile(r"""["']?\s?[:=]\s?["']?(?:false|no|none|null|0)["']?(?=$|\s?[,;)}])""", re.IGNORECASE)
_PRETENDED: Final = re.compile(
    r"\b(?:expected|simulat\w+|inject\w+|mock(?:ed|s|ing)?|faked?|pretend\w*)\b", re.IGNORECASE
)


class Category(NamedTuple):
    """`name` is in upper case. `derived` says from which field and why the category was derived; None if it was
    sent."""

    name: str
    derived: str | None


_GATES: Final = [(gate, place) for place, rule in enumerate(RULES) for gate in rule.gates]
UNKNOWN: Final = Category(UNKNOWN_CATEGORY, None)


@lru_cache(1024)
def sent_category(text: str) -> Category | None:
    """Returns a sent category as it is stored: in upper case, without blanks around it, cut to `MAX_LABEL` characters.
    Returns None if it is empty."""
    name = text.strip().upper()[:MAX_LABEL].rstrip()
    return Category(name, None) if name else None


def stored_category(text: str) -> str:
    """Returns the name under which a category is stored, counted and filtered."""
    return (sent_category(text) or UNKNOWN).name


def derived_category(type_: str | None, message: str | None, traceback: str | None) -> Category:
    """Returns the category of a report that was sent without one; `UNKNOWN` if there is doubt."""
    is_assertion, is_failed, by_type = _of_type((type_ or "")[-MAX_TYPE:])
    lines = _lines(message or "")
    asserts = is_assertion or any(map(ASSERTION_TEXT.match, lines))
    if asserts or is_failed or any(map(FAILED_TEXT.match, lines)):
        in_test = IN_A_TEST.search(traceback[-MAX_TRACEBACK:]) if traceback else asserts
        if in_test:
            by = "type" if is_assertion or is_failed else "message"
            return Category(TEST_FAILURE, f"derived from the {by}: a failed assertion in a test")
        if asserts:
            return UNKNOWN
    text = "\n".join(lines).lower()
    possible = [place for gate, place in _GATES if gate in text]
    if not possible and by_type is None:
        return UNKNOWN
    for place, rule in enumerate(RULES):
        if place in possible and (found := _found(rule, lines)) is not None:
            return Category(rule.category, f"derived from the message: {rule.name.format(found)}")
        if place == by_type:
            return Category(rule.category, f"derived from the type: {rule.name}")
    return UNKNOWN


@lru_cache(1024)
def _of_type(type_: str) -> tuple[bool, bool, int | None]:
    """Returns whether a type is a failed assertion, whether it may be one, and the index in `RULES` of
    the first rule that has the type."""
    words = set(_NOT_IN_A_NAME.split(type_))
    is_assertion = bool(words & ASSERTIONS) or words >= {"_pytest", FAILED}
    return is_assertion, FAILED in words, next((place for place, rule in enumerate(RULES) if words & rule.types), None)


def _lines(message: str) -> list[str]:
    """Returns the lines of a message that say what happened: the first, the last, and lines that name an exception, as
    the last line of a traceback does, also in the form of pytest."""
    if len(message) > 2 * MAX_TEXT:
        message = message[:MAX_TEXT] + "\n" + message[-MAX_TEXT:].partition("\n")[2]
    if "\n" not in message:
        return [message.strip()]
    lines = [line.rstrip() for line in message.strip().split("\n")]
    return [lines[0], *[line for line in lines[1:-1] if _EXCEPTION.match(line)], lines[-1]]


def _found(rule: Rule, lines: list[str]) -> str | None:
    """Returns the group of the rule's pattern in the first line that reports the error, "" if the pattern has no group;
    None if no line does."""
    for line in lines:
        match = rule.pattern.search(line)
        if match and not (
            _OVER.match(line)
            or _DENIED.match(line, match.end())
            or _ABOUT.search(line, 0, match.end())
            or _NEGATED.search(line, 0, match.start())
            or _PRETENDED.search(line)
        ):
            return next(filter(None, match.groups()), "")
    return None
