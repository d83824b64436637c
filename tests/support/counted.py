"""What reads and rollups must say, counted over the events one by one: slow, and written without the code under test.

Times are floored with the origin 2000-01-03, a Monday."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from exporter.events.event import ErrorEvent, isoformat
from exporter.events.groups import groups_of

Answer = dict[str, Any]
SEVERITIES = ("info", "warning", "critical")  # by code
CONDITIONS = ("overheating", "memory_pressure", "throttling")
MONDAY = dt.datetime(2000, 1, 3, tzinfo=dt.UTC)
LEVELS = {
    "minute": dt.timedelta(minutes=1),
    "quarter": dt.timedelta(minutes=15),
    "hour": dt.timedelta(hours=1),
    "day": dt.timedelta(days=1),
}
AHEAD = dt.timedelta(minutes=5)
BUCKETS = {1: 60, 24: 900, 168: 7200, 720: 28_800}  # seconds, by the hours of a time range


def floor(moment: dt.datetime, step: dt.timedelta) -> dt.datetime:
    return MONDAY + (moment - MONDAY) // step * step


def within(events: Iterable[ErrorEvent], hours: int, now: dt.datetime) -> list[ErrorEvent]:
    """Returns the events of a time range, newest first. Times may be up to 5 minutes ahead of `now`."""
    found = [one for one in events if now - dt.timedelta(hours=hours) <= one.timestamp <= now + AHEAD]
    return sorted(found, key=lambda one: (one.timestamp, one.id), reverse=True)


def overview(
    events: Sequence[ErrorEvent], hours: int, now: dt.datetime, ids: Mapping[str, str],
    sent: Sequence[ErrorEvent] | None = None,
) -> Answer:  # fmt: skip
    """Returns the overview without the contents of the newest errors, which are replaced by their ids. `ids` has the
    pattern ids that are not the fingerprint. `sent` are all errors, also those that were deleted."""
    found = within(events, hours, now)
    by_category = Counter(one.category for one in found)
    every = _patterns(events, hours, now, ids, sent)
    workers = _workers(found)
    return {
        "summary": {
            "total_errors": len(found),
            "recurring_errors": sum(one.is_recurring for one in found),
            "hardware_errors": sum(one.hardware_error for one in found),
            "critical_hardware_errors": sum(one.hardware_error and one.severity == "critical" for one in found),
            **{f"{word}_errors": sum(one.severity == word for one in found) for word in SEVERITIES},
            **{
                f"{word}_errors": sum(one.category.startswith(f"{word.upper()}_") for one in found)
                for word in ("resource", "network", "worker", "test")
            },
            "time_range_hours": hours,
            "reset_at": None,
        },
        "timestamp": isoformat(now),
        "now": critical_now(events, now),
        "recent_errors": [one.id for one in found[:100]],
        "error_distribution": {
            "categories": [{"category": name, "count": count} for name, count in _ranked(by_category)],
            "other_categories": {"categories": 0, "count": 0},
            "severities": [
                {"severity": word, "count": sum(one.severity == word for one in found)}
                for word in ("critical", "warning", "info")
            ],
            "time_series": {"bucket_seconds": BUCKETS[hours], "points": _points(found, hours, now)},
        },
        "error_patterns": {
            "top_patterns": _without_times(every[:10]),
            "categories": _pattern_categories(found, ids),
        },
        "new_patterns": _new(every, now - dt.timedelta(hours=hours)),
        "worker_errors": {"worker_stats": workers, "total": len(workers), "with_errors": len(workers)},
        "hardware_errors": {
            "hardware_status": _hardware(found, hours),
            "recent_errors": [one.id for one in found if one.hardware_error][:50],
        },
        "clock_offsets": [],
        "restarts": [],
        "silences": [],
        "seq": max((one.id for one in sent or events), default=0),
    }


def patterns(
    events: Sequence[ErrorEvent], hours: int, now: dt.datetime, ids: Mapping[str, str],
    sent: Sequence[ErrorEvent] | None = None,
) -> list[Answer]:  # fmt: skip
    """Returns the patterns. Where several errors are the newest, `category` and `type` are sets of what is right. `sent`
    are all errors, also those that were deleted."""
    return _without_times(_patterns(events, hours, now, ids, sent))


def _without_times(every: Sequence[Answer]) -> list[Answer]:
    return [{name: value for name, value in one.items() if name not in ("last", "ever")} for one in every]


def _patterns(
    events: Sequence[ErrorEvent], hours: int, now: dt.datetime, ids: Mapping[str, str],
    sent: Sequence[ErrorEvent] | None,
) -> list[Answer]:  # fmt: skip
    """As `patterns`, with the exact times `last` and `ever`."""
    starts = _starts(hours, now)
    step = dt.timedelta(seconds=BUCKETS[hours])
    found = []
    for pattern_id, mine in _by(within(events, hours, now), lambda one: ids.get(one.fingerprint, one.fingerprint)):
        last = mine[0].timestamp
        newest = [one for one in mine if one.timestamp == last]
        fingerprint = max(one.fingerprint for one in newest)
        trend = Counter(floor(one.timestamp, step) for one in mine)
        first = [
            one
            for one in sent or events
            if one.is_new_pattern and ids.get(one.fingerprint, one.fingerprint) == pattern_id
        ]
        found.append({
            "pattern": next(one.pattern for one in first if one.fingerprint == fingerprint), "occurrences": len(mine),
            "category": {one.category for one in newest}, "type": {one.type for one in newest},
            "first_seen": isoformat(mine[-1].timestamp), "last_seen": isoformat(last), "fingerprint": fingerprint,
            "workers": len({one.worker_id for one in mine}),
            "critical": sum(one.severity == "critical" for one in mine),
            "ever_first_seen": isoformat(ever := min(one.timestamp for one in (*first, mine[-1]))),
            "state": untouched(ever, now),
            "trend": [trend[start] for start in starts], "pattern_id": pattern_id,
            "fingerprints": len({one.fingerprint for one in mine}), "family": False, "last": last,
            "ever": ever,
        })  # fmt: skip
    return sorted(found, key=lambda one: (-one["occurrences"], MONDAY - one["last"], one["pattern_id"]))


def _new(every: Sequence[Answer], since: dt.datetime) -> Answer:
    """Returns those of the patterns that are new since a moment."""
    found = [one for one in every if one["ever"] >= since]
    found.sort(key=lambda one: (MONDAY - one["ever"], one["pattern_id"]))
    rows = [{"pattern_id": o["pattern_id"], "pattern": o["pattern"], "first_seen": o["ever_first_seen"]} for o in found]
    return {"total": len(rows), "patterns": rows[:50]}


def untouched(first: dt.datetime, now: dt.datetime) -> Answer:
    """Returns the state of a pattern, first seen at a time, of which nobody has said anything."""
    names = ("by", "at", "until", "errors_left", "silence_id", "silence_error")
    return {"status": "new" if now - first < dt.timedelta(hours=24) else "open", **dict.fromkeys(names)}


def facets(
    events: Sequence[ErrorEvent], hours: int, now: dt.datetime, filters: Mapping[str, Callable[[ErrorEvent], bool]]
) -> Answer:
    """Returns the facets. `filters` has a condition by the field of the facet that it does not hold for; other names
    hold for all."""
    columns: dict[str, Callable[[ErrorEvent], str | None]] = {
        "severity": lambda one: one.severity, "category": lambda one: one.category,
        "worker": lambda one: one.worker_id, "type": lambda one: one.type, "hardware": lambda one: one.hardware_type,
        "job": lambda one: one.job, "suite": lambda one: one.suite, "branch": lambda one: one.branch,
        "user": lambda one: one.user,
    }  # fmt: skip
    answer = {}
    for name, column in columns.items():
        conditions = [matches for other, matches in filters.items() if other != name]
        mine = [column(one) for one in within(events, hours, now) if all(matches(one) for matches in conditions)]
        ranked = _ranked(Counter(value for value in mine if value is not None))
        answer[name] = [{"value": value, "count": count} for value, count in ranked]
    return answer


def found(
    events: Sequence[ErrorEvent], hours: int, now: dt.datetime, filters: Mapping[str, Callable[[ErrorEvent], bool]],
    ids: Mapping[str, str], text: str,
) -> Answer:  # fmt: skip
    """Returns the facets in which a text is looked for, which is in lower case; of patterns all, whatever their text."""
    columns: dict[str, Callable[[ErrorEvent], Iterable[str | None]]] = {
        "run": lambda one: [one.run], "test": lambda one: [one.test], "device": lambda one: one.devices,
        "commit": lambda one: [one.commit], "pattern": lambda one: [ids.get(one.fingerprint, one.fingerprint)],
        "group": lambda one: groups_of(one.category, hardware_error=one.hardware_error, recurring=one.is_recurring),
    }  # fmt: skip
    answer = {}
    for name, values in columns.items():
        conditions = [matches for other, matches in filters.items() if other != name]
        mine = [one for one in within(events, hours, now) if all(matches(one) for matches in conditions)]
        counts = Counter(value for one in mine for value in values(one) if value is not None)
        kept = {value: count for value, count in counts.items() if name == "pattern" or text in value.lower()}
        answer[name] = [{"value": value, "count": count} for value, count in _ranked(Counter(kept))]
    return answer


def rankings(events: Sequence[ErrorEvent], hours: int, now: dt.datetime, by: str) -> list[Answer]:
    """Returns the ranking of what the field `by` names, without outcomes. An event with devices counts for each."""
    found: dict[str, list[ErrorEvent]] = defaultdict(list)
    for one in within(events, hours, now):
        for name in one.devices if by == "device" else [getattr(one, by)]:
            if name is not None:
                found[name].append(one)
    values = [
        {
            "name": name, "error_count": len(mine), "critical_errors": sum(one.severity == "critical" for one in mine),
            "workers": len({one.worker_id for one in mine}), "first_seen": isoformat(mine[-1].timestamp),
            "last_seen": isoformat(mine[0].timestamp), "outcomes": None,
        }
        for name, mine in found.items()
    ]  # fmt: skip
    return sorted(values, key=lambda one: (-one["error_count"], one["name"]))


def counters(events: Iterable[ErrorEvent]) -> dict[tuple[Any, ...], tuple[int, dt.datetime, dt.datetime]]:
    """Returns how many errors each key of the counters has, with the first and the last time; in order of arrival."""
    found = _by(
        sorted((one for one in events if not one.imported), key=lambda one: one.id),
        lambda one: (one.worker_id, one.type, one.category, one.severity, one.hardware_type),
    )
    return {key: (len(mine), min(o.timestamp for o in mine), max(o.timestamp for o in mine)) for key, mine in found}


def level(
    rollup: str, name: str, events: Iterable[ErrorEvent], texts: Mapping[int, int]
) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Returns what a level of a rollup must hold of the events: sums by key. The key begins with the time. `texts` are
    the integers of the searched texts, by the id of the event."""
    key, sums = _ROLLUPS[rollup]
    found = _by(events, lambda one: (floor(one.timestamp, LEVELS[name]).replace(tzinfo=None), *key(one, texts)))
    return {at: sums(mine) for at, mine in found}


