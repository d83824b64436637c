"""The states of patterns and drained workers: the requests to the database process, its answers, and what changed.

POST /api/patterns/{id}/claim, …/resolve, …/mute, …/reopen ─► Act ──────┐
POST /api/patterns/{id}/note                               ─► AddNote ──┤
POST /api/workers/{id}/drain, …/undrain                    ─► Drain ────┼─► pattern_states.py ─► the answer, or Refused
a silence was made in Alertmanager, or could not be made   ─► NoteSilence ┘         │
errors that the projection inserts; the time                                        └► StatesChanged, with the next pong
"""

import datetime as dt
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from exporter.events.error_object import Timestamp
from exporter.store.fields import Count

MAX_NAME: Final = 100  # characters of the name of a person
MAX_TEXT: Final = 2_000  # characters of a note
MAX_NOTES: Final = 50  # of a pattern, that its state is returned with
MAX_ERRORS: Final = 1_000_000_000  # of a mute
LONGEST: Final = dt.timedelta(days=366)  # of a mute or a drain
Action = Literal["claim", "resolve", "mute", "reopen"]
Status = Literal["new", "open", "claimed", "resolved", "muted", "regressed"]
Audited = Literal[
    "claim", "resolve", "mute", "reopen", "note", "regressed", "unmuted", "drain", "undrain", "drain_ended"
]
Name = Annotated[
    str,
    Meta(min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$",
         description="who does it"),
]  # fmt: skip
Until = Annotated[dt.datetime, Meta(tz=True, description="with an offset; at most 366 days ahead")]


class ActRequest(Struct):
    """`by` is the name of who does it."""

    by: Name


class NoteRequest(Struct):
    """`by` writes a note: a text, also of several lines. Secrets in it are redacted as those of reports are."""

    by: Name
    text: Annotated[
        str,
        Meta(
            description="not blank",
            extra_json_schema={"minLength": 1, "maxLength": MAX_TEXT, "pattern": r"[^\x00-\x20\x7f]"},
        ),
    ]


class MuteRequest(Struct):
    """A mute ends at the time `until`, or after so many more `errors`, whichever comes first. One of them is needed."""

    by: Name
    until: Until | None = None
    errors: Annotated[int, Meta(ge=1, le=MAX_ERRORS)] | None = None


class DrainRequest(Struct):
    """The worker is drained until a time; null or absent: until somebody lifts it."""

    by: Name
    until: Until | None = None


class PatternState(Struct, kw_only=True):
    """The state of a pattern. `new`: first seen within the last 24 hours, and nobody has said anything of it. `open`:
    neither. `claimed`: `by` works on it. `resolved`: it should not come back. `regressed`: it did, `at` the time of
    that error; `by` had resolved it. `muted`: its alerts are silenced until the time `until`, or for `errors_left` more
    errors; `silence_id` is that of the silence in the first Alertmanager, null if there is none, and `silence_error`
    says why. `by` and `at` are null if nobody did anything; `by` is null also for what ended by itself."""

    status: Status
    by: str | None
    at: Timestamp | None
    until: Timestamp | None
    errors_left: Count | None
    silence_id: str | None
    silence_error: str | None


class PatternNote(Struct, kw_only=True):
    """What `by` wrote about a pattern. `number` is that of its entry in the audit trail; `caller` is the user or token
    whose request it was, null without access control."""

    number: Annotated[int, Meta(ge=1)]
    at: Timestamp
    by: str
    caller: str | None
    text: str


class StateOfPattern(Struct, kw_only=True):
    """The state of a pattern, with the id that the pattern has now. `notes` are the newest 50, newest first; the audit
    trail has the earlier ones."""

    pattern_id: str
    state: PatternState
    notes: list[PatternNote]


class Drained(Struct, kw_only=True):
    """Who drained a worker, and until when; `until` is null if it is until somebody lifts it."""

    by: str
    at: Timestamp
    until: Timestamp | None


class StateOfWorker(Struct, kw_only=True):
    """Whether a worker is drained; null if it is not."""

    worker_id: str
    drained: Drained | None


class AuditEntry(Struct, kw_only=True):
    """A change of a state. `action` is what was asked for; or what happened by itself: `regressed`, `unmuted` or
    `drain_ended`, with `by` null. `caller` is the user or token whose request it was, null without access control.
    `pattern_id` is the id that the pattern had then. `error_id` is the error that ended a state. `text` is that of a
    note, null for other entries."""

    number: Annotated[int, Meta(ge=1)]
    at: Timestamp
    action: Audited
    by: str | None
    caller: str | None
    pattern_id: str | None
    worker_id: str | None
    until: Timestamp | None
    errors: Count | None
    error_id: Count | None
    text: str | None


class Silence(Struct, kw_only=True):
    """A mute of a pattern: `by` muted it `at` a time, until the time `until` or for so many `errors`; each is null
    where the mute has no such end. `ended_at` is when it ended, null if it has not: at its time, after its errors, or
    because somebody did something else to the pattern, such as muting it anew. `pattern_id` is the id that the pattern
    has now, `pattern` its text."""

    at: Timestamp
    ended_at: Timestamp | None
    until: Timestamp | None
    errors: Count | None
    by: str
    pattern_id: str
    pattern: str


class AuditPage(Struct):
    """A page of the audit trail, newest first. `next_cursor` starts the next page; null on the last one."""

    entries: list[AuditEntry]
    next_cursor: str | None


class Act(Struct, tag=True, frozen=True):
    """Somebody changes the state of the pattern `id`."""

    id: str
    action: Action
    by: str
    caller: str
    until: dt.datetime | None = None
    errors: int | None = None


class AddNote(Struct, tag=True, frozen=True):
    """Somebody writes a note about the pattern `id`."""

    id: str
    text: str
    by: str
    caller: str


class Drain(Struct, tag=True, frozen=True):
    """Somebody drains a worker, or lifts that. `is_known`: it sends heartbeats, so it exists without errors, too."""

    id: str
    drained: bool
    by: str
    caller: str
    is_known: bool
    until: dt.datetime | None = None


class NoteSilence(Struct, tag=True, frozen=True):
    """The mute `number` of the pattern with the fingerprint `anchor` has a silence in Alertmanager, or why it has
    none."""

    anchor: str
    number: int
    silence_id: str | None
    error: str | None


ChangeState = Act | AddNote | Drain | NoteSilence


class StateChange(Struct, frozen=True):
    """The state of a pattern as the HTTP process needs it. `anchor` is the fingerprint that the state belongs to,
    `names` what the errors of the pattern may carry as its id. `number` is that of the last entry of the audit. `at`
    and `until` are exact and naive UTC; `status` is never `new`. `resolved_at` is when it was resolved last,
    in whatever state it is now; None if it was reopened since, or that is not known."""

    anchor: str
    number: int
    pattern_id: str
    names: tuple[str, ...]
    state: PatternState
    at: dt.datetime
    until: dt.datetime | None
    regressions: int
    error_id: int | None
    resolved_at: dt.datetime | None = None


class DrainChange(Struct, frozen=True):
    """Whether a worker is drained now."""

    number: int
    worker_id: str
    drained: Drained | None


class NoteAdded(Struct, frozen=True):
    """A note was written: the entry `number` of the audit. `state` is that of the pattern at that moment."""

    number: int
    pattern_id: str
    state: PatternState


class StatesChanged(Struct):
    """What changed since the last pong. `gone` are the anchors of states that count no more. `complete`: these are all
    states, and no worker is drained but these."""

    patterns: list[StateChange]
    workers: list[DrainChange]
    gone: list[str] = []
    notes: list[NoteAdded] = []
    complete: bool = False
