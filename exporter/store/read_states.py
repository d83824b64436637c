"""Reads the states of patterns, drained workers and the audit trail."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Final

from exporter.events.event import isoformat
from exporter.store.queries import GetPatternState, ListAudit
from exporter.store.select import Cursor, Row, Span, end_of_range, members_of, naive, resolve, rows
from exporter.store.states import (
    MAX_NOTES,
    AuditEntry,
    AuditPage,
    Drained,
    PatternNote,
    PatternState,
    Silence,
    StateOfPattern,
)

NEW: Final = dt.timedelta(hours=24)  # a pattern that nobody has said anything of is new for so long
MAX_NUMBER: Final = 2**63 - 1
MAX_SILENCES: Final = 100  # of an overview
LOOKED_AT: Final = 1_000  # newest entries of the audit, among which they are looked for


def states_of(cursor: Cursor, pattern_ids: Sequence[str]) -> dict[str, PatternState]:
    """Returns the states of those patterns that have one. Raises duckdb.Error."""
    found = rows(cursor, "states_of", {"pattern_ids": list(pattern_ids)})
    return {row["pattern_id"]: pattern_state(row) for row in found}  # the last one of a pattern counts


def pattern_state(row: Row) -> PatternState:
    """Returns the state that a row of `pattern_states` describes."""
    until: dt.datetime | None = row["until"]
    return PatternState(
        status=row["status"],
        by=row["person"] or None,
        at=isoformat(row["made_at"]),
        until=isoformat(until) if until else None,
        errors_left=row["errors_left"],
        silence_id=row["silence_id"],
        silence_error=row["silence_error"],
    )


def without_state(ever_first_seen: dt.datetime | None, now: dt.datetime) -> PatternState:
    """Returns the state of a pattern that nobody has said anything of. Times are naive UTC."""
    is_new = ever_first_seen is not None and now - ever_first_seen < NEW
    return PatternState(
        status="new" if is_new else "open", by=None, at=None, until=None, errors_left=None, silence_id=None,
        silence_error=None,
    )  # fmt: skip


def state_of_pattern(cursor: Cursor, query: GetPatternState) -> StateOfPattern | None:
    """Returns the state of one pattern with its notes; None if there is no such pattern."""
    found = resolve(cursor, query.id)
    return noted(cursor, *found, naive(query.now)) if found else None


def noted(cursor: Cursor, pattern_id: str, members: Sequence[str], now: dt.datetime) -> StateOfPattern:
    """Returns the state of a pattern with its notes. `now` is naive UTC. Raises duckdb.Error."""
    state = states_of(cursor, [pattern_id]).get(pattern_id)
    if state is None:
        (first,) = rows(cursor, "ever_first_seen", {"members": members})
        state = without_state(first["first_seen"], now)
    return StateOfPattern(pattern_id=pattern_id, state=state, notes=notes_of(cursor, pattern_id, members))


def notes_of(cursor: Cursor, pattern_id: str, members: Sequence[str]) -> list[PatternNote]:
    """Returns the newest notes of a pattern, newest first. Raises duckdb.Error."""
    found = rows(cursor, "notes", {"pattern_id": pattern_id, "members": members, "most": MAX_NOTES})
    return [
        PatternNote(
            number=row["number"], at=isoformat(row["made_at"]), by=row["person"], caller=row["caller"] or None,
            text=row["note"],
        )
        for row in found
    ]  # fmt: skip


def audit(cursor: Cursor, query: ListAudit) -> AuditPage:
    """Returns a page of the audit trail, newest first."""
    pattern_id, members = members_of(cursor, query.pattern) if query.pattern is not None else (None, None)
    about: Row = {"pattern_id": pattern_id, "members": members, "worker": query.worker}
    found = rows(cursor, "audit", about | {"before": query.before or MAX_NUMBER, "limit": query.limit + 1})
    page = found[: query.limit]
    return AuditPage([_entry(row) for row in page], str(page[-1]["number"]) if len(found) > len(page) else None)


def silences(cursor: Cursor, span: Span, pattern: str | None) -> list[Silence]:
    """Returns the mutes whose time meets a time range, the newest first, `MAX_SILENCES` at most: of one pattern, or of
    all. Raises duckdb.Error."""
    members = members_of(cursor, pattern)[1] if pattern is not None else None
    followers: dict[str, Row] = {}  # by fingerprint; in reverse, so that each entry meets the one that followed it
    found: list[tuple[Row, dt.datetime | None]] = []
    for entry in reversed(rows(cursor, "pattern_entries", {"most": LOOKED_AT})):
        ended_at = _end_of_mute(entry, followers.get(entry["fingerprint"]), span.now)
        followers[entry["fingerprint"]] = entry
        meets = entry["made_at"] < (span.until or end_of_range(span.now)) and (not ended_at or ended_at > span.since)
        if entry["action"] == "mute" and meets and (members is None or entry["fingerprint"] in members):
            found.append((entry, ended_at))
    found = found[:MAX_SILENCES]
    names = _names(cursor, {entry["fingerprint"] for entry, _ in found})
    return [_silence(entry, ended_at, *names[entry["fingerprint"]]) for entry, ended_at in found]


def drained_workers(cursor: Cursor) -> dict[str, Drained]:
    """Returns the drained workers by name. Raises duckdb.Error."""
    return {row["worker"]: drained(row) for row in rows(cursor, "drained")}


def drained(row: Row) -> Drained:
    """Returns what a row of `drained_workers` says."""
    until: dt.datetime | None = row["until"]
    return Drained(by=row["person"], at=isoformat(row["made_at"]), until=isoformat(until) if until else None)


def _end_of_mute(entry: Row, follower: Row | None, now: dt.datetime) -> dt.datetime | None:
    """Returns when a mute ended; None if it holds. A service that did not run at its end notes that later."""
    ends = [follower["made_at"]] if follower else []
    if entry["until"] is not None and (follower or entry["until"] <= now):
        ends.append(entry["until"])
    return min(ends, default=None)


def _names(cursor: Cursor, fingerprints: Collection[str]) -> dict[str, tuple[str | None, str]]:
    """Returns the pattern id and the text of the pattern by fingerprint; None and "" for one that is not stored."""
    if not fingerprints:
        return {}
    found = rows(cursor, "pattern_names", {"fingerprints": list(fingerprints)})
    return {row["fingerprint"]: (row["pattern_id"], row["template"] or row["pattern"] or "") for row in found}


def _silence(entry: Row, ended_at: dt.datetime | None, pattern_id: str | None, text: str) -> Silence:
    return Silence(
        at=isoformat(entry["made_at"]),
        ended_at=isoformat(ended_at) if ended_at else None,
        until=isoformat(entry["until"]) if entry["until"] else None,
        errors=entry["errors"],
        by=entry["person"],
        pattern_id=pattern_id or entry["pattern_id"],
        pattern=text,
    )


def _entry(row: Row) -> AuditEntry:
    until: dt.datetime | None = row["until"]
    return AuditEntry(
        number=row["number"],
        at=isoformat(row["made_at"]),
        action=row["action"],
        by=row["person"] or None,
        caller=row["caller"] or None,
        pattern_id=row["pattern_id"],
        worker_id=row["worker"],
        until=isoformat(until) if until else None,
        errors=row["errors"],
        error_id=row["error_id"],
        text=row["note"],
    )
