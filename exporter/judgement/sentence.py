"""The sentence of a verdict: its head, by the rule that decides, and clauses about what else holds."""

import datetime as dt
from collections.abc import Callable
from typing import Final

from exporter.events.event import isoformat
from exporter.judgement.findings import Findings
from exporter.judgement.parts import is_usual
from exporter.judgement.result import Rule
from exporter.judgement.situation import (
    COMPARE_FROM,
    RESET_NOTE_SECONDS,
    WINDOW_SECONDS,
    Aside,
    Late,
    Silent,
    Situation,
    StateNote,
    Surge,
    Where,
)
from exporter.judgement.words import (
    Clock,
    Piece,
    Word,
    Words,
    listed,
    name,
    number,
    places,
    quoted,
    times_usual,
)

LONG_SECONDS: Final = 86_400  # without any report, after which a calm verdict says so
MINUTE: Final = 60
NAMED_SHARE: Final = 2  # the worker with more than one in so many errors is named


def sentence(situation: Situation, found: Findings, clock: Clock) -> Words:
    """Returns the words of the sentence."""
    words: list[Word] = [*_prefix(situation, clock), *_HEADS[found.rule](situation, found, clock)]
    for clause in _clauses(situation, found, clock):
        words += ["; ", *clause]
    first = words[0]
    if isinstance(first, str):
        words[0] = first[:1].upper() + first[1:]
    return [*words, "."]


def _prefix(situation: Situation, clock: Clock) -> Words:
    """Returns why the sentence is not about now, and up to when it knows all."""
    if situation.refused:
        words: list[Word] = ["reports are refused"]
        if situation.refused_since:
            words += [" since ", situation.refused_since]
        return [*words, f" ({situation.refused}); before that, "]
    if situation.behind:
        at = situation.as_of or situation.now
        text = f"{clock.date(at)} {at.astimezone(dt.UTC):%H:%M:%S} UTC"
        return ["as of ", Piece(text, isoformat(at)), f" ({number(situation.behind, 'report')} behind), "]
    return []


def _critical(situation: Situation, found: Findings, clock: Clock) -> Words:
    episode = found.critical
    assert episode is not None
    where = episode.where
    start = "critical since at least " if episode.began_before else "critical since "
    return [start, episode.since, f": {number(where.errors, 'critical error')} on {_where(where)}", *_pattern(where)]


def _recovering(situation: Situation, found: Findings, clock: Clock) -> Words:
    episode = found.recovering
    assert episode is not None
    where = episode.where
    after = f"{where.errors:,} on {_where(where)}"
    head = [f"no critical error for {clock.age(episode.last)}, after {after}", *_pattern(where)]
    if where.errors == 1:
        return [*head, ", at ", episode.last]
    return [*head, ", from ", episode.since, " to ", episode.last]


def _surge(situation: Situation, found: Findings, clock: Clock) -> Words:
    surge = found.surge
    assert surge is not None
    minutes = WINDOW_SECONDS // MINUTE
    what = f"{surge.warnings:,} in the last {minutes} min on {_where(surge.where)}"
    return ["warnings surge since ", surge.since, f": {what}", *_pattern(surge.where)]


def _silent(situation: Situation, found: Findings, clock: Clock) -> Words:
    silent = found.silent
    if len(silent) == 1:
        return [
            "silent since its critical error at ",
            silent[0].since,
            f", {clock.ago(silent[0].since)}: {_list(silent)}",
        ]
    return ["silent since their critical errors, the first at ", silent[0].since, f": {_list(silent)}"]


def _empty(situation: Situation, found: Findings, clock: Clock) -> Words:
    return ["no current report has arrived yet, so nothing is known about the workers"]


def _blind(situation: Situation, found: Findings, clock: Clock) -> Words:
    assert situation.blind_before is not None
    return ["not known: the errors before ", situation.blind_before, " could not be read; no critical error since then"]


def _away(situation: Situation, found: Findings, clock: Clock) -> Words:
    assert found.away is not None
    start, end = found.away
    return ["not known yet: the service did not run from ", start, " to ", end, "; reports from then may still come in"]


def _quiet(situation: Situation, found: Findings, clock: Clock) -> Words:
    assert situation.last_report is not None
    assert situation.usual is not None
    silence = f"nothing was reported for {clock.age(situation.last_report)}"
    usual = f"where about {situation.usual.reports:,.0f} reports an hour are usual"
    return [f"{silence}, {usual}: the workers are idle or cut off"]


def _calm(situation: Situation, found: Findings, clock: Clock) -> Words:
    if situation.last_critical is None and situation.blind_before:
        return ["calm: no critical error since ", situation.blind_before]
    if situation.last_critical is None:
        return ["calm: no critical error has been reported yet"]
    return [f"calm: the last critical error was {clock.ago(situation.last_critical)}"]


_HEADS: Final[dict[Rule, Callable[[Situation, Findings, Clock], Words]]] = {
    "critical": _critical, "recovering": _recovering, "surge": _surge, "silent": _silent, "empty": _empty,
    "blind": _blind, "away": _away, "quiet": _quiet, "calm": _calm,
}  # fmt: skip


