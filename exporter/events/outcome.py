"""The outcome of an accepted report, as its sender is told."""

from typing import Annotated

from msgspec import Meta, Struct

from exporter.events.event import ErrorEvent, Severity


class UnavailableError(Exception):
    """Something that is needed for an answer cannot be reached now; the same request may succeed later."""


class Outcome(Struct, gc=False):
    """An accepted report. `reasons` are the texts of the severity rules that matched. `pattern_id` is the id of the
    error's pattern: of the family that its fingerprint belongs to, else the fingerprint. `warnings` name the values of
    the report that were not read or not believed, and say what was done instead."""

    id: Annotated[int, Meta(ge=1)]
    event_id: str
    severity: Severity
    reasons: tuple[str, ...]
    fingerprint: str
    pattern_id: str
    warnings: tuple[str, ...]


def outcome_of(event: ErrorEvent) -> Outcome:
    return Outcome(
        event.id, event.event_id, event.severity, event.reasons, event.fingerprint, event.pattern_id, event.warnings
    )
