"""Compares a database with its events, counted one by one (`counted.py`)."""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import counted
import msgspec
import standing_counted
from projected import Projected

from exporter.events.event import ErrorEvent, isoformat
from exporter.store import names, reports
from exporter.store.parameters import Filters, Ranked
from exporter.store.queries import GetFacets, GetOverview, GetRankings, ListPatterns, ListWorkers
from exporter.store.rollup_tables import ROLLUPS, Level, Rollup
from exporter.store.rollups import rolled_up
from exporter.store.texts import traceback_of

_NAMES: dict[str, names.Table] = {
    "worker": "workers", "type": "types", "category": "categories", "hardware": "hardware_types",
    "fingerprint": "fingerprints", "run": "runs", "job": "jobs", "suite": "suites", "branch": "branches",
    "revision": "commits", "submitter": "users", "test": "tests", "devices": "device_sets",
}  # fmt: skip
_COLUMNS = {
    "id": "id", "event_id": "event_id", "worker_id": "worker_id", "type": "type", "error_category": "category",
    "severity": "severity", "fingerprint": "fingerprint", "hardware_type": "hardware_type", "message": "message",
}  # fmt: skip
_ADD: dict[str, Callable[[list[Any]], Any]] = {"sum": sum, "max": max, "min": min}
Matches = Callable[[ErrorEvent], bool]


def assert_stored(
    store: Projected, events: Sequence[ErrorEvent], *, upgraded: int = 0, sent: Sequence[ErrorEvent] | None = None
) -> None:
    """Asserts that the database has each event once, with its names, its searched text and its report, and that every
    rollup and the counters hold exactly what they should. Errors with ids up to `upgraded` are of an earlier release and
    have no searched text. `sent` are all events, also those that were deleted: the counters count them."""
    assert store.values(f"SELECT {', '.join(_COLUMNS)} FROM named_errors ORDER BY id") == [
        tuple(getattr(one, name) for name in _COLUMNS.values()) for one in events
    ]
    for table in names.TABLES:
        assert store.values(f"SELECT count(DISTINCT id) + count(DISTINCT name) - 2 * count(*) FROM {table}") == [0]
    assert store.values("SELECT e.id, t.text FROM errors e LEFT JOIN texts t ON t.id = e.text ORDER BY 1") == [
        (
            one.id,
            None if one.id <= upgraded else re.sub("[0-9]", "0", f"{one.message}\n{traceback_of(one.body)}".lower()),
        )
        for one in events
    ]
    assert_reports(store, events)
    counts = store.state().counters
    sent = events if sent is None else sent
    assert {
        one[:5]: (one.errors, _moment(one.first_seen), _moment(one.last_seen)) for one in counts
    } == counted.counters(sent)
    assert [one[:5] for one in counts] == list(counted.counters(sent))
    assert_levels(store, events)


def assert_reports(store: Projected, events: Sequence[ErrorEvent]) -> None:
    """Asserts that the database has each report once, and each block as a whole or not at all."""
    ids = [one.id for one in events]
    assert store.database.read(lambda cursor: reports.fetch(cursor, ids)) == {one.id: one.body for one in events}
    assert store.values("SELECT id FROM single_reports GROUP BY id HAVING count(*) > 1") == []
    blocks = store.blocks()
    assert len(blocks) == len(set(blocks))
    singles = store.values(f"SELECT id // {reports.PER_BLOCK} FROM single_reports")
    assert not {*singles} & {*blocks}, "a block is packed as a whole"


def assert_levels(store: Projected, events: Sequence[ErrorEvent]) -> None:
    """Asserts that each level of each rollup holds exactly the errors that are rolled up and, but for the finest level,
    before its seal."""
    rolled, sealed = store.database.read(rolled_up)
    tables = {name: dict(store.values(f"SELECT id, name FROM {name}")) for name in names.TABLES}
    texts = dict(store.values("SELECT id, text FROM errors"))
    assert sealed["sealed_days"] <= sealed["sealed_hours"]
    for rollup in ROLLUPS:
        for level in rollup.levels:
            until = sealed[level.sealed] if level is not rollup.levels[0] else dt.datetime.max
            mine = [one for one in events if one.id <= rolled and one.timestamp.replace(tzinfo=None) < until]
            expected = counted.level(rollup.name, level.name, mine, texts)
            assert _held(store, rollup, level, tables) == expected, f"{rollup.table(level)} until {until}"


def levels(store: Projected) -> dict[str, list[Any]]:
    """Returns the rows of all levels of all rollups, and what is rolled up and sealed: to assert that nothing changed."""
    tables = ("rolled_up", *(rollup.table(level) for rollup in ROLLUPS for level in rollup.levels))
    return {table: store.values(f"SELECT * FROM {table} ORDER BY ALL") for table in tables}