def _measured(mine: list[ErrorEvent]) -> tuple[Any, ...]:
    found: list[Any] = [len(mine)]
    for name in ("cpu_percent", "memory_percent", "disk_percent"):
        given = [value for one in mine if (value := getattr(one, name)) is not None]
        found += [sum(given) if given else None, len(given)]
    found.append(max((one.gpu_celsius for one in mine if one.gpu_celsius is not None), default=None))
    return (*found, *(sum(name in (one.conditions or "").split(",") for one in mine) for name in CONDITIONS))


def _times(mine: list[ErrorEvent]) -> list[dt.datetime]:
    return sorted(one.timestamp.replace(tzinfo=None) for one in mine)


_Key = Callable[[ErrorEvent, Mapping[int, int]], tuple[Any, ...]]
_Sums = Callable[[list[ErrorEvent]], tuple[Any, ...]]
_ROLLUPS: dict[str, tuple[_Key, _Sums]] = {
    "time": (
        lambda one, _: (one.severity, one.category, one.hardware_error),
        lambda mine: (len(mine), sum(one.is_recurring for one in mine)),
    ),
    "kind": (
        lambda one, _: (one.severity, one.category, one.type, one.hardware_type, one.hardware_error),
        _measured,
    ),
    "worker": (
        lambda one, _: (one.worker_id, one.type, one.severity),
        lambda mine: (len(mine), _times(mine)[-1]),
    ),
    "pattern": (
        lambda one, _: (one.fingerprint, one.type, one.category, one.severity),
        lambda mine: (len(mine), sum(one.is_recurring for one in mine), _times(mine)[0], _times(mine)[-1]),
    ),
    "seen": (
        lambda one, _: (one.fingerprint,),
        lambda mine: (frozenset(one.worker_id for one in mine),),
    ),
    "facet": (
        lambda one, texts: (
            one.severity,
            one.category,
            one.type,
            one.hardware_type,
            one.hardware_error,
            one.is_recurring,
            texts[one.id],
            one.worker_id,
        ),
        lambda mine: (len(mine),),
    ),
    "run": (
        lambda one, _: (one.run, one.job, one.suite, one.branch, one.commit, one.user, one.severity),
        lambda mine: _with_workers(mine),
    ),
    "test": (lambda one, _: (one.test,), lambda mine: _with_critical(mine)),
    "device": (lambda one, _: ("\x1f".join(one.devices) or None,), lambda mine: _with_critical(mine)),
}


