"""Explains a pattern by its newest error, and says why two patterns are not one."""

from collections.abc import Sequence

from exporter.events.error_object import ErrorObject
from exporter.patterns.explain import Explanation, differences, explain
from exporter.patterns.families import why_apart
from exporter.store.assignments import Recorded
from exporter.store.matching import one_of
from exporter.store.queries import GetPattern
from exporter.store.read_errors import Newest, newest
from exporter.store.reports import fetch
from exporter.store.select import Cursor, Span, integers_of, members_of, rows
from exporter.store.texts import traceback_of


def explanation(cursor: Cursor, members: list[str], errors: Sequence[ErrorObject]) -> Explanation | None:
    """Returns the parts that the fingerprint of the first of a pattern's errors is made of. None if there is no error,
    or if an earlier version of the rules made the fingerprint. Raises duckdb.Error."""
    if not errors:
        return None
    id_ = errors[0].id
    (found,) = rows(cursor, "explained", {"id": id_})  # `errors` have shortened messages
    stack = traceback_of(fetch(cursor, [id_])[id_]) or None
    explained = explain(found["type"], found["message"], stack)
    return explained if explained.fingerprint in members else None


def comparison(
    cursor: Cursor,
    query: GetPattern,
    pattern_id: str,
    members: list[str],
    one: Explanation | None,
    decisions: list[Recorded],
) -> list[str]:
    """Returns sentences that say why two patterns are not one: `pattern_id`, and the pattern that the id
    `query.compare` leads to. `one` explains the newest error of `pattern_id`, and `decisions` are those about it.
    Raises duckdb.Error."""
    assert query.compare is not None
    other_id, other_members = members_of(cursor, query.compare)
    if other_id == pattern_id:
        return [f"{query.compare} and {pattern_id} are one pattern."]
    fingerprints = integers_of(cursor, "fingerprints", other_members)
    matching = f"{Span.of(query.range, query.now).condition} AND {one_of(cursor, 'fingerprint', fingerprints)}"
    (others,) = newest(cursor, None, Newest(matching, 1))
    two = explanation(cursor, other_members, others)
    if one is None or two is None:
        return [
            f"The pattern {id_} has no error in the time range that could be compared."
            for id_, explained in ((pattern_id, one), (other_id, two))
            if explained is None
        ]
    return [*_by_hand(decisions, members, other_members), *_by_rules(one, two)]


def _by_rules(one: Explanation, two: Explanation) -> list[str]:
    """Returns sentences that say why the newest errors of two patterns have different fingerprints and, if these have
    one scope, why their templates are in no common family."""
    found = differences(one, two)
    if one.scope == two.scope and one.template != two.template:
        found.append(why_apart(one.template, two.template))
    return found


def _by_hand(decisions: list[Recorded], members: list[str], others: list[str]) -> list[str]:
    """Returns a sentence for each split in force that concerns members of the two patterns."""
    apart = [one for one in decisions if one.undone_at is None and one.decision.kind == "split"]
    both = {*members, *others}
    return [
        f"Somebody split the pattern {one.from_id} on {one.decided_at:%Y-%m-%d} (decision {one.decision.number})."
        for one in apart
        if both & set(one.decision.fingerprints)
    ]
