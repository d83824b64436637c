"""The answers to the reads about patterns, as the API returns them.

Counts are of errors in the time range of the read, unless their description says otherwise.
"""

from typing import Annotated

from msgspec import UNSET, Meta, Struct

from exporter.events.error_object import ErrorObject, Timestamp
from exporter.store.decisions import PatternDecision
from exporter.store.fields import Count, Maybe
from exporter.store.states import PatternState


class Pattern(Struct, kw_only=True):
    """Errors with one pattern id. `pattern` is the masked message, or the type where there is no message; in a family,
    the template of the family. `fingerprint` is that of the newest error, `fingerprints` counts distinct ones.
    `family`: they are one pattern because their templates form a family. `workers` counts distinct workers. `trend` has
    a count for each bucket of the time range, oldest first, as wide as those of `time_series`. `ever_first_seen` is
    when the error happened that was accepted first, whatever the time range, or `first_seen` if that is earlier."""

    pattern: str
    occurrences: Count
    category: str
    first_seen: Timestamp
    last_seen: Timestamp
    fingerprint: str
    workers: Count
    type: str
    critical: Count
    ever_first_seen: Timestamp | None
    trend: list[Count]
    pattern_id: str
    fingerprints: Count
    family: bool
    state: PatternState


class PatternWorker(Struct):
    """A worker that reported a pattern."""

    worker_id: str
    errors: Count
    last_seen: Timestamp


class FamilyObject(Struct):
    """Templates that differ only in words that are values. `template` has `<*>` at each place where they differ,
    `values[i]` the values seen at the i-th of these places, at most 20. `reason` says why they are one pattern."""

    template: str
    values: list[list[str]]
    reason: str


class PatternMember(Struct, kw_only=True):
    """A fingerprint of a pattern, with its template: the masked message. `first_seen` and `last_seen` are null if it
    has no error in the time range. `ever_first_seen` as in `Pattern`."""

    fingerprint: str
    template: str
    errors: Count
    first_seen: Timestamp | None
    last_seen: Timestamp | None
    ever_first_seen: Timestamp | None


class ExplainedFrame(Struct):
    """A frame of a stack. `exception` is the type of the exception that it belongs to ("" if unknown), `own` whether it
    is in the project's own code, `decides` whether it is part of the fingerprint."""

    frame: str
    exception: str
    own: bool
    decides: bool


class PatternExplanation(Struct, kw_only=True):
    """What a fingerprint was made of. `template` is the masked message, `kept` are the codes in it that were not
    masked. `frame` is the frame that counts, "" if there is none, chosen from `frames`. `test` is the failed test, ""
    if there is none. `root_cause` is the type of the first exception of a chain, "" if there is no chain."""

    version: Annotated[int, Meta(ge=1)]
    fingerprint: str
    scope: str
    type: str
    template: str
    kept: list[str]
    frame: str
    frames: list[ExplainedFrame]
    test: str
    root_cause: str


class PatternDetails(Pattern, kw_only=True):
    """One pattern with the 100 workers that reported it most often, and its 20 newest errors.

    `families` are those whose members belong to the pattern: none if it has only one fingerprint, several if patterns
    were merged by hand. `members` are its 200 most frequent fingerprints. `aliases` are the fingerprints that an
    earlier version gave to the same errors; `continues_as` is the pattern id of the errors of now, if this pattern
    itself is of an earlier version. `decisions` are the merges and splits by hand that are about its members, newest
    first. `explanation` says how the fingerprint of its newest error came about. `comparison` says why this pattern and
    the one that `compare` names are not one. The errors of a `pinned` pattern are not deleted when they are old."""

    worker_stats: list[PatternWorker]
    recent_errors: list[ErrorObject]
    families: list[FamilyObject]
    members: list[PatternMember]
    version: Annotated[int, Meta(ge=1, description="of the fingerprint")]
    aliases: list[str]
    continues_as: str | None
    decisions: list[PatternDecision]
    explanation: PatternExplanation | None
    pinned: bool
    comparison: list[str] | Maybe = UNSET


class PatternList(Struct):
    """A page of patterns, most frequent first. `next_cursor` starts the next page; null on the last one.

    A pattern whose `occurrences` and `last_seen` stay the same while the pages are read is on exactly one of them. One
    that gets errors may move to a page that was read before, and one whose errors leave the time range may appear
    again on a later page. `searched_since` as in `Overview`."""

    patterns: list[Pattern]
    next_cursor: str | None
    searched_since: Timestamp | None
