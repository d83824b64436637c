"""The parts of a verdict that a program reads: what it is about, and how that compares with what is usual."""

from typing import Final

from exporter.judgement.result import Compared, Concerned, MostOf, MostPattern, NotCounted, Rule
from exporter.judgement.situation import COMPARE_FROM, WINDOW_SECONDS, Aside, Leader, PatternLeader, Situation, Where

MAX_NAMED: Final = 10  # workers


def concerned(where: Where | None) -> Concerned | None:
    """Returns where it happened, as the API says it."""
    if where is None:
        return None
    return Concerned(
        errors=where.errors,
        workers=where.workers,
        worker_ids=list(where.names[:MAX_NAMED]),
        more=where.more,
        worker=MostOf(where.worker.name, where.worker.errors),
        hardware=_most(where.hardware),
        run=_most(where.run),
        pattern=_pattern(where.most or where.pattern),
        came_back=_pattern(where.pattern) if where.pattern.note and where.pattern.note.came_back else None,
        patterns=where.patterns,
    )


def _pattern(one: PatternLeader) -> MostPattern:
    return MostPattern(
        pattern_id=one.pattern_id,
        text=one.text,
        errors=one.errors,
        first_worker_id=one.worker_id,
        first_error_id=one.error_id,
        is_new=one.is_new,
        claimed_by=one.note.claimed_by or None if one.note else None,
    )


def not_counted(aside: Aside | None) -> NotCounted | None:
    """Returns which errors of the window do not count, as the API says it."""
    if aside is None:
        return None
    return NotCounted(
        muted_errors=aside.muted_errors,
        muted_patterns=aside.muted_patterns,
        drained_errors=aside.drained_errors,
        drained_workers=aside.drained_workers,
    )


def compared(situation: Situation, rule: Rule) -> Compared | None:
    """Returns how the errors of the window compare with the usual number: critical ones, or warnings if they surge.
    None where nothing is known to be usual, or nothing happened."""
    usual = situation.usual
    if usual is None or rule not in ("critical", "surge"):
        return None
    warnings = situation.warnings.warnings if situation.warnings else 0
    errors, per_hour = (
        (situation.critical_in_window, usual.critical) if rule == "critical" else (warnings, usual.warning)
    )
    expected = per_hour * WINDOW_SECONDS / 3_600
    return Compared(
        errors=errors,
        window_seconds=WINDOW_SECONDS,
        usual_per_hour=per_hour,
        days=usual.days,
        times=round(errors / expected, 2) if errors >= COMPARE_FROM and is_usual(per_hour) else None,
    )


def is_usual(per_hour: float) -> bool:
    """Returns whether so many errors an hour are more than none."""
    return per_hour >= 0.5


def _most(leader: Leader | None) -> MostOf | None:
    return MostOf(leader.name, leader.errors) if leader else None
