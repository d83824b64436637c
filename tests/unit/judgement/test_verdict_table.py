"""The verdict on a table of situations: what an engineer on call should read, and in which colour."""

import datetime as dt
from typing import Any, NamedTuple

import msgspec
import pytest

from exporter.judgement.result import Colour
from exporter.judgement.situation import (
    Aside,
    Episode,
    Late,
    Leader,
    PatternLeader,
    Silent,
    Situation,
    StateNote,
    Surge,
    Usual,
    Where,
)
from exporter.judgement.verdict import verdict

pytestmark = pytest.mark.dashboard
NOW = dt.datetime(2026, 11, 26, 2, 30, tzinfo=dt.UTC)  # a Thursday
NCCL, OOM = "NCCL timeout of rank <n>", "CUDA out of memory"


def ago(minutes: float = 0, hours: float = 0) -> dt.datetime:
    return NOW - dt.timedelta(minutes=minutes, hours=hours)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def where(errors: int, *names: str, of: int = 0, text: str = NCCL, top: int = 0, **more: Any) -> Where:
    """Returns `errors` of these workers, `of` of them of the pattern; all, if it is 0."""
    return Where(
        errors=errors,
        workers=more.pop("workers", len(names)),
        names=names,
        worker=Leader(names[0], top or errors),
        pattern=PatternLeader(
            "p1", text, of or errors, names[0], 41, more.pop("is_new", False), more.pop("note", None)
        ),
        patterns=1 if of in (0, errors) else 2,
        **more,
    )


def one(minutes: float, text: str = OOM, **more: Any) -> Episode:
    """Returns an episode of one error, so many minutes ago."""
    return Episode(ago(minutes), ago(minutes), where(1, "worker-17", text=text, **more), 41)


def fabric(since: float, last: float, **more: Any) -> Episode:
    """Returns an episode of 300 errors on 20 workers."""
    names = ("worker-17", "worker-3", *(f"worker-{n}" for n in range(30, 48)))
    return Episode(ago(since), ago(last), where(300, *names, of=290, top=18, **more), 340)


def surge(warnings: int = 1_240, workers: int = 12, **more: Any) -> Surge:
    return Surge(warnings, ago(12), where(warnings, "worker-9", of=1_200, workers=workers, text="slow read of <path>",
                                          top=200, **more))  # fmt: skip


def silent(*minutes: float) -> tuple[Silent, ...]:
    return tuple(Silent(f"worker-{number}", ago(one)) for number, one in enumerate(minutes, 3))


def usual(critical: float = 0.0, warning: float = 0.0, reports: float = 10.0, days: int = 7) -> Usual:
    return Usual(days, critical, warning, reports)


CLAIMED = StateNote(claimed_by="Ana")
BACK = StateNote(came_back=True, resolved_by="Ana", resolved_at=ago(28))


class Row(NamedTuple):
    """A situation at `NOW`, and the verdict about it. The newest report came a minute ago."""

    name: str
    colour: Colour
    sentence: str
    facts: dict[str, Any]

    def situation(self, now: dt.datetime = NOW) -> Situation:
        return Situation(**({"now": now, "last_report": ago(1)} | self.facts))


def row(name: str, colour: Colour, sentence: str, **facts: Any) -> Row:
    return Row(name, colour, sentence, facts)


