"""Merges and splits by hand: the requests to the database process, and its answers.

POST /api/patterns/{id}/merge           ─► Merge ─┐
POST /api/patterns/{id}/split           ─► Split ─┼─► decide.py ─► Decided, or Refused
POST /api/patterns/decisions/{n}/undo   ─► Undo  ─┘
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from exporter.events.error_object import Timestamp

MAX_SPLIT: int = 10_000  # fingerprints of one request
Id = Annotated[str, Meta(min_length=1, max_length=64)]


class Merge(Struct, tag=True, frozen=True):
    """The pattern `id` becomes part of the pattern `into`."""

    id: str
    into: str


class Split(Struct, tag=True, frozen=True):
    """`fingerprints` leave the pattern `id`. If None, all of its members do."""

    id: str
    fingerprints: tuple[str, ...] | None = None


class Undo(Struct, tag=True, frozen=True):
    """The decision `number` is no longer in force."""

    number: int


Decide = Merge | Split | Undo


class PatternDecision(Struct, kw_only=True):
    """A decision by hand. merge: the pattern `pattern_id`, whose members were `fingerprints`, became part of the
    pattern `into`. split: `fingerprints` left the pattern `pattern_id`, and each became a pattern of its own. `whole`
    is true if they were all members of the pattern; then each later member also becomes a pattern of its own.
    `undone_at` is null while the decision is in force."""

    number: Annotated[int, Meta(ge=1)]
    kind: Literal["merge", "split"]
    pattern_id: str
    into: str | None
    fingerprints: list[str]
    whole: bool
    decided_at: Timestamp
    undone_at: Timestamp | None


class DecisionList(Struct):
    """All decisions by hand, newest first, including those that were undone."""

    decisions: list[PatternDecision]


class Decided(Struct, kw_only=True):
    """A decision that was made or undone, and the pattern ids that its fingerprints now have."""

    decision: PatternDecision
    pattern_ids: dict[str, str]


class Refused(Struct, frozen=True):
    """The answer if a decision was not made: HTTP status, error message, and the field of the request that is wrong."""

    status: int
    message: str
    field: str


class MergeRequest(Struct):
    """`into` is the pattern that the pattern of the path becomes part of: its id, or one of its fingerprints."""

    into: Id


class SplitRequest(Struct):
    """`fingerprints` leave the pattern. If null or absent, all of its members do."""

    fingerprints: Annotated[list[Id], Meta(min_length=1, max_length=MAX_SPLIT)] | None = None
