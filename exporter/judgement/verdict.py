"""The rules of the verdict. Pure: the time is part of the situation.

    a critical error lately                                       ─► critical
    a recovery, a surge of warnings, workers silent after errors  ─► warning
    no report where many are usual, none ever, or not all read    ─► unknown
    the service has just come back from a long downtime           ─► unknown
    else                                                          ─► calm

The first rule that matches gives the colour and the head of the sentence; what other rules found follows it. A verdict
that lacks reports, because the service lags behind or refuses them, keeps its words and loses its colour.
"""

import datetime as dt
from typing import Final

from exporter.events.event import isoformat
from exporter.judgement.findings import COLOURS, Findings, findings
from exporter.judgement.look import look_first
from exporter.judgement.parts import compared, concerned, not_counted
from exporter.judgement.result import LateReports, SilentWorker, Verdict
from exporter.judgement.sentence import sentence
from exporter.judgement.situation import Late, Situation
from exporter.judgement.words import Clock, pieces

MAX_SILENT: Final = 100  # workers that a verdict names as silent


def verdict(situation: Situation) -> Verdict:
    """Returns the verdict about a situation."""
    clock = Clock(situation.now)
    found = findings(situation, clock)
    severity = COLOURS[found.rule]
    is_stale = bool(situation.behind or situation.refused)
    said = pieces(sentence(situation, found, clock), clock)
    last = situation.last_critical
    return Verdict(
        colour="unknown" if is_stale else severity,
        severity=severity,
        rule=found.rule,
        sentence="".join(piece.text for piece in said),
        pieces=said,
        since=_text(_since(situation, found)),
        concerned=concerned(found.where),
        not_counted=not_counted(situation.aside),
        compared=compared(situation, found.rule),
        last_critical_at=_text(last),
        last_critical_seconds=max(0, int((situation.now - last).total_seconds())) if last else None,
        silent=[SilentWorker(one.worker_id, isoformat(one.since)) for one in found.silent[:MAX_SILENT]],
        silent_workers=len(found.silent),
        late=_late(found.late),
        look_first=look_first(situation, found.rule, found.where, found.silent),
        as_of=isoformat(as_of(situation)),
        checked_at=isoformat(situation.now),
        next_change_at=_text(clock.next_change, up=True),
        behind=situation.behind,
        seq=situation.seq,
    )


def as_of(situation: Situation) -> dt.datetime:
    """Returns up to when all reports are known."""
    if situation.refused and situation.refused_since:
        return min(situation.refused_since, situation.now)
    if situation.behind and situation.as_of:
        return min(situation.as_of, situation.now)
    return situation.now


def _since(situation: Situation, found: Findings) -> dt.datetime | None:
    """Returns when the state began that the rule found."""
    match found.rule:
        case "critical":
            return found.critical.since if found.critical else None
        case "recovering":
            return found.recovering.last if found.recovering else None
        case "surge":
            return found.surge.since if found.surge else None
        case "silent":
            return found.silent[0].since
        case "quiet":
            return situation.last_report
        case "calm":
            return situation.last_critical
        case _:
            return None


def _late(late: Late | None) -> LateReports | None:
    if late is None:
        return None
    return LateReports(
        reports=late.reports,
        first=isoformat(late.first),
        last=isoformat(late.last),
        received_at=isoformat(late.received_at),
    )


def _text(moment: dt.datetime | None, *, up: bool = False) -> str | None:
    """Returns ISO 8601 with milliseconds, rounded down or `up`."""
    return isoformat(moment + dt.timedelta(microseconds=999 if up else 0)) if moment else None
