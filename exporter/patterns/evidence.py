"""Measures the evidence that the words seen in one place are the values of a variable. Pure functions.

The unit of evidence is one plain word: `ENOUGH` different plain words in one place make it a variable. The other
constants are the evidence that one more sign adds or takes away.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

from exporter.patterns.meaning import Meaning, is_symbol, meaning
from exporter.patterns.pieces import VARIABLE, has_context, is_closed, is_placeholder, without_placeholders
from exporter.patterns.views import Pieces, Span, View

ENOUGH: Final = 5.0
IDENTIFIER: Final = 0.5  # for each word with the form of an identifier
CONTEXT: Final = 1.0  # if the place is the value of a key, or in quotes or brackets
MASKED: Final = 2.0  # if masking replaced a value there; `ENOUGH - 1` instead if the place ends a phrase (`is_closed`)
SHARED: Final = 1.0  # for each word that was also seen in another place after the same noun, or is a value elsewhere
WEIGHTY: Final = 2.0  # subtracted for the first word, which says what a text is about, and again for a short text
LITERALS: Final = frozenset(["", "true", "false", "null", "none", "nil", "undefined"])  # values if a key has them

_IDENTIFIER: Final = re.compile(r"\w[._\-/@$\\+#]+\w|[a-z][A-Z]|[<\x00]")


def is_free(text: str, least: Meaning = Meaning.NONE) -> bool:
    """Returns whether a text may be the value of a variable: its meaning is at most `least`, or it is a placeholder."""
    return is_placeholder(text) or meaning(without_placeholders(text)) <= least


def are_same(values: Collection[str]) -> bool:
    """Returns whether `values` are two that mean the same: the singular and plural of a word, or a path and its end."""
    if len(values) != 2:
        return False
    short, long = sorted(values, key=len)
    return long == f"{short}s" or (bool(short) and long.endswith(f"/{short}"))


def evidence(
    values: set[str], pieces: Pieces, span: Span, shared: Mapping[tuple[str, str], int], known: Collection[str]
) -> float:
    """Returns the evidence that `values`, seen at `span` of texts such as `pieces`, are the values of a variable.

    `shared` is the result of `shared_words`. `known` are the words that are values in other places."""
    words = [value for value in values if not is_placeholder(value)]
    if len(values) < 2:
        return 0.0
    if not words:
        return ENOUGH  # all are placeholders
    if all(map(is_symbol, words)):
        return 0.0  # all words are in capitals: constants of an enumeration, such as the operations of a library
    start, end = span
    context = has_context(pieces, start)
    fixed = sum(piece[0].isalpha() for piece in (*pieces[:start], *pieces[end:]))
    identifiers = [word for word in words if _IDENTIFIER.search(word)]
    score = CONTEXT * context - WEIGHTY * ((start == 0) + (fixed < 2))
    score += len(words if start else identifiers) + IDENTIFIER * len(identifiers)
    before = _noun_before(pieces, start)
    elsewhere = {word for word in words if shared.get((before, word), 0) > 1 or (word in known and not context)}
    score += SHARED * len(elsewhere)
    if VARIABLE in values:
        score += ENOUGH - 1
    elif len(words) < len(values) or _has_literal(words, context):
        score += ENOUGH - 1 if is_closed(pieces, start, end) else MASKED
    return score


def _has_literal(words: Collection[str], context: bool) -> bool:
    literal = [word.lower() in LITERALS for word in words]
    return any(literal) if context else all(literal)


def shared_words(view: View) -> Counter[tuple[str, str]]:
    """Returns the number of places by noun and word: `("user", "alice")` → in how many places `alice` was seen after
    the noun `user`. `view` is that of single places."""
    shared: Counter[tuple[str, str]] = Counter()
    for found in view.values():
        if len(found) > 1:
            pieces, (span,) = found[0]
            words = {"".join(pieces[slice(*span)]) for pieces, (span,) in found}
            if len(words) > 1 and (before := _noun_before(pieces, span[0])):
                shared.update((before, word) for word in words)
    return shared


def _noun_before(pieces: Pieces, start: int) -> str:
    """Returns the noun before a place, such as `user` in `user <*>`; "" if there is none."""
    noun = pieces[start - 2] if start > 1 and pieces[start - 1].isspace() else ""
    return noun if noun.isalpha() and meaning(noun) == Meaning.NONE else ""