def _clauses(situation: Situation, found: Findings, clock: Clock) -> list[Words]:
    """Returns what follows the head: how it compares, what else holds, and what arrived late."""
    rule = found.rule
    clauses: list[Words] = []
    if rule == "critical":
        clauses += _usually(situation, situation.critical_in_window, "critical")
        clauses += _last_one(found, clock)
    if rule == "surge" and found.surge:
        clauses += _usually(situation, found.surge.warnings, "warning")
    elif found.surge:
        clauses.append(_also_surge(found.surge))
    if rule in ("surge", "silent", "quiet", "away") and situation.last_critical and not found.silent:
        clauses.append([f"the last critical error was {clock.ago(situation.last_critical)}"])
    if found.silent and rule != "silent":
        clauses.append(_also_silent(found.silent))
    if found.away and rule != "away":
        clauses.append(["the service did not run from ", found.away[0], " to ", found.away[1]])
    if rule == "calm":
        clauses += _calm_clauses(situation, clock)
    if situation.aside:
        clauses += _not_counted(situation.aside)
    if found.late:
        clauses.append(_came_late(found.late, clock))
    return clauses


def _not_counted(aside: Aside) -> list[Words]:
    """Returns which errors of the window do not count."""
    clauses: list[Words] = []
    if aside.muted_errors:
        of = "a muted pattern" if aside.muted_patterns == 1 else f"{aside.muted_patterns:,} muted patterns"
        clauses.append([f"{number(aside.muted_errors, 'error')} of {of} {_is_not(aside.muted_errors)} counted"])
    if aside.drained_errors:
        on = f"{aside.drained_workers:,} drained workers"
        if aside.drained_workers == 1:
            on = f"{name(aside.drained_name)}, which is drained," if aside.drained_name else "a drained worker"
        clauses.append([f"{number(aside.drained_errors, 'error')} on {on} {_is_not(aside.drained_errors)} counted"])
    return clauses


def _is_not(errors: int) -> str:
    return "is not" if errors == 1 else "are not"


def _usually(situation: Situation, errors: int, severity: str) -> list[Words]:
    usual = situation.usual
    if usual is None or not errors:
        return []
    per_hour = usual.critical if severity == "critical" else usual.warning
    if not is_usual(per_hour):
        return [["usually none at this time"]]
    return [[times_usual(errors, per_hour * WINDOW_SECONDS / 3_600)]] if errors >= COMPARE_FROM else []


def _last_one(found: Findings, clock: Clock) -> list[Words]:
    episode = found.critical
    if episode is None or clock.is_within(MINUTE, episode.last):
        return []
    ago = clock.ago(episode.last)
    return [[f"that was {ago}" if episode.where.errors == 1 else f"the last one {ago}"]]


def _also_surge(surge: Surge) -> Words:
    what = f"{surge.warnings:,} in the last {WINDOW_SECONDS // MINUTE} min on {_where(surge.where)}"
    return [f"warnings surge, too, with {what}"]


def _also_silent(silent: tuple[Silent, ...]) -> Words:
    if len(silent) == 1:
        return [f"{name(silent[0].worker_id)} silent since ", silent[0].since]
    return [f"{len(silent):,} workers silent since their critical errors: {_list(silent)}"]


def _calm_clauses(situation: Situation, clock: Clock) -> list[Words]:
    clauses: list[Words] = []
    last, reset = situation.last_report, situation.reset_at
    if last and not clock.is_within(LONG_SECONDS, last):
        clauses.append([f"nothing at all was reported for {clock.age(last)}"])
    if reset and clock.is_within(RESET_NOTE_SECONDS, reset):
        clauses.append(["the counts were reset at ", reset])
    return clauses


def _came_late(late: Late, clock: Clock) -> Words:
    came = f"{number(late.reports, 'error')} came in that happened "
    today = clock.now.astimezone(dt.UTC).date()
    first, last = (one.astimezone(dt.UTC) for one in (late.first, late.last))
    if first.date() == today:
        return [came, "at ", first] if first == last else [came, "from ", first, " to ", last]
    start, end = (Piece(clock.date(one), isoformat(one)) for one in (first, last))
    return [came, "on ", start] if start.text == end.text else [came, "from ", start, " to ", end]


def _where(where: Where) -> str:
    """Returns the workers; in brackets the one with most, hardware and run, if all have the same."""
    notes: list[str] = []
    if where.workers > 2 and where.worker.errors * NAMED_SHARE > where.errors:
        notes.append(f"{where.worker.errors:,} on {name(where.worker.name)}")
    every = "all " if where.errors > 1 else ""
    if where.hardware and where.hardware.errors == where.errors:
        notes.append(f"{every}{name(where.hardware.name)}")
    if where.run and where.run.errors == where.errors:
        notes.append(f"{every}in run {name(where.run.name)}")
    return places(where.names, where.workers, more=where.more) + (f" ({', '.join(notes)})" if notes else "")


def _pattern(where: Where) -> Words:
    """Returns the pattern of most errors or that came back, what is known of its state, and the worker where it
    began if there are several."""
    pattern = where.pattern
    kind = "the new pattern " if pattern.is_new else ""
    text = f"{kind}{quoted(pattern.text)}"
    of = "of " if pattern.is_new else ""
    if where.errors > 1:
        text = f"all {of}{text}" if pattern.errors == where.errors else f"{pattern.errors:,} of them {of}{text}"
    first = f", first on {name(pattern.worker_id)}" if where.workers > 1 else ""
    return [f", {text}", *_state(pattern.note), first]


def _state(note: StateNote | None) -> Words:
    """Returns who claimed a pattern, or that it came back."""
    if note is None:
        return []
    if not note.came_back:
        return [f" (claimed by {name(note.claimed_by)})"]
    back = f", which came back after {name(note.resolved_by) if note.resolved_by else 'somebody'} resolved it"
    return [f"{back} at ", note.resolved_at] if note.resolved_at else [back]


def _list(silent: tuple[Silent, ...]) -> str:
    return listed([one.worker_id for one in silent[:4]], len(silent))