def _with_critical(mine: list[ErrorEvent]) -> tuple[Any, ...]:
    errors, *others = _with_workers(mine)
    return (errors, sum(one.severity == "critical" for one in mine), *others)


def _with_workers(mine: list[ErrorEvent]) -> tuple[Any, ...]:
    return (len(mine), frozenset(one.worker_id for one in mine), _times(mine)[0], _times(mine)[-1])


def _by(events: Iterable[ErrorEvent], key: Callable[[ErrorEvent], Any]) -> list[tuple[Any, list[ErrorEvent]]]:
    found: dict[Any, list[ErrorEvent]] = defaultdict(list)
    for one in events:
        found[key(one)].append(one)
    return list(found.items())


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _starts(hours: int, now: dt.datetime) -> list[dt.datetime]:
    step = dt.timedelta(seconds=BUCKETS[hours])
    start, starts = floor(now - dt.timedelta(hours=hours), step), []
    while start <= now:
        starts.append(start)
        start += step
    return starts


def _points(found: list[ErrorEvent], hours: int, now: dt.datetime) -> list[Answer]:
    by_bucket = dict(_by(found, lambda one: floor(one.timestamp, dt.timedelta(seconds=BUCKETS[hours]))))
    points = []
    for start in sorted({*_starts(hours, now), *by_bucket}):
        mine = by_bucket.get(start, [])
        points.append({
            "timestamp": isoformat(start), **{word: sum(one.severity == word for one in mine) for word in SEVERITIES},
            "resource": sum(one.category.startswith("RESOURCE_") for one in mine),
            "network": sum(one.category.startswith("NETWORK_") for one in mine),
            "critical_hardware": sum(one.hardware_error and one.severity == "critical" for one in mine),
            "recurring": sum(one.is_recurring for one in mine),
        })  # fmt: skip
    return points


