"""The state of a pattern: what people and errors make of it. Pure.

                 claim ─► claimed     resolve ─► resolved     mute ─► muted     reopen ─► open      (from every state)

    resolved ── an error after the resolution ──► regressed
    muted    ── its time, or its number of errors, is over ──► what it was before: open, claimed or regressed

Times are naive UTC.
"""

import datetime as dt
from typing import Final, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from exporter.events.event import ErrorEvent

Kept = Literal["open", "claimed", "resolved", "muted", "regressed"]
_GOES_BACK_TO: Final = ("claimed", "regressed")  # what a mute leaves as it was; a resolved pattern is open afterwards


class Earlier(Struct, frozen=True):
    """What a mute goes back to."""

    status: Kept
    by: str
    at: dt.datetime


class Standing(Struct, frozen=True):
    """The state of a pattern. `by` is "" for what happened by itself; of a regressed pattern, who had resolved it.
    `regressions`: how many times it came back. `error_id`: the error that made it regressed."""

    status: Kept
    by: str
    at: dt.datetime
    until: dt.datetime | None = None
    errors_left: int | None = None
    before: Earlier | None = None
    regressions: int = 0
    error_id: int | None = None


class Outcome(NamedTuple):
    """What errors or the time made of a state, and what is to be noted of it: `action` ("" for nothing), when it
    happened, and the error that ended the state."""

    standing: Standing
    action: Literal["", "regressed", "unmuted"] = ""
    at: dt.datetime | None = None
    error_id: int | None = None


def claimed(standing: Standing | None, by: str, at: dt.datetime) -> Standing:
    """Returns the state of a pattern that `by` works on."""
    return Standing("claimed", by, at, regressions=_regressions(standing))


def resolved(standing: Standing | None, by: str, at: dt.datetime) -> Standing:
    """Returns the state of a pattern that should not come back."""
    return Standing("resolved", by, at, regressions=_regressions(standing))


def muted(
    standing: Standing | None, by: str, at: dt.datetime, until: dt.datetime | None, errors: int | None
) -> Standing:
    """Returns the state of a pattern that makes no message until a time, or until so many more errors: whichever comes
    first."""
    before = None
    if standing is not None:
        if standing.status == "muted":
            before = standing.before
        elif standing.status in _GOES_BACK_TO:
            before = Earlier(standing.status, standing.by, standing.at)
    error_id = standing.error_id if standing is not None and before is not None else None
    return Standing("muted", by, at, until, errors, before, _regressions(standing), error_id)


def reopened(standing: Standing | None, by: str, at: dt.datetime) -> Standing | None:
    """Returns the state of a pattern of which nobody says anything any more; None if nobody does now."""
    if standing is None or standing.status == "open":
        return None
    return Standing("open", by, at, regressions=standing.regressions)


def is_return(event: ErrorEvent, at: dt.datetime) -> bool:
    """Returns whether an error shows that a pattern, which was resolved `at`, is back. One that happened before, or was
    received before, does not, and neither does an import."""
    return not event.imported and happened(event) > at and _naive(event.received_at) > at


def happened(event: ErrorEvent) -> dt.datetime:
    """Returns when an error happened. Of a worker in another zone, whose times are not corrected elsewhere, it is the
    time with the known offset taken off: else the pattern could not come back for hours."""
    return _naive(event.timestamp) - dt.timedelta(seconds=event.clock_offset)


def after_error(standing: Standing, event: ErrorEvent) -> Outcome:
    """Returns the state after an error of the pattern that was accepted after the state was made."""
    if standing.status == "resolved" and is_return(event, standing.at):
        return returned(standing, event.id, happened(event))
    if standing.status == "muted" and standing.errors_left is not None and not event.imported:
        left = standing.errors_left - 1
        if left > 0:
            return Outcome(replace(standing, errors_left=left))
        at = _naive(event.received_at)
        return Outcome(_unmuted(standing, at), "unmuted", at, event.id)
    return Outcome(standing)


def returned(standing: Standing, error_id: int, at: dt.datetime) -> Outcome:
    """Returns the state of a resolved pattern after an error that happened `at`, which shows that it is back."""
    number = standing.regressions + 1
    after = Standing("regressed", standing.by, at, regressions=number, error_id=error_id)
    return Outcome(after, "regressed", at, error_id)


def after_errors(standing: Standing, events: list[ErrorEvent]) -> tuple[Standing, list[Outcome]]:
    """Returns the state after several errors, and what is to be noted, in order."""
    noted: list[Outcome] = []
    for event in events:
        outcome = after_error(standing, event)
        standing = outcome.standing
        if outcome.action:
            noted.append(outcome)
    return standing, noted


def at_time(standing: Standing, now: dt.datetime) -> Outcome:
    """Returns the state as it is `now`."""
    if standing.status == "muted" and standing.until is not None and now >= standing.until:
        return Outcome(_unmuted(standing, now), "unmuted", now)
    return Outcome(standing)


def _unmuted(standing: Standing, at: dt.datetime) -> Standing:
    if (before := standing.before) is not None:
        error_id = standing.error_id if before.status == "regressed" else None
        return Standing(before.status, before.by, before.at, regressions=standing.regressions, error_id=error_id)
    return Standing("open", "", at, regressions=standing.regressions)


def _regressions(standing: Standing | None) -> int:
    return standing.regressions if standing is not None else 0


def _naive(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC).replace(tzinfo=None)
