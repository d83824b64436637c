"""What workers and hardware types are now, and the list of workers, counted over the events one by one: slow, and
written without the code under test."""

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from typing import Any

from counted import within

from exporter.events.event import ErrorEvent, isoformat

MINUTE = dt.timedelta(minutes=1)
AHEAD = 5 * MINUTE
Answer = dict[str, Any]


def time_of(one: ErrorEvent) -> dt.datetime:
    return min(one.timestamp, one.received_at)


def says_now(one: ErrorEvent) -> bool:
    return not one.imported and one.received_at - one.timestamp < 30 * MINUTE


def state(
    mine: Sequence[ErrorEvent], now: dt.datetime, *, may_be_silent: bool = True
) -> tuple[str, dt.datetime | None]:
    """Returns what somebody with these events is, and since when it is silent."""
    ordered = sorted((one for one in mine if says_now(one)), key=lambda one: (time_of(one), one.id))
    ages = {
        word: min((now - time_of(one) for one in ordered if one.severity == word), default=dt.timedelta.max)
        for word in ("critical", "warning")
    }
    if ages["critical"] < 5 * MINUTE:
        return "critical", None
    if may_be_silent and ordered and ordered[-1].severity == "critical":
        silent_for = now - time_of(ordered[-1])
        if 10 * MINUTE <= silent_for < dt.timedelta(days=1):
            return "silent", time_of(ordered[-1])
    if ages["warning"] < 10 * MINUTE:
        return "warning", None
    return ("recovering" if ages["critical"] < 30 * MINUTE else "stable"), None


def last_critical(mine: Sequence[ErrorEvent], now: dt.datetime) -> str | None:
    times = [one.timestamp for one in mine if one.severity == "critical" and one.timestamp <= now + AHEAD]
    return isoformat(max(times)) if times else None


def worker_standing(events: Sequence[ErrorEvent], worker: str, now: dt.datetime) -> Answer:
    mine = [one for one in events if one.worker_id == worker]
    now_, since = state(mine, now)
    return {
        "now": now_,
        "last_critical_time": last_critical(mine, now),
        "silent_since": isoformat(since) if since else None,
    }


def unstable_workers(
    events: Sequence[ErrorEvent], having: Collection[str], now: dt.datetime, also: Callable[[ErrorEvent], bool]
) -> list[Answer]:
    """Returns the rows of an overview for workers that are not stable, beyond those `having` errors, without what
    `worker_standing` says."""
    rows = []
    for worker in sorted({one.worker_id for one in events if also(one)} - {*having}):
        if worker_standing(events, worker, now)["now"] != "stable":
            newest = max(time_of(one) for one in events if one.worker_id == worker and says_now(one))
            rows.append({
                "worker_id": worker, "error_count": 0, "critical_errors": 0, "most_common_error": "",
                "last_error_time": isoformat(newest), "status": "stable", "drained": None,
            })  # fmt: skip
    return rows


def hardware_standing(events: Sequence[ErrorEvent], hardware: str, now: dt.datetime) -> Answer:
    mine = [one for one in events if one.hardware_type == hardware]
    now_, _ = state(mine, now, may_be_silent=False)
    silent = []
    for worker in {one.worker_id for one in mine}:
        of_worker = [one for one in events if one.worker_id == worker and says_now(one)]
        _, since = state(of_worker, now)
        at_that = [one for one in of_worker if time_of(one) == since and one.severity == "critical"]
        silent += [time_of(one) for one in at_that if one.hardware_type == hardware]
    if silent and now_ != "critical":
        return {"now": "silent", "last_critical_time": last_critical(mine, now), "silent_since": isoformat(min(silent))}
    return {"now": now_, "last_critical_time": last_critical(mine, now), "silent_since": None}


def worker_list(
    events: Sequence[ErrorEvent], chosen: Sequence[ErrorEvent], hours: int, end: dt.datetime, now: dt.datetime,
    also: Callable[[ErrorEvent], bool] | None, ids: Any,
) -> list[Answer]:  # fmt: skip
    """Returns the rows by most errors, without reasons. `events` are all, `chosen` those that match; `also` says for
    which events a worker that is not stable belongs into the list without errors."""
    found: dict[str, list[ErrorEvent]] = {}
    for one in within(chosen, hours, end):
        found.setdefault(one.worker_id, []).append(one)
    for one in events:
        if also and also(one) and worker_standing(events, one.worker_id, now)["now"] != "stable":
            found.setdefault(one.worker_id, [])
    rows = []
    for worker, mine in found.items():
        standing = worker_standing(events, worker, now)
        rows.append({
            "worker_id": worker, "now": standing["now"], "errors": len(mine),
            "critical": sum(one.severity == "critical" for one in mine),
            "warning": sum(one.severity == "warning" for one in mine),
            "last_error_at": isoformat(max(one.timestamp for one in mine)) if mine else None,
            "last_critical_at": standing["last_critical_time"], "silent_since": standing["silent_since"],
            "drained": None, "patterns": len({ids.get(one.fingerprint, one.fingerprint) for one in mine}),
        })  # fmt: skip
    return sorted(rows, key=lambda row: (-row["errors"], row["worker_id"]))