def critical_now(events: Iterable[ErrorEvent], now: dt.datetime) -> Answer:
    since = now - dt.timedelta(minutes=5)
    lately = [one for one in events if since <= one.timestamp <= now + AHEAD and one.severity == "critical"]
    ranked = _ranked(Counter(one.worker_id for one in lately))
    return {
        "window_seconds": 300, "critical_errors": len(lately), "workers": len(ranked),
        "top_worker": ranked[0][0] if ranked else None, "top_worker_errors": ranked[0][1] if ranked else 0,
        "critical_errors_since_reset": None,
    }  # fmt: skip


def _pattern_categories(found: list[ErrorEvent], ids: Mapping[str, str]) -> list[Answer]:
    rows = [
        {
            "category": category, "occurrences": len(mine),
            "patterns": len({ids.get(one.fingerprint, one.fingerprint) for one in mine}),
            "recurring_patterns": len({ids.get(one.fingerprint, one.fingerprint) for one in mine if one.is_recurring}),
        }
        for category, mine in _by(found, lambda one: one.category)
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-row["patterns"], -row["occurrences"], row["category"]))


def _status(mine: list[ErrorEvent]) -> str:
    kinds = {one.severity for one in mine}
    return "critical" if "critical" in kinds else "warning" if "warning" in kinds else "stable"


def _most_common(mine: list[ErrorEvent]) -> str:
    """Returns the most frequent type; of several, the last by its name."""
    return max((count, name) for name, count in Counter(one.type for one in mine).items())[1]


def _workers(found: list[ErrorEvent]) -> list[Answer]:
    rows = [
        {
            "worker_id": worker, "error_count": len(mine),
            "critical_errors": sum(one.severity == "critical" for one in mine),
            "most_common_error": _most_common(mine),
            "last_error_time": isoformat(max(one.timestamp for one in mine)), "status": _status(mine),
            "drained": None,
        }
        for worker, mine in _by(found, lambda one: one.worker_id)
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-row["error_count"], row["worker_id"]))


def _hardware(found: list[ErrorEvent], hours: int) -> Answer:
    status = {}
    for name, mine in _by((one for one in found if one.hardware_type is not None), lambda one: one.hardware_type):
        _, cpu, cpus, memory, memories, disk, disks, celsius, *conditions = _measured(mine)
        status[name] = {
            "error_count": len(mine), "critical_errors": sum(one.severity == "critical" for one in mine),
            "most_common_error": _most_common(mine), "status": _status(mine), "error_rate": len(mine) / hours,
            "metrics": {
                "cpu_percent": cpu / cpus if cpus else None, "memory_percent": memory / memories if memories else None,
                "disk_percent": disk / disks if disks else None, "max_gpu_celsius": celsius,
                **dict(zip(CONDITIONS, conditions, strict=True)),
            },
        }  # fmt: skip
    return dict(sorted(status.items(), key=lambda pair: (-pair[1]["error_count"], pair[0])))
