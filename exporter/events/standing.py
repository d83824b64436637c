"""What a worker is now, by the times of its newest reports. Tables and the verdict share these limits, so that they
never contradict each other. The first state that holds:

    critical     a critical error less than `CRITICAL_SECONDS` ago
    silent       nothing since a critical error, `SILENT_SECONDS` ago or earlier, for `SILENT_FOR_SECONDS` at most
    warning      a warning less than `WINDOW_SECONDS` ago
    recovering   a critical error less than `RECOVERY_SECONDS` ago
    stable

Reports that were `LATE_SECONDS` old when they arrived, and imported ones, say nothing about now. Pure.
"""

import datetime as dt
from typing import Final, Literal, NamedTuple, get_args

CRITICAL_SECONDS: Final = 300  # after a critical error, during which it is critical now
WINDOW_SECONDS: Final = 600  # in which errors are counted to compare them with what is usual; after a warning, to warn
RECOVERY_SECONDS: Final = 1_800  # after the last critical error, before it is calm
SILENT_SECONDS: Final = 600  # after a critical error, before a worker counts as silent
SILENT_FOR_SECONDS: Final = 86_400  # for which a silent worker keeps the verdict from being calm
LATE_SECONDS: Final = RECOVERY_SECONDS  # age of a report when it arrives, from which on it says nothing about now

Now = Literal["critical", "silent", "warning", "recovering", "stable"]
NOWS: Final[tuple[Now, ...]] = get_args(Now)  # the worst first
CALM: Final = (
    f"no critical error in the last {RECOVERY_SECONDS // 60} min, no warning in the last {WINDOW_SECONDS // 60} min"
)
Report = tuple[dt.datetime, int]  # time and id, by which reports are ordered


class Newest(NamedTuple):
    """The newest critical error, the newest report that is none, and the time of the newest warning. Times are all
    aware or all naive UTC."""

    critical: Report | None = None
    other: Report | None = None
    warning: dt.datetime | None = None


class State(NamedTuple):
    """A state, and the reports that decided it. `silent_since` is the time of the critical error; None for all other
    states."""

    now: Now
    newest: Newest
    silent_since: dt.datetime | None = None


STABLE: Final = State("stable", Newest())


def state_of(newest: Newest, now: dt.datetime) -> State:
    """Returns what a worker is at a moment."""
    critical, other, warning = newest
    if critical is not None:
        if _is_within(CRITICAL_SECONDS, critical[0], now):
            return State("critical", newest)
        if is_silent(critical, other, now):
            return State("silent", newest, critical[0])
    if warning is not None and _is_within(WINDOW_SECONDS, warning, now):
        return State("warning", newest)
    if critical is not None and _is_within(RECOVERY_SECONDS, critical[0], now):
        return State("recovering", newest)
    return STABLE


def reason_of(state: State, now: dt.datetime) -> str:
    """Returns why a state holds, with ages as of a moment."""
    if state is STABLE:
        return CALM
    critical, _, warning = state.newest
    parts = []
    if state.now == "warning" and warning is not None:
        parts.append(f"warning {age(warning, now)} ago")
    if critical is not None and (state.now == "silent" or _is_within(RECOVERY_SECONDS, critical[0], now)):
        words = {"silent": "nothing since a critical error", "recovering": "last critical error"}
        parts.append(f"{words.get(state.now, 'critical error')} {age(critical[0], now)} ago")
    return ", ".join(parts)


def is_silent(critical: Report, other: Report | None, now: dt.datetime) -> bool:
    """Whether a worker with these newest reports is silent."""
    at = critical[0]
    is_newest = other is None or critical > other
    return is_newest and not _is_within(SILENT_SECONDS, at, now) and _is_within(SILENT_FOR_SECONDS, at, now)


def age(moment: dt.datetime, now: dt.datetime) -> str:
    """Returns how long ago a moment was, rounded down, in the largest unit that fits."""
    seconds = max(0, int((now - moment).total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 3_600 else f"{seconds // 3_600} h"


def _is_within(seconds: int, moment: dt.datetime, now: dt.datetime) -> bool:
    return (now - moment).total_seconds() < seconds
