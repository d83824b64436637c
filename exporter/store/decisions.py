"""Merges and splits by hand: what is asked of the process of the database, and what it answers.

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
    """`fingerprints` leave the pattern `id`, None: all of its members."""

    id: str
    fingerprints: tuple[str, ...] | None = None


class Undo(Struct, tag=True, frozen=True):
    """The decision `number` is no longer in force."""

    number: int


Decide = Merge | Split | Undo


class PatternDecision(Struct, kw_only=True):
    """A decision by hand. merge: the pattern `pattern_id`, whose members were `fingerprints`, became part of the
    pattern `into`. split: `fingerprints` left the pattern `pattern_id`; `whole` says that they were all its members,
    and that later ones are patterns of their own, too. `undone_at` is null while the decision is in force."""

    number: Annotated[int, Meta(ge=1)]
    kind: Literal["merge", "split"]
    pattern_id: str
    into: str | None
    fingerprints: list[str]
    whole: bool
    decided_at: Timestamp
    undone_at: Timestamp | None


class DecisionList(Struct):
    """All decisions by hand, newest first, with those that were undone."""

    decisions: list[PatternDecision]


class Decided(Struct, kw_only=True):
    """A decision that was made or undone, and the pattern ids that its fingerprints now have."""

    decision: PatternDecision
    pattern_ids: dict[str, str]


class Refused(Struct, frozen=True):
    """Why a decision was not made: HTTP status, text, and the field that is wrong."""

    status: int
    message: str
    field: str


class MergeRequest(Struct):
    """The pattern that this one becomes part of: its id, or one of its fingerprints."""

    into: Id


class SplitRequest(Struct):
    """The fingerprints that leave the pattern; null or absent: all of its members."""

    fingerprints: Annotated[list[Id], Meta(min_length=1, max_length=MAX_SPLIT)] | None = None
