"""Deleting errors on request, and pinning errors and patterns: the requests to the database process, and its answers.

POST /api/errors/delete              ─► CountErrors; Begin; Delete, again and again ─► delete.py
POST /api/errors/{id}/pin, …/unpin   ─► Pin ─► pin.py
POST /api/patterns/{id}/pin, …/unpin ─► Pin
"""

import datetime as dt
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from exporter.events.cursor import MAX_ID, Position
from exporter.events.error_object import Timestamp
from exporter.store.fields import Count
from exporter.store.parameters import ErrorFilters, Hours

MAX_IDS: int = 10_000  # of one request
Id = Annotated[int, Meta(ge=1, le=MAX_ID)]


class DeleteRequest(ErrorFilters, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which errors to delete: those that match every given field, as in the list of errors; `ids` are ids of errors. At
    least one field is needed. Without `time_range`, errors of any age match. `ahead` is true for errors more than 5
    minutes ahead of now, which no time range has. If `dry_run` is true, as by default, they are only counted."""

    dry_run: bool = True
    hours: Hours | None = field(default=None, name="time_range")
    ids: Annotated[tuple[Id, ...], Meta(max_length=MAX_IDS)] = ()
    ahead: bool = False


def noted(request: DeleteRequest) -> dict[str, Any]:
    """Returns a request as the database and the service's log keep it. Instead of `q`, which may be a secret, it has
    the number of its characters, `q_characters`."""
    found: dict[str, Any] = msgspec.to_builtins(request)
    if (text := found.pop("q", None)) is not None:
        found["q_characters"] = len(text)
    return found


class Deletion(Struct, kw_only=True):
    """Result of a deletion request. `errors`: matching errors that are not pinned, deleted unless `dry_run`. `pinned`:
    matching errors that stay. `number`: its number in the list of deletions; null for a dry run."""

    errors: Count
    pinned: Count
    dry_run: bool
    number: Annotated[int, Meta(ge=1)] | None


class PastDeletion(Struct, kw_only=True):
    """A deletion on request: the address that asked for it, and what it deleted. `request` has the fields of the
    request, but `q_characters`, the number of characters, instead of `q`. `ended_at` is null if it goes on, or was
    interrupted by the end of the service."""

    number: Annotated[int, Meta(ge=1)]
    begun_at: Timestamp
    ended_at: Timestamp | None
    address: str
    request: dict[str, Any]
    errors: Count


class DeletionList(Struct):
    """The 100 last deletions on request, newest first."""

    deletions: list[PastDeletion]


class Matching(Struct, frozen=True):
    """Errors that match a request, up to the log position `upto`. `now` is the end of the time range, aware."""

    request: DeleteRequest
    now: dt.datetime
    upto: int


class Begin(Struct, tag=True, frozen=True):
    """Notes that somebody asked to delete errors. The answer is the number of the deletion."""

    matching: Matching
    address: str


class Delete(Struct, tag=True, frozen=True):
    """One step of a deletion: the newest errors that match, or the newest after `after`. The answer is `Step`."""

    number: int
    matching: Matching
    after: Position | None = None


class Step(Struct, frozen=True):
    """What a step deleted. The next step begins `after` an error, None: with the newest; `done`: nothing is left."""

    deleted: int
    after: Position | None
    done: bool


class Counted(Struct, frozen=True):
    """How many errors match, and how many of these are pinned. If it took too long, those after `end` are not counted
    yet."""

    errors: int
    pinned: int
    end: Position | None


class Pin(Struct, frozen=True):
    """Pins or unpins an error by its id, or a pattern by any of its ids. The answer is false if there is no such error
    or pattern."""

    pinned: bool
    error: int | None = None
    pattern: str | None = None


class Pinned(Struct, kw_only=True):
    """Whether the error or the pattern is pinned now."""

    pinned: bool
