"""Which rules of the verdict match a situation. The first of `Findings.rule` that does decides."""

import datetime as dt
from bisect import bisect_right
from collections.abc import Callable
from operator import attrgetter
from typing import Final, NamedTuple

from exporter.judgement.result import Colour, Rule
from exporter.judgement.situation import (
    AWAY_LEAST,
    AWAY_SECONDS,
    CRITICAL_SECONDS,
    LATE_NOTE_SECONDS,
    QUIET_SECONDS,
    QUIET_USUAL,
    RECOVERY_SECONDS,
    SILENT_FOR_SECONDS,
    SILENT_SECONDS,
    SURGE_FROM,
    SURGE_LEAST,
    SURGE_TIMES,
    WINDOW_SECONDS,
    Episode,
    Late,
    Silent,
    Situation,
    Surge,
    Usual,
    Where,
)
from exporter.judgement.words import Clock

COLOURS: Final[dict[Rule, Colour]] = {
    "critical": "critical", "recovering": "warning", "surge": "warning", "silent": "warning",
    "quiet": "unknown", "empty": "unknown", "blind": "unknown", "away": "unknown", "calm": "calm",
}  # fmt: skip


class Findings(NamedTuple):
    """What holds now: each is None, or empty, where its rule does not match."""

    critical: Episode | None
    recovering: Episode | None
    surge: Surge | None
    silent: tuple[Silent, ...]
    late: Late | None
    is_quiet: bool
    is_empty: bool
    is_blind: bool
    away: tuple[dt.datetime, dt.datetime] | None
    is_away: bool

    @property
    def rule(self) -> Rule:
        """The rule that decides."""
        order: tuple[tuple[Rule, object], ...] = (
            ("critical", self.critical), ("recovering", self.recovering), ("surge", self.surge),
            ("silent", self.silent), ("blind", self.is_blind), ("empty", self.is_empty), ("away", self.is_away),
            ("quiet", self.is_quiet),
        )  # fmt: skip
        return next((rule for rule, matches in order if matches), "calm")

    @property
    def where(self) -> Where | None:
        """Where that happened of which the verdict is."""
        about = self.critical or self.recovering or self.surge
        return about.where if about else None


def findings(situation: Situation, clock: Clock) -> Findings:
    """Returns which rules match."""
    episode, surge, usual = situation.episode, situation.warnings, situation.usual
    clock.changes_at(situation.window_changes_at)
    is_critical = episode is not None and clock.is_within(CRITICAL_SECONDS, episode.last)
    is_recovering = episode is not None and not is_critical and clock.is_within(RECOVERY_SECONDS, episode.last)
    late = situation.late
    has_report = situation.last_report is not None
    away = _away(situation, clock)
    return Findings(
        critical=episode if is_critical else None,
        recovering=episode if is_recovering else None,
        surge=surge if surge and surge.warnings >= surge_from(usual) else None,
        silent=_silent(situation.suspects, clock),
        late=late if late and clock.is_within(LATE_NOTE_SECONDS, late.received_at) else None,
        is_quiet=bool(
            has_report
            and usual
            and usual.reports >= QUIET_USUAL
            and not clock.is_within(QUIET_SECONDS, situation.last_report)
        ),
        is_empty=not has_report,
        is_blind=clock.is_within(RECOVERY_SECONDS, situation.blind_before),
        away=away,
        is_away=away is not None and clock.is_within(AWAY_SECONDS, away[1]),
    )


def _away(situation: Situation, clock: Clock) -> tuple[dt.datetime, dt.datetime] | None:
    """Returns from and to when the service did not run, if that was for long and ended lately."""
    if situation.away is None:
        return None
    start, end = situation.away
    was_long = (end - start).total_seconds() >= AWAY_LEAST
    return situation.away if was_long and clock.is_within(RECOVERY_SECONDS, end) else None


def surge_from(usual: Usual | None) -> float:
    """Returns how many warnings in a window are a surge."""
    if usual is None:
        return SURGE_LEAST
    return max(SURGE_FROM, SURGE_TIMES * usual.warning * WINDOW_SECONDS / 3_600)


def _silent(suspects: tuple[Silent, ...], clock: Clock) -> tuple[Silent, ...]:
    """Returns those that have been silent for long enough, and not for too long. They are in the order of time."""
    since: Callable[[Silent], dt.datetime] = attrgetter("since")
    first = bisect_right(suspects, clock.now - dt.timedelta(seconds=SILENT_FOR_SECONDS), key=since)
    end = bisect_right(suspects, clock.now - dt.timedelta(seconds=SILENT_SECONDS), key=since)
    if first < end:
        clock.is_within(SILENT_FOR_SECONDS, suspects[first].since)
    if end < len(suspects):
        clock.is_within(SILENT_SECONDS, suspects[end].since)
    return suspects[first:end]
