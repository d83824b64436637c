"""Answers two reads: one pattern, and the decisions by hand."""

from typing import Final

import msgspec

from exporter.patterns.explain import Explanation
from exporter.patterns.families import Family
from exporter.patterns.fingerprint import VERSION
from exporter.store.assignments import Recorded, recorded
from exporter.store.compare import comparison, explanation
from exporter.store.decide import pattern_decision
from exporter.store.decisions import DecisionList
from exporter.store.matching import one_of
from exporter.store.pattern_results import (
    ExplainedFrame,
    FamilyObject,
    PatternDetails,
    PatternExplanation,
    PatternMember,
    PatternWorker,
)
from exporter.store.pin import is_pattern_pinned
from exporter.store.queries import GetPattern, ListDecisions
from exporter.store.read_errors import Newest, newest
from exporter.store.read_patterns import one_pattern
from exporter.store.select import Cursor, Facts, Row, Span, integers_of, members_of, rows, structs, texts

PATTERN_ERRORS: Final = 20  # newest errors of the pattern that the answer has
MEMBERS: Final = 200  # fingerprints of the pattern that the answer has
_family = msgspec.json.Decoder(Family).decode


def pattern(cursor: Cursor, query: GetPattern) -> PatternDetails | None:
    """Returns one pattern; None if it has no error in the time range. If the id is of an earlier fingerprint version
    and has no error in the time range, returns the pattern that continues it."""
    span = Span.of(query.range, query.now)
    facts = Facts.in_span(cursor, span)
    continues_as = _continues_as(cursor, query.id)
    for id_ in (query.id, continues_as):
        if id_ is not None:
            pattern_id, members = members_of(cursor, id_)
            fingerprints = integers_of(cursor, "fingerprints", members)
            found = one_pattern(cursor, span, facts, pattern_id, fingerprints)
            if found:
                break
    else:
        return None
    times: Row = {"fingerprints": fingerprints, "first": found["first_seen"], "last": found["last_seen"]}
    is_old = rows(cursor, "is_old", {"fingerprint": pattern_id})[0]["is_old"]
    made = _about(cursor, members)
    matching = f"{span.condition} AND {one_of(cursor, 'fingerprint', fingerprints)}"
    (recent,) = newest(cursor, None, Newest(matching, PATTERN_ERRORS))
    explained = explanation(cursor, members, recent)
    details = PatternDetails(
        **texts(found),
        worker_stats=structs(cursor, PatternWorker, "pattern_workers", times),
        recent_errors=recent,
        families=_families(cursor, pattern_id),
        members=structs(cursor, PatternMember, "members", {"members": members, "limit": MEMBERS}),
        pinned=is_pattern_pinned(cursor, members),
        version=1 if is_old else VERSION,
        aliases=[row["old_fingerprint"] for row in rows(cursor, "aliases", {"members": members})],
        continues_as=continues_as if is_old else None,
        decisions=[pattern_decision(one) for one in made],
        explanation=_explained(explained) if explained else None,
    )
    if query.compare is not None:
        details.comparison = comparison(cursor, query, pattern_id, members, explained, made)
    return details


def decisions(cursor: Cursor, query: ListDecisions) -> DecisionList:
    """Returns all decisions by hand, newest first."""
    return DecisionList([pattern_decision(one) for one in reversed(recorded(cursor))])


def _continues_as(cursor: Cursor, id_: str) -> str | None:
    """Returns the id of the pattern that continues a fingerprint of an earlier version; None if there is none."""
    found = rows(cursor, "continues_as", {"fingerprint": id_})
    return found[0]["pattern_id"] if found else None


def _families(cursor: Cursor, pattern_id: str) -> list[FamilyObject]:
    found = [_family(row["family"]) for row in rows(cursor, "families_with", {"pattern_id": pattern_id})]
    return [FamilyObject(one.template, [list(values) for values in one.values], one.reason) for one in found]


def _explained(one: Explanation) -> PatternExplanation:
    values = one._asdict() | {"kept": list(one.kept), "frames": [ExplainedFrame(*frame) for frame in one.frames]}
    return PatternExplanation(**values)


def _about(cursor: Cursor, members: list[str]) -> list[Recorded]:
    """Returns the decisions that are about members of a pattern, newest first."""
    own = set(members)
    return [one for one in reversed(recorded(cursor)) if own & {*one.decision.fingerprints, *one.decision.targets}]