def _held(
    store: Projected, rollup: Rollup, level: Level, tables: Mapping[str, Mapping[int, str]]
) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Returns what a level holds, its rows of one key added up, with names instead of integers."""
    columns = ["t", *(column.name for column in rollup.columns)]
    named = [(place, tables[_NAMES[name]]) for place, name in enumerate(columns) if name in _NAMES]
    added = [(columns.index(column.name), column.add) for column in rollup.columns if column.add]
    chunk = columns.index("chunk") if "chunk" in columns else -1
    keys = [place for place in range(len(columns)) if place not in {chunk, *(place for place, _ in added)}]
    severity = columns.index("severity") if "severity" in columns else -1
    found: dict[tuple[Any, ...], list[list[Any]]] = {}
    for values in store.values(f"SELECT {', '.join(columns)} FROM {rollup.table(level)}"):
        row = list(values)
        for place, of in named:
            if row[place] is not None:
                row[place] = of[row[place]]
        if severity >= 0:
            row[severity] = counted.SEVERITIES[row[severity]]
        found.setdefault(tuple([row[place] for place in keys]), []).append(row)
    return {
        key: tuple([
            _workers([(row[chunk], row[place]) for row in some], tables["workers"]) if add == "bit_or"
            else _added(add, [row[place] for row in some])
            for place, add in added
        ])
        for key, some in found.items()
    }  # fmt: skip


def _workers(some: list[tuple[int, int]], names: Mapping[int, str]) -> frozenset[str]:
    """Returns the workers whose bits are set in pairs of a chunk and its bits."""
    found = []
    for chunk, bits in some:
        while bits:
            found.append(names[chunk * 64 + (bits & -bits).bit_length() - 1])
            bits &= bits - 1
    return frozenset(found)


def _added(add: str, values: list[Any]) -> Any:
    given = [value for value in values if value is not None]
    return _ADD[add](given) if given else None


def assert_answers(
    store: Projected, events: Sequence[ErrorEvent], now: dt.datetime, ids: Mapping[str, str],
    filters: Sequence[tuple[dict[str, Any], dict[str, Matches]]] = (({}, {}),), sent: Sequence[ErrorEvent] | None = None,
) -> None:  # fmt: skip
    """Asserts that every number of the overview, the patterns and the facets is that of the events, for time ranges of
    an hour, a day, a week and a month. `ids` has the pattern ids that are not the fingerprint; `filters` are pairs of
    filters and their conditions, by name. `sent` are all events, also those that were deleted."""
    for hours in counted.BUCKETS:
        for place, (given, conditions) in enumerate([({}, {}), *(one for one in filters if one[0])]):
            end = now - dt.timedelta(hours=hours / 3, seconds=7) if place % 2 else None  # else the range ends now
            asked = Filters(hours=hours, until=end, **given)
            _assert_counted(store, asked, given, now, ids, events, list(conditions.values()), sent or events)
            _assert_workers(store, asked, given, now, ids, events, list(conditions.values()))
        for given, conditions in filters:
            query = GetFacets(filters=Filters(hours=hours, **given), now=now)
            values = answered(store.read(query))
            right = {name: some[:100] for name, some in counted.facets(events, hours, now, conditions).items()}
            assert values == right | {"searched_since": None}, f"{hours} h, {given}: {difference(values, right)}"
            text = "e" if hours == 24 else "7"  # of groups, of other names
            query = GetFacets(filters=Filters(hours=hours, **given), now=now, contains=text)
            values = answered(store.read(query))
            right = counted.found(events, hours, now, conditions, ids, text)
            others = Filters(hours=hours, **{name: values for name, values in given.items() if name != "pattern"})
            listed = store.read(ListPatterns(filters=others, now=now, limit=1_000)).patterns
            texts = {one.pattern_id: one.pattern for one in listed if text in one.pattern}
            right["pattern"] = [
                one | {"text": texts[id_]} for one in right["pattern"] if (id_ := one["value"]) in texts
            ]
            for name, some in right.items():
                assert values[name] == some[:100], f"{hours} h, {given}: {name}: {difference(values[name], some[:100])}"


def _assert_counted(
    store: Projected, asked: Filters, given: Mapping[str, Any], now: dt.datetime, ids: Mapping[str, str],
    events: Sequence[ErrorEvent], conditions: Sequence[Matches], sent: Sequence[ErrorEvent],
) -> None:  # fmt: skip
    """Asserts that overview, patterns and rankings of a time range and filters count those events that meet all
    conditions. A range that ends before now is asked for in both ways."""
    hours, end = asked.hours, asked.until or now
    chosen = [
        one for one in events
        if all(matches(one) for matches in conditions) and (asked.until is None or one.timestamp < asked.until)
    ]  # fmt: skip
    overview = answered(store.read(GetOverview(filters=asked, now=now)))
    for part in (overview, overview["hardware_errors"]):
        part["recent_errors"] = [one["id"] for one in part["recent_errors"]]
    expected = counted.overview(chosen, hours, end, ids, sent) | {
        "timestamp": isoformat(now), "now": counted.critical_now(events, now), "searched_since": None,
        "range": {"from": isoformat(end - dt.timedelta(hours=hours)), "to": isoformat(end), "live": end == now},
    }  # fmt: skip
    workers = expected["worker_errors"]
    if _has_unstable(asked, given):
        having = [one["worker_id"] for one in workers["worker_stats"]]
        also = standing_counted.unstable_workers(
            events, having, now, lambda one: all(matches(one) for matches in conditions)
        )
        workers["worker_stats"] += also
        workers["total"] += len(also)
    for one in workers["worker_stats"]:
        one |= standing_counted.worker_standing(events, one["worker_id"], now)
    for name, one in expected["hardware_errors"]["hardware_status"].items():
        one |= standing_counted.hardware_standing(events, name, now)
    for one in expected["error_patterns"]["top_patterns"]:
        one["state"] = counted.untouched(dt.datetime.fromisoformat(one["ever_first_seen"]), now)
    settle(overview["error_patterns"]["top_patterns"], expected["error_patterns"]["top_patterns"])
    assert overview == expected, f"{asked}: {difference(overview, expected)}"
    if asked.until:
        asked = msgspec.structs.replace(asked, since=end - dt.timedelta(hours=hours), hours=24)
    found = answered(store.read(ListPatterns(filters=asked, now=now, limit=1_000)))["patterns"]
    every = counted.patterns(chosen, hours, end, ids, sent)
    for one in every:
        one["state"] = counted.untouched(dt.datetime.fromisoformat(one["ever_first_seen"]), now)
    settle(found, every)
    assert found == every, f"{asked}: {difference(found, every)}"
    for by in get_args(Ranked):
        answer = answered(store.read(GetRankings(filters=asked, now=now, by=by, limit=1_000)))["values"]
        answer.sort(key=lambda one: (-one["error_count"], one["name"]))
        assert answer == (right := counted.rankings(chosen, hours, end, by)), f"{asked}: {difference(answer, right)}"


def _assert_workers(
    store: Projected, asked: Filters, given: Mapping[str, Any], now: dt.datetime, ids: Mapping[str, str],
    events: Sequence[ErrorEvent], conditions: Sequence[Matches],
) -> None:  # fmt: skip
    """Asserts that the list of workers is that of the events, and that its pages of any order are the whole list."""
    chosen = [
        one for one in events
        if all(matches(one) for matches in conditions) and (asked.until is None or one.timestamp < asked.until)
    ]  # fmt: skip
    expected = standing_counted.worker_list(
        events, chosen, asked.hours, asked.until or now, now,
        (lambda one: all(matches(one) for matches in conditions)) if _has_unstable(asked, given) else None, ids,
    )  # fmt: skip
    found = answered(store.read(ListWorkers(filters=asked, now=now, limit=500)))
    assert (found["total"], found["next_cursor"], found["searched_since"]) == (len(expected), None, None)
    rows = found["workers"]
    for one in rows:
        assert one.pop("reason")
    assert rows == expected, f"{asked}: {difference(rows, expected)}"


def _has_unstable(asked: Filters, given: Mapping[str, Any]) -> bool:
    """Whether lists of workers have those that are not stable also without errors."""
    return asked.until is None and {*given} <= {"worker", "not_worker"}


def answered(result: Any) -> Any:
    """Returns what the answer with a result says."""
    return msgspec.json.decode(msgspec.json.encode(result))


def difference(found: Any, right: Any, place: str = "") -> str:
    """Describes the first place where an answer is wrong; "" if there is none."""
    pairs: Any = ()
    if isinstance(found, dict) and isinstance(right, dict) and found.keys() == right.keys():
        pairs = [(name, found[name], right[name]) for name in found]
    elif isinstance(found, list) and isinstance(right, list) and len(found) == len(right):
        pairs = [(number, *pair) for number, pair in enumerate(zip(found, right, strict=True))]
    elif found != right:
        return f"{place} is {found}, should be {right}"
    return next((said for name, *pair in pairs if (said := difference(*pair, f"{place}.{name}"))), "")


def settle(found: Sequence[Any], expected: Sequence[Any]) -> None:
    """Replaces sets of right values in `expected` by the one that was found, if that is in the set."""
    for one, right in zip(found, expected, strict=False):
        for name, value in right.items():
            if isinstance(value, set) and one[name] in value:
                right[name] = one[name]


def _moment(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
