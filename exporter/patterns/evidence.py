"""How much speaks for it that the words seen in one place are the values of a variable. Pure functions.

Evidence is counted in words: so many different plain words as `ENOUGH` make a variable. The other numbers say what one
more sign is worth.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Final

from exporter.patterns.meaning import Meaning, is_symbol, meaning
from exporter.patterns.pieces import VARIABLE, has_context, is_closed, is_placeholder, without_placeholders
from exporter.patterns.views import Pieces, Span, View

ENOUGH: Final = 5.0
IDENTIFIER: Final = 0.5  # a word that is built like an identifier
CONTEXT: Final = 1.0  # the place is the value of a key, or in quotes or brackets
MASKED: Final = 2.0  # masking replaced a value there; in a place that ends a phrase, one more word is enough
SHARED: Final = 1.0  # a word that stands in another place together with `TOGETHER - 1` others of this place
TOGETHER: Final = 3
WEIGHTY: Final = 2.0  # the first word, which says what a text is about, and a short text need so much more
STRONG: Final = 8.0  # evidence from which a base form of a verb is taken as a name, too
LITERALS: Final = frozenset(["", "true", "false", "null", "none", "nil", "undefined"])  # values wherever a key has them

_IDENTIFIER: Final = re.compile(r"\w[._\-/@$\\+#]+\w|[a-z][A-Z]|[<\x00]")


def is_free(text: str, least: Meaning = Meaning.NONE) -> bool:
    """Returns whether a variable may have this value."""
    return is_placeholder(text) or meaning(without_placeholders(text)) <= least


def is_plural(values: Collection[str]) -> bool:
    """Returns whether two words are singular and plural of one."""
    return len(values) == 2 and max(values) == min(values) + "s"


def evidence(values: set[str], pieces: Pieces, span: Span, shared: Collection[str]) -> float:
    """Returns how much speaks for it that `values`, seen at `span` of `pieces`, are the values of a variable."""
    words = [value for value in values if not is_placeholder(value)]
    if len(values) < 2 or all(map(is_symbol, words)):
        return 0.0  # all in capitals: an enumeration, such as the operations of a library
    start, end = span
    context = has_context(pieces, start)
    fixed = sum(piece[0].isalpha() for piece in (*pieces[:start], *pieces[end:]))
    identifiers = [word for word in words if _IDENTIFIER.search(word)]
    score = CONTEXT * context - WEIGHTY * ((start == 0) + (fixed < 2))
    score += len(words if start else identifiers) + IDENTIFIER * len(identifiers)
    score += SHARED * sum(word in shared for word in words)
    if VARIABLE in values:
        score += ENOUGH - 1
    elif len(words) < len(values) or (context and not LITERALS.isdisjoint(word.lower() for word in words)):
        score += ENOUGH - 1 if is_closed(pieces, start, end) else MASKED
    return score


def plain_words(values: Collection[str]) -> frozenset[str]:
    """Returns the values that are words which may vary."""
    return frozenset(word for word in values if not is_placeholder(word) and not is_symbol(word) and is_free(word))


def shared_words(view: View) -> dict[frozenset[str], set[str]]:
    """Returns for the words of a place those that stand together in another place, too, at least `TOGETHER` of them, as
    the names of users do."""
    places = []
    for found in view.values():
        if len(found) >= TOGETHER:
            words = plain_words({"".join(pieces[slice(*span)]) for pieces, (span,) in found})
            if len(words) >= TOGETHER:
                places.append(words)
    holders = defaultdict(list)
    for number, words in enumerate(places):
        for word in words:
            holders[word].append(number)
    shared: dict[frozenset[str], set[str]] = defaultdict(set)
    for number, words in enumerate(places):
        common = Counter(other for word in words for other in holders[word] if other != number)
        for other, count in common.items():
            if count >= TOGETHER:
                shared[words] |= words & places[other]
    return shared