TABLE = (
    row("one error, just now", "critical",
        'Critical since 02:29 UTC: 1 critical error on worker-17, "CUDA out of memory".',
        episode=one(0.5)),
    row("one error, some minutes ago", "critical",
        'Critical since 02:26 UTC: 1 critical error on worker-17, "CUDA out of memory"; '
        "that was 4 min ago.",
        episode=one(4)),
    row("one error of a new pattern", "critical",
        'Critical since 02:29 UTC: 1 critical error on worker-17, the new pattern "CUDA out of memory".',
        episode=one(0.5, is_new=True)),
    row("one error where none is usual", "critical",
        'Critical since 02:29 UTC: 1 critical error on worker-17, "CUDA out of memory"; '
        "usually none at this time.",
        episode=one(0.5), critical_in_window=1, usual=usual()),
    row("one error where some are usual", "critical",
        'Critical since 02:29 UTC: 1 critical error on worker-17, "CUDA out of memory".',
        episode=one(0.5), critical_in_window=1, usual=usual(critical=12)),
    row("one error of a run, on hardware", "critical",
        'Critical since 02:29 UTC: 1 critical error on worker-17 (cuda, in run nightly-42), "CUDA out of memory".',
        episode=one(0.5, hardware=Leader("cuda", 1), run=Leader("nightly-42", 1))),
    row("several errors of one pattern on one worker", "critical",
        'Critical since 02:14 UTC: 7 critical errors on worker-17, all "CUDA out of memory".',
        episode=Episode(ago(16), ago(0.2), where(7,"worker-17", text=OOM), 48)),
    row("two workers", "critical",
        'Critical since 02:14 UTC: 7 critical errors on worker-17 and worker-3, all "CUDA out of memory", first on worker-17.',
        episode=Episode(ago(16), ago(0.2), where(7,"worker-17","worker-3", text=OOM, top=5), 48)),
    row("the fabric of a rack", "critical",
        'Critical since 02:14 UTC: 300 critical errors on 20 workers, 290 of them "NCCL timeout of rank <n>", first on worker-17; '
        "14 times the usual rate.",
        episode=fabric(16, 0.1), critical_in_window=280, usual=usual(critical=120)),
    row("the fabric, a worker silent", "critical",
        'Critical since 02:14 UTC: 300 critical errors on 20 workers, 290 of them "NCCL timeout of rank <n>", first on worker-17; '
        "14 times the usual rate; "
        "worker-3 silent since 02:16 UTC.",
        episode=fabric(16, 0.1), critical_in_window=280, usual=usual(critical=120), suspects=silent(14)),
    row("the fabric of one hardware and run", "critical",
        'Critical since 02:14 UTC: 300 critical errors on 20 workers (all cuda, all in run nightly-42), 290 of them "NCCL timeout of rank <n>", first on worker-17.',
        episode=fabric(16, 0.1, hardware=Leader("cuda", 300), run=Leader("nightly-42", 300))),
    row("hardware of some only", "critical",
        'Critical since 02:14 UTC: 300 critical errors on 20 workers, 290 of them "NCCL timeout of rank <n>", first on worker-17.',
        episode=fabric(16, 0.1, hardware=Leader("cuda", 299), run=Leader("nightly-42", 299))),
    row("one worker has most", "critical",
        'Critical since 02:14 UTC: 90 critical errors on 3 workers (60 on worker-17), 80 of them "CUDA out of memory", first on worker-17.',
        episode=Episode(ago(16), ago(0.2), where(90,"worker-17","worker-3","worker-4", of=80, text=OOM, top=60), 48)),
    row("as usual", "critical",
        'Critical since 02:14 UTC: 300 critical errors on 20 workers, 290 of them "NCCL timeout of rank <n>", first on worker-17; '
        "about the usual rate.",
        episode=fabric(16, 0.1), critical_in_window=20, usual=usual(critical=120)),
    row("below usual", "critical",
        'Critical since 02:14 UTC: 300 critical errors on 20 workers, 290 of them "NCCL timeout of rank <n>", first on worker-17; '
        "below the usual rate.",
        episode=fabric(16, 0.1), critical_in_window=9, usual=usual(critical=120)),
    row("a little above usual", "critical",
        'Critical since 02:14 UTC: 300 critical errors on 20 workers, 290 of them "NCCL timeout of rank <n>", first on worker-17; '
        "2.5 times the usual rate.",
        episode=fabric(16, 0.1), critical_in_window=50, usual=usual(critical=120)),
    row("far above usual", "critical",
        'Critical since 02:14 UTC: 300 critical errors on 20 workers, 290 of them "NCCL timeout of rank <n>", first on worker-17; '
        "more than 1,000 times the usual rate.",
        episode=fabric(16, 0.1), critical_in_window=90_000, usual=usual(critical=1)),
    row("a storm on more workers than are counted", "critical",
        'Critical since 02:27 UTC: 1,250,000 critical errors on more than 10,000 workers, 1,000,000 of them "NCCL timeout of rank <n>", first on worker-17.',
        episode=Episode(ago(3), ago(0), where(1_250_000,"worker-17", workers=10_000, of=1_000_000, top=300, more=True), 99)),
    row("critical since yesterday", "critical",
        'Critical since Wed 25 Nov 23:30 UTC: 300 critical errors on 20 workers, 290 of them "NCCL timeout of rank <n>", first on worker-17.',
        episode=fabric(180, 0.1)),
    row("critical for days", "critical",
        'Critical since at least Tue 24 Nov 02:30 UTC: 9,000 critical errors on worker-17, all "CUDA out of memory".',
        episode=Episode(ago(hours=48), ago(0), where(9_000,"worker-17", text=OOM), 9_000, began_before=True)),
    row("critical, warnings surge", "critical",
        'Critical since 02:29 UTC: 1 critical error on worker-17, "CUDA out of memory"; '
        "warnings surge, too, with 1,240 in the last 10 min on 12 workers.",
        episode=one(0.5), warnings=surge()),
    row("critical, the last one 4 minutes ago", "critical",
        'Critical since 02:14 UTC: 300 critical errors on 20 workers, 290 of them "NCCL timeout of rank <n>", first on worker-17; '
        "the last one 4 min ago.",
        episode=fabric(16, 4)),
    row("recovering", "warning",
        'No critical error for 12 min, after 300 on 20 workers, 290 of them "NCCL timeout of rank <n>", first on worker-17, from 02:00 UTC to 02:18 UTC.',
        episode=fabric(30, 12), last_critical=ago(12)),
    row("recovering, one error", "warning",
        'No critical error for 12 min, after 1 on worker-17, "CUDA out of memory", at 02:18 UTC.',
        episode=one(12), last_critical=ago(12)),
    row("recovering, all silent", "warning",
        'No critical error for 12 min, after 9 on 3 workers, 8 of them "NCCL timeout of rank <n>", first on worker-3, from 02:00 UTC to 02:18 UTC; '
        "3 workers silent since their critical errors: worker-3, worker-4 and worker-5.",
        episode=Episode(ago(30), ago(12), where(9,"worker-3","worker-4","worker-5", of=8, top=4), 9), last_critical=ago(12), suspects=silent(14, 13, 12)),
    row("recovering, five silent", "warning",
        'No critical error for 12 min, after 300 on 20 workers, 290 of them "NCCL timeout of rank <n>", first on worker-17, from 02:00 UTC to 02:18 UTC; '
        "5 workers silent since their critical errors: worker-3, worker-4 and 3 more.",
        episode=fabric(30, 12), last_critical=ago(12), suspects=silent(16, 15, 14, 13, 12)),
    row("recovering, warnings surge", "warning",
        'No critical error for 12 min, after 300 on 20 workers, 290 of them "NCCL timeout of rank <n>", first on worker-17, from 02:00 UTC to 02:18 UTC; '
        "warnings surge, too, with 1,240 in the last 10 min on 12 workers.",
        episode=fabric(30, 12), last_critical=ago(12), warnings=surge()),
    row("recovering, until calm", "warning",
        'No critical error for 29 min, after 1 on worker-17, "CUDA out of memory", at 02:00 UTC.',
        episode=one(29.9), last_critical=ago(29.9)),
    row("warnings surge, nothing known usual", "warning",
        'Warnings surge since 02:18 UTC: 1,240 in the last 10 min on 12 workers, 1,200 of them "slow read of <path>", first on worker-9.',
        warnings=surge()),
    row("warnings surge", "warning",
        'Warnings surge since 02:18 UTC: 1,240 in the last 10 min on 12 workers, 1,200 of them "slow read of <path>", first on worker-9; '
        "8.3 times the usual rate; "
        "the last critical error was 3 h ago.",
        warnings=surge(), usual=usual(warning=900), last_critical=ago(hours=3)),
    row("warnings where none are usual", "warning",
        'Warnings surge since 02:21 UTC: 40 in the last 10 min on worker-9, all "slow read of <path>"; '
        "usually none at this time.",
        warnings=Surge(40, ago(9), where(40,"worker-9", text="slow read of <path>")), usual=usual()),
    row("50,000 warnings", "warning",
        'Warnings surge since 02:21 UTC: 50,000 in the last 10 min on worker-9 and worker-8, all "slow read of <path>", first on worker-9.',
        warnings=Surge(50_000, ago(9), where(50_000,"worker-9","worker-8", text="slow read of <path>", top=49_000))),
    row("many warnings, as usual", "calm",
        "Calm: no critical error has been reported yet.",
        warnings=Surge(1_240, ago(9), where(1_240,"worker-9")), usual=usual(warning=7_000)),
    row("few warnings", "calm",
        "Calm: the last critical error was 3 h ago.",
        warnings=Surge(99, ago(9), where(99,"worker-9")), last_critical=ago(hours=3)),
    row("twenty times as many warnings, but few", "calm",
        "Calm: the last critical error was 3 h ago.",
        warnings=Surge(20, ago(9), where(20,"worker-9")), usual=usual(warning=6), last_critical=ago(hours=3)),
    row("a crashed worker is silent", "warning",
        "Silent since its critical error at Wed 25 Nov 23:10 UTC, 3 h ago: worker-3.",
        suspects=silent(200), last_critical=ago(200)),
    row("a worker that is nearly silent", "calm",
        "Calm: the last critical error was 3 h ago.",
        suspects=silent(9.5), last_critical=ago(200)),
    row("three crashed workers are silent", "warning",
        "Silent since their critical errors, the first at Wed 25 Nov 21:30 UTC: worker-3, worker-4 and worker-5.",
        suspects=silent(300, 250, 200), last_critical=ago(200)),
    row("six crashed workers are silent", "warning",
        "Silent since their critical errors, the first at Wed 25 Nov 21:30 UTC: worker-3, worker-4 and 4 more.",
        suspects=silent(300, 290, 280, 270, 260, 250), last_critical=ago(250)),
    row("silent for a day", "calm",
        "Calm: the last critical error was 24 h ago.",
        suspects=silent(1_441), last_critical=ago(1_441), last_report=ago(2)),
    row("silent, warnings surge", "warning",
        'Warnings surge since 02:18 UTC: 1,240 in the last 10 min on 12 workers, 1,200 of them "slow read of <path>", first on worker-9; '
        "worker-3 silent since Wed 25 Nov 23:10 UTC.",
        suspects=silent(200), last_critical=ago(200), warnings=surge()),
    row("calm", "calm",
        "Calm: the last critical error was 3 h ago.",
        last_critical=ago(hours=3.5)),
    row("calm, last critical days ago", "calm",
        "Calm: the last critical error was 3 days ago.",
        last_critical=ago(hours=75)),
    row("calm, never critical", "calm",
        "Calm: no critical error has been reported yet."),
    row("calm, last error an hour ago", "calm",
        "Calm: the last critical error was 61 min ago.",
        last_critical=ago(61)),
    row("calm after a reset", "calm",
        "Calm: the last critical error was 9 min ago; "
        "the counts were reset at 02:25 UTC.",
        last_critical=ago(9), reset_at=ago(5)),
    row("calm, nothing reported for days", "calm",
        "Calm: the last critical error was 3 days ago; "
        "nothing at all was reported for 2 days.",
        last_critical=ago(hours=75), last_report=ago(hours=70)),
    row("an old report arrives while it is calm", "calm",
        "Calm: the last critical error was 3 h ago; "
        "1 error came in that happened on 15 March 2025.",
        last_critical=ago(hours=3.5), late=Late(1, at("2025-03-15T10:00"), at("2025-03-15T10:00"), ago(1))),
    row("old reports arrive while it is critical", "critical",
        'Critical since 02:29 UTC: 1 critical error on worker-17, "CUDA out of memory"; '
        "12 errors came in that happened from 30 December 2025 to Fri 2 Jan.",
        episode=one(0.5), late=Late(12, at("2025-12-30T10:00"), at("2026-01-02T10:00"), ago(1))),
    row("reports of tonight arrive late", "calm",
        "Calm: the last critical error was 3 h ago; "
        "3 errors came in that happened from 00:10 UTC to 01:10 UTC.",
        last_critical=ago(hours=3.5), late=Late(3, at("2026-11-26T00:10"), at("2026-11-26T01:10"), ago(1))),
    row("reports of yesterday arrive late", "calm",
        "Calm: the last critical error was 3 h ago; "
        "3 errors came in that happened on Wed 25 Nov.",
        last_critical=ago(hours=3.5), late=Late(3, at("2026-11-25T20:10"), at("2026-11-25T21:10"), ago(1))),
    row("an old report arrived a while ago", "calm",
        "Calm: the last critical error was 3 h ago.",
        last_critical=ago(hours=3.5), late=Late(1, at("2025-03-15T10:00"), at("2025-03-15T10:00"), ago(11))),
    row("nothing was ever reported", "unknown",
        "No current report has arrived yet, so nothing is known about the workers.",
        last_report=None),
    row("only an old report", "unknown",
        "No current report has arrived yet, so nothing is known about the workers; "
        "1 error came in that happened on 15 March 2025.",
        last_report=None, late=Late(1, at("2025-03-15T10:00"), at("2025-03-15T10:00"), ago(1))),
    row("nothing is reported where much is usual", "unknown",
        "Nothing was reported for 2 h, where about 40 reports an hour are usual: the workers are idle or cut off; "
        "the last critical error was 5 h ago.",
        last_report=ago(hours=2.5), last_critical=ago(hours=5), usual=usual(reports=40)),
    row("nothing is reported where little is usual", "calm",
        "Calm: the last critical error was 5 h ago.",
        last_report=ago(hours=2.5), last_critical=ago(hours=5), usual=usual(reports=4)),
    row("behind while it is calm", "unknown",
        "As of Thu 26 Nov 02:28:30 UTC (4,000 reports behind), calm: the last critical error was 3 h ago.",
        last_critical=ago(hours=3.5), behind=4_000, as_of=ago(1.5)),
    row("behind while it is critical", "unknown",
        'As of Thu 26 Nov 02:28:30 UTC (1 report behind), critical since 02:27 UTC: 1 critical error on worker-17, "CUDA out of memory"; '
        "that was 2 min ago.",
        episode=one(2.5), behind=1, as_of=ago(1.5)),
    row("the disk is full", "unknown",
        "Reports are refused since 02:10 UTC (the disk is full); "
        "before that, calm: the last critical error was 3 h ago.",
        last_critical=ago(hours=3.5), refused="the disk is full", refused_since=ago(20)),
    row("the disk is full while it is critical", "unknown",
        "Reports are refused since 02:10 UTC (the disk is full); "
        'before that, critical since 02:14 UTC: 300 critical errors on 20 workers, 290 of them "NCCL timeout of rank <n>", first on worker-17.',
        episode=fabric(16, 0.1), refused="the disk is full", refused_since=ago(20)),
    row("the database could not be read", "unknown",
        "Not known: the errors before 02:26 UTC could not be read; "
        "no critical error since then.",
        blind_before=ago(4), last_critical=None),
    row("nothing reported, and the database could not be read", "unknown",
        "Not known: the errors before 02:26 UTC could not be read; "
        "no critical error since then.",
        blind_before=ago(4), last_report=None),
    row("calm after the database could not be read", "calm",
        "Calm: no critical error since 01:50 UTC.",
        blind_before=ago(40), last_critical=None),
    row("back after a night without the service", "unknown",
        "Not known yet: the service did not run from Wed 25 Nov 22:10 UTC to 02:29 UTC; "
        "reports from then may still come in; the last critical error was 5 h ago.",
        away=(ago(hours=4, minutes=20), ago(1)), last_critical=ago(hours=5)),
    row("back for a while", "calm",
        "Calm: the last critical error was 5 h ago; the service did not run from 02:05 UTC to 02:20 UTC.",
        away=(ago(25), ago(10)), last_critical=ago(hours=5)),
    row("critical just after it came back", "critical",
        'Critical since 02:29 UTC: 1 critical error on worker-17, "CUDA out of memory"; '
        "the service did not run from 02:00 UTC to 02:28 UTC.",
        away=(ago(30), ago(2)), episode=one(0.5)),
    row("a short restart", "calm", "Calm: the last critical error was 5 h ago.",
        away=(ago(2), ago(1)), last_critical=ago(hours=5)),
    row("a downtime of yesterday", "calm", "Calm: the last critical error was 5 h ago.",
        away=(ago(hours=30), ago(hours=20)), last_critical=ago(hours=5)),
    row("behind and refused", "unknown",
        "Reports are refused since 02:10 UTC (the disk is full); "
        "before that, calm: the last critical error was 3 h ago.",
        last_critical=ago(hours=3.5), behind=7, as_of=ago(1), refused="the disk is full", refused_since=ago(20)),
    row("critical although the database could not be read", "critical",
        'Critical since 02:29 UTC: 1 critical error on worker-17, "CUDA out of memory".',
        blind_before=ago(4), episode=one(0.5)),
    row("the clock was set back", "critical",
        'Critical since 03:20 UTC: 1 critical error on worker-17, "CUDA out of memory".',
        episode=Episode(ago(-50), ago(-50), where(1,"worker-17", text=OOM), 41)),
    row("errors of a muted pattern only", "calm",
        "Calm: the last critical error was 2 min ago; 3 errors of a muted pattern are not counted.",
        last_critical=ago(2.5), aside=Aside(muted_errors=3, muted_patterns=1)),
    row("one error of a muted pattern", "calm",
        "Calm: the last critical error was 2 min ago; 1 error of a muted pattern is not counted.",
        last_critical=ago(2.5), aside=Aside(muted_errors=1, muted_patterns=1)),
    row("errors of muted patterns while another one is critical", "critical",
        'Critical since 02:29 UTC: 1 critical error on worker-17, "CUDA out of memory"; '
        "1,200 errors of 3 muted patterns are not counted.",
        episode=one(0.5), aside=Aside(muted_errors=1_200, muted_patterns=3)),
    row("errors of a muted pattern while another one recovers", "warning",
        'No critical error for 12 min, after 1 on worker-17, "CUDA out of memory", at 02:18 UTC; '
        "7 errors of a muted pattern are not counted.",
        episode=one(12), last_critical=ago(2), aside=Aside(muted_errors=7, muted_patterns=1)),
    row("errors on a drained worker only", "calm",
        "Calm: the last critical error was 3 h ago; 2 errors on worker-7, which is drained, are not counted.",
        last_critical=ago(hours=3.5), aside=Aside(drained_errors=2, drained_workers=1, drained_name="worker-7")),
    row("errors on drained workers, and of a muted pattern", "calm",
        "Calm: no critical error has been reported yet; 1 error of a muted pattern is not counted; "
        "2 errors on 2 drained workers are not counted.",
        aside=Aside(1, 1, 2, 2, "worker-7")),
    row("errors on a drained worker while another one is silent", "warning",
        "Silent since its critical error at Wed 25 Nov 23:10 UTC, 3 h ago: worker-3; "
        "1 error on worker-7, which is drained, is not counted.",
        suspects=silent(200), last_critical=ago(2), aside=Aside(0, 0, 1, 1, "worker-7")),
    row("a claimed pattern", "critical",
        'Critical since 02:29 UTC: 1 critical error on worker-17, "CUDA out of memory" (claimed by Ana).',
        episode=one(0.5, note=CLAIMED)),
    row("a claimed pattern on many workers", "critical",
        'Critical since 02:14 UTC: 300 critical errors on 20 workers, 290 of them "NCCL timeout of rank <n>" (claimed by Ana), '
        "first on worker-17; 14 times the usual rate.",
        episode=fabric(16, 0.1, note=CLAIMED), critical_in_window=280, usual=usual(critical=120)),
    row("a claimed pattern recovers", "warning",
        'No critical error for 12 min, after 1 on worker-17, "CUDA out of memory" (claimed by Ana), at 02:18 UTC.',
        episode=one(12, note=CLAIMED), last_critical=ago(12)),
    row("warnings of a claimed pattern surge", "warning",
        'Warnings surge since 02:18 UTC: 1,240 in the last 10 min on 12 workers, 1,200 of them "slow read of <path>" '
        "(claimed by Ana), first on worker-9.",
        warnings=surge(note=CLAIMED)),
    row("a pattern that was resolved, and no error since", "calm",
        "Calm: the last critical error was 9 min ago.",
        last_critical=ago(9)),
    row("a resolved pattern came back", "critical",
        'Critical since 02:29 UTC: 1 critical error on worker-17, "CUDA out of memory", '
        "which came back after Ana resolved it at 02:02 UTC.",
        episode=one(0.5, note=BACK)),
    row("a resolved pattern came back, among many others", "critical",
        'Critical since 02:14 UTC: 300 critical errors on 20 workers, 2 of them "CUDA out of memory", '
        "which came back after Ana resolved it at 02:02 UTC, first on worker-17.",
        episode=Episode(ago(16), ago(0.1), where(300, "worker-17", "worker-3", of=2, text=OOM, workers=20, top=18, note=BACK), 340)),
    row("a pattern came back that was resolved days ago, it is not known when", "critical",
        'Critical since 02:29 UTC: 1 critical error on worker-17, "CUDA out of memory", '
        "which came back after somebody resolved it.",
        episode=one(0.5, note=StateNote(came_back=True))),
    row("a pattern that was resolved last week came back and stopped", "warning",
        'No critical error for 12 min, after 1 on worker-17, "CUDA out of memory", '
        "which came back after Ana resolved it at Thu 19 Nov 02:30 UTC, at 02:18 UTC.",
        episode=one(12, note=StateNote(came_back=True, resolved_by="Ana", resolved_at=ago(hours=168))), last_critical=ago(12)),
    row("a name of a person that does not fit into a sentence", "critical",
        'Critical since 02:29 UTC: 1 critical error on worker-17, "CUDA out of memory" (claimed by A�B).',
        episode=one(0.5, note=StateNote(claimed_by="A\u202eB"))),
    row("a worker with a hostile name", "critical",
        'Critical since 02:29 UTC: 1 critical error on a�b <script>, "x� x� x� x� x� x� x� x� x� x� x� x� x� x� x� x� x� x� x� x� x� x� x� x� x� x� x…".',
        episode=Episode(ago(1), ago(0), Where(1, 1, ("a\u202eb\n<script>", ), Leader("a\u202eb\n<script>", 1), PatternLeader("p","x\x1b\n"*50, 1,"a", 4)), 4)),
    row("a worker without a visible name", "critical",
        'Critical since 02:29 UTC: 2 critical errors on (no name), all "(no message)".',
        episode=Episode(ago(1), ago(0), Where(2, 1, ("\n ", ), Leader("\n ", 2), PatternLeader("p","", 2,"\n", 4)), 4)),
)  # fmt: skip


