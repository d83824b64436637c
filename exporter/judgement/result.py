"""The verdict as the API returns it."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from exporter.events.error_object import Timestamp
from exporter.judgement.words import Piece
from exporter.store.fields import Count, Seconds

Colour = Literal["critical", "warning", "calm", "unknown"]
Rule = Literal["critical", "recovering", "surge", "silent", "quiet", "empty", "blind", "away", "calm"]


class MostOf(Struct):
    """The worker, hardware type or run with most of the errors, and how many."""

    name: str
    errors: Count


class MostPattern(Struct, kw_only=True):
    """A pattern. `claimed_by` works on it. `text` is its template; it began with the error `first_error_id` on
    `first_worker_id`. `is_new`: that was its first error ever."""

    pattern_id: str
    text: str
    errors: Count
    first_worker_id: str
    first_error_id: Count
    is_new: bool
    claimed_by: str | None


class Concerned(Struct, kw_only=True):
    """What the verdict is about: critical errors since it became critical, or warnings of the last ten minutes. At most
    ten workers are named, in the order in which they reported. `pattern` is the one with most of the errors;
    `came_back` is one that came back after it was resolved, which the sentence names instead. With `more`, there were
    more workers or patterns than the service counts."""

    errors: Count
    workers: Count
    worker_ids: list[str]
    more: bool
    worker: MostOf
    hardware: MostOf | None
    run: MostOf | None
    pattern: MostPattern
    came_back: MostPattern | None
    patterns: Count


class NotCounted(Struct, kw_only=True):
    """Critical errors and warnings of the last ten minutes that change no colour: of muted patterns, and on drained
    workers."""

    muted_errors: Count
    muted_patterns: Count
    drained_errors: Count
    drained_workers: Count


class Compared(Struct, kw_only=True):
    """How the errors of the last `window_seconds` compare with the usual number at this time: the median of the same
    hour of `days` earlier days. `times` is null if they are too few to say."""

    errors: Count
    window_seconds: Seconds
    usual_per_hour: Annotated[float, Meta(ge=0, description="errors an hour")]
    days: Count
    times: float | None


class Look(Struct):
    """What to look at first: paths of the page and of the API."""

    text: str
    page: str
    api: str


class SilentWorker(Struct):
    """A worker that has sent nothing since a critical error, and when that happened."""

    worker_id: str
    since: Timestamp


class LateReports(Struct, kw_only=True):
    """Reports that arrived long after they happened, or were imported, so they say nothing about now."""

    reports: Count
    first: Timestamp
    last: Timestamp
    received_at: Timestamp


class Verdict(Struct, kw_only=True):
    """How bad it is now. `sentence` says it, and consists of `pieces`; `colour` is `unknown` where the service cannot
    say. `rule` decided, `severity` is its colour, which `colour` also has unless the service lags behind. `since` is
    when that state began, where that is known. `docs/verdict.md` has the rules.

    `checked_at` is when the service judged, `as_of` up to when it knows all reports, `seq` the newest report that is
    included, `behind` how many are not. Without another report, nothing changes before `next_change_at`. `silent` has
    the 100 workers that are silent for longest."""

    colour: Colour
    severity: Colour
    rule: Rule
    sentence: str
    pieces: list[Piece]
    since: Timestamp | None
    concerned: Concerned | None
    not_counted: NotCounted | None
    compared: Compared | None
    last_critical_at: Timestamp | None
    last_critical_seconds: Seconds | None
    silent: list[SilentWorker]
    silent_workers: Count
    late: LateReports | None
    look_first: list[Look]
    as_of: Timestamp
    checked_at: Timestamp
    next_change_at: Timestamp | None
    behind: Count
    seq: Count
