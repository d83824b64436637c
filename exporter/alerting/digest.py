"""A digest of the errors of a day or a week: what is new, what is gone, what was worst and what goes on.

Pure: it compares the patterns of the time range with those of the time range twice as long, as the API returns them."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from exporter.events.event import isoformat
from exporter.events.one_line import cut, one_line

MAX_NAMED: Final = 5  # patterns of one section that are named
MAX_PATTERN: Final = 120  # characters of a pattern
ALERTNAME: Final = "ErrorDigest"
FIRES_SECONDS: Final = 300  # long enough for one message


class Seen(Struct, kw_only=True):
    """A pattern of the answer of `GET /api/patterns`, as far as a digest needs it."""

    pattern: str
    type: str
    occurrences: int
    workers: int
    last_seen: dt.datetime
    ever_first_seen: dt.datetime | None = None
    pattern_id: str


class Digest(Struct):
    """The sections of a digest, each with the most frequent pattern first. `errors` and `patterns` are sums of the time
    range."""

    hours: int
    errors: int
    patterns: int
    new: list[Seen]
    gone: list[Seen]
    worst: list[Seen]
    open: list[Seen]

    def __bool__(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.patterns or self.gone)


def digest(now: dt.datetime, hours: int, lately: Sequence[Seen], before: Sequence[Seen]) -> Digest:
    """Returns the digest of the last `hours`. `lately` are the patterns of this time, `before` those of twice this
    time."""
    since = now - dt.timedelta(hours=hours)
    ids = {one.pattern_id for one in lately}
    new = [one for one in lately if one.ever_first_seen is not None and one.ever_first_seen >= since]
    known = {one.pattern_id for one in new}
    return Digest(
        hours,
        sum(one.occurrences for one in lately),
        len(lately),
        new,
        [one for one in before if one.pattern_id not in ids and one.last_seen < since],
        list(lately[:MAX_NAMED]),
        [one for one in lately if one.pattern_id not in known],
    )


def alert(made: Digest, now: dt.datetime, url: str, labels: dict[str, str]) -> dict[str, Any]:
    """Returns the alert that carries a digest, in the format of Alertmanager's API v2."""
    ends = now + dt.timedelta(seconds=FIRES_SECONDS)
    link = f"{url}/error-visualization?range={made.hours}"
    period = {24: "daily", 168: "weekly"}.get(made.hours, f"{made.hours}h")
    own = {"alertname": ALERTNAME, "severity": "info", "urgency": "ticket", "source": "push", "period": period}
    return {
        "labels": labels | own,
        "annotations": {"summary": summary(made), "description": description(made), "permalink": link},
        "startsAt": isoformat(now),
        "endsAt": isoformat(ends),
        "generatorURL": link,
    }


def summary(made: Digest) -> str:
    return (
        f"{made.errors} errors of {made.patterns} patterns in {made.hours} hours: {len(made.new)} new, "
        f"{len(made.gone)} gone, {len(made.open)} known before"
    )


def description(made: Digest) -> str:
    """Returns the sections as lines of text, without empty sections."""
    sections = (("New", made.new), ("Gone", made.gone), ("Worst", made.worst), ("Still open", made.open))
    return "\n\n".join(_section(name, patterns) for name, patterns in sections if patterns)


def _section(name: str, patterns: Sequence[Seen]) -> str:
    lines = [f"{name}:"]
    for one in patterns[:MAX_NAMED]:
        text = one_line(f"{one.type}: {one.pattern}", MAX_PATTERN)
        lines.append(f"- {one.occurrences}x {text} ({one.workers} {'worker' if one.workers == 1 else 'workers'})")
    if len(patterns) > MAX_NAMED:
        lines.append(f"- and {len(patterns) - MAX_NAMED} more")
    return cut("\n".join(lines), 1_500)