@pytest.mark.parametrize("one", TABLE, ids=[row.name for row in TABLE])
def test_the_verdict_says_what_matters(one: Row) -> None:
    found = verdict(one.situation())
    assert (found.colour, found.sentence) == (one.colour, one.sentence)


def test_there_are_enough_situations() -> None:
    assert len({row.name for row in TABLE}) == len(TABLE) >= 40
    assert {row.colour for row in TABLE} == {"critical", "warning", "calm", "unknown"}


@pytest.mark.parametrize("one", TABLE, ids=[row.name for row in TABLE])
def test_the_parts_agree_with_the_sentence(one: Row) -> None:
    found = verdict(one.situation())
    assert "".join(piece.text for piece in found.pieces) == found.sentence
    assert found.sentence.endswith(".")
    assert "\n" not in found.sentence
    assert found.severity == found.colour or (found.colour == "unknown" and (found.behind or one.facts.get("refused")))
    for look in found.look_first:
        assert look.page.startswith("/error-visualization")
        assert look.api.startswith(("/api/", "/-/"))
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found


@pytest.mark.parametrize("one", TABLE, ids=[row.name for row in TABLE])
def test_without_a_report_nothing_changes_before_the_time_that_is_given(one: Row) -> None:
    found = verdict(one.situation())
    if found.next_change_at is None:
        assert verdict(one.situation(NOW + dt.timedelta(days=400))).sentence == found.sentence
        return
    change = dt.datetime.fromisoformat(found.next_change_at)
    assert change > NOW
    for share in (0.1, 0.5, 0.9, 0.999):
        between = verdict(one.situation(NOW + share * (change - NOW) - dt.timedelta(milliseconds=1)))
        assert (between.colour, between.sentence) == (found.colour, found.sentence)
        assert between.silent == found.silent


@pytest.mark.parametrize("one", TABLE, ids=[row.name for row in TABLE])
def test_it_ends(one: Row) -> None:
    """Whoever waits until each next change sees every colour that time alone brings."""
    now, seen = NOW, [verdict(one.situation()).colour]
    for _ in range(2_000):
        change = verdict(one.situation(now)).next_change_at
        if change is None or now > NOW + dt.timedelta(days=2):
            break
        assert dt.datetime.fromisoformat(change) > now
        now = dt.datetime.fromisoformat(change)
        seen.append(verdict(one.situation(now)).colour)
    if not (one.facts.get("behind") or one.facts.get("refused") or one.name == "a worker that is nearly silent"):
        order = ["critical", "warning", "unknown", "calm"]
        assert [order.index(colour) for colour in seen] == sorted(order.index(colour) for colour in seen)
