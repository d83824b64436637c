"""What the reads about patterns say of families, aliases, merged and split patterns is what a count over the errors
gives, also where a part of the errors is rolled up."""

import datetime as dt
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import counted
import pytest
from assigning import Assigning
from events import event
from exact import answered, difference

from exporter.events.cursor import parse_rank
from exporter.events.event import ErrorEvent, isoformat
from exporter.patterns.assignment import family_id
from exporter.store import projection
from exporter.store.decide import decide
from exporter.store.decisions import Decided, Merge, Split, Undo
from exporter.store.parameters import Filters, TimeRange
from exporter.store.pattern_results import PatternList
from exporter.store.queries import GetOverview, GetPattern, ListPatterns
from exporter.store.rollups import Rollups
from exporter.store.select import resolve

pytestmark = pytest.mark.dashboard
NOW = dt.datetime(2026, 11, 25, 20, 10, 30, tzinfo=dt.UTC)
HOURS = (1, 24, 168, 720)
NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
TEMPLATE = "Cannot log in user <*> right now"
FAMILY = family_id("S", TEMPLATE)
LOGINS = [f"a{number:015}" for number in range(len(NAMES))]
ENGINE, PUMP, NAMELESS, OLD = "b" * 16, "c" * 16, "d" * 16, "e" * 16
TEXTS = dict(zip(LOGINS, (TEMPLATE.replace("<*>", name) for name in NAMES), strict=True)) | {
    ENGINE: "the engine has stopped", PUMP: "the pump is off", NAMELESS: "", OLD: "the engine has stopped, it said",
}  # fmt: skip
LONG_AGO = NOW - dt.timedelta(days=200)


class Group(NamedTuple):
    """A pattern that there must be: its fingerprints, and whether they include a family."""

    members: Sequence[str]
    family: bool = False


class Case(NamedTuple):
    """Decisions, and the patterns after them by their ids."""

    decisions: Sequence[Merge | Split | Undo]
    groups: dict[str, Group]


ALONE = {one: Group([one]) for one in (ENGINE, PUMP, NAMELESS, OLD)}
LOGIN = {FAMILY: Group(LOGINS, family=True)}
CASES = {
    "no decision": Case([], ALONE | LOGIN),
    "two patterns merged": Case([Merge(ENGINE, PUMP)], LOGIN | {
        PUMP: Group([ENGINE, PUMP]), NAMELESS: Group([NAMELESS]), OLD: Group([OLD]),
    }),
    "a family merged into a pattern": Case([Merge(FAMILY, PUMP)], {
        PUMP: Group([*LOGINS, PUMP], family=True), ENGINE: Group([ENGINE]), NAMELESS: Group([NAMELESS]),
        OLD: Group([OLD]),
    }),
    "a pattern merged into a family": Case([Merge(ENGINE, LOGINS[2])], {
        FAMILY: Group([*LOGINS, ENGINE], family=True), PUMP: Group([PUMP]), NAMELESS: Group([NAMELESS]),
        OLD: Group([OLD]),
    }),
    "two members split off": Case([Split(FAMILY, tuple(LOGINS[:2]))], ALONE | {
        FAMILY: Group(LOGINS[2:], family=True), LOGINS[0]: Group([LOGINS[0]]), LOGINS[1]: Group([LOGINS[1]]),
    }),
    "all members split": Case([Split(FAMILY)], ALONE | {one: Group([one]) for one in LOGINS}),
    "a split undone": Case([Split(FAMILY), Undo(1)], ALONE | LOGIN),
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Assigning]:
    """Families are computed after each append, however busy the machine is."""
    monkeypatch.setattr(projection, "LONG_SECONDS", float("inf"))
    store = Assigning(tmp_path / "errors.duckdb")
    yield store
    store.close()


def first_errors() -> list[ErrorEvent]:
    """An error of each fingerprint, long ago; the engine's goes on as an alias of an earlier version."""
    return [
        event(
            fingerprint=one, pattern=text, scope=None if one == OLD else "S" if one in LOGINS else one,
            is_new_fingerprint=True, is_new_pattern=True, timestamp=LONG_AGO - dt.timedelta(days=place),
            type="T", alias=OLD if one == ENGINE else "",
        )
        for place, (one, text) in enumerate(TEXTS.items())
    ]  # fmt: skip


def errors(rng: random.Random, number: int) -> list[ErrorEvent]:
    """Errors at random times of the last weeks; many have the same time, some a time ahead of now."""
    return [
        event(
            fingerprint=(one := rng.choice(list(TEXTS))), pattern=TEXTS[one], message=TEXTS[one],
            worker_id=f"w{rng.randrange(150)}", type=rng.choice("TUV"), category=rng.choice("ABC"),
            severity=rng.choice(("critical", "warning", "info")), is_recurring=one != PUMP and rng.random() < 0.5,
            timestamp=NOW - dt.timedelta(seconds=rng.choice((rng.randrange(-60, 20), *(
                rng.randrange(hours * 3_600) for hours in HOURS
            )))),
        )
        for _ in range(number)
    ]  # fmt: skip


def fill(store: Assigning, seed: int = 1) -> list[ErrorEvent]:
    """Returns the events of a database of which two thirds are rolled up, in steps. The pump has the newest one."""
    rng, sent = random.Random(seed), []
    for batch in (first_errors(), errors(rng, 300), errors(rng, 300)):
        sent += store.append(batch)
        store.catch_up()
        Rollups(store.database).step(1)
    last = event(fingerprint=PUMP, pattern=TEXTS[PUMP], timestamp=NOW + dt.timedelta(seconds=61))
    sent += store.append(errors(rng, 300), [last])
    store.catch_up()
    return sent


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ErrorEvent]]:
    """A folder with a filled database and its log, both closed, and the events."""
    folder = tmp_path_factory.mktemp("patterns")
    with pytest.MonkeyPatch.context() as patch, closing(Assigning(folder / "errors.duckdb")) as store:
        patch.setattr(projection, "LONG_SECONDS", float("inf"))
        return folder, fill(store)


@pytest.fixture
def filled(
    prepared: tuple[Path, list[ErrorEvent]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Assigning, list[ErrorEvent]]]:
    """A copy of the filled database, for a test that makes decisions."""
    monkeypatch.setattr(projection, "LONG_SECONDS", float("inf"))
    folder, events = prepared
    with closing(Assigning(shutil.copytree(folder, tmp_path / "filled") / "errors.duckdb")) as store:
        yield store, events


def expected(events: list[ErrorEvent], groups: dict[str, Group], hours: int) -> list[dict[str, Any]]:
    """Returns the patterns as `counted` counts them, with what it does not know of families and aliases."""
    ids = {member: id_ for id_, group in groups.items() for member in group.members}
    first = {one.fingerprint: one.timestamp for one in events if one.is_new_pattern}
    found = counted.patterns(events, hours, NOW, ids)
    for one in found:
        group = groups[one["pattern_id"]]
        one["family"] = group.family
        in_family = group.family and one["fingerprint"] in LOGINS
        texts = TEXTS if not in_family else dict.fromkeys(LOGINS, TEMPLATE)
        known = [*group.members, *([OLD] if ENGINE in group.members else [])]
        one["pattern"] = texts[one["fingerprint"]]
        ever = min(*(first[member] for member in known), dt.datetime.fromisoformat(one["first_seen"]))
        one["ever_first_seen"] = isoformat(ever)
        one["state"] = counted.untouched(ever, NOW)
    return found


def settled(found: list[dict[str, Any]], right: list[dict[str, Any]], events: list[ErrorEvent]) -> None:
    """Replaces the sets of `counted` by what was found, which must be of one error; the type also stands for an empty
    text."""
    pairs = {(one.fingerprint, isoformat(one.timestamp), one.type, one.category) for one in events}
    for one, expects in zip(found, right, strict=True):
        assert (one["fingerprint"], one["last_seen"], one["type"], one["category"]) in pairs
        expects |= {"type": one["type"], "category": one["category"], "pattern": expects["pattern"] or one["type"]}


def listed(store: Assigning, hours: int, now: dt.datetime = NOW, **more: Any) -> PatternList:
    found: PatternList = store.read(ListPatterns(filters=Filters(hours=hours), now=now, **more))
    return found


def make(store: Assigning, decisions: Sequence[Merge | Split | Undo]) -> None:
    for one in decisions:
        assert isinstance(decide(store.database, store.assignments, one, NOW.replace(tzinfo=None)), Decided)


@pytest.mark.parametrize("name", CASES)
def test_lists_count_what_belongs_to_each_pattern(filled: tuple[Assigning, list[ErrorEvent]], name: str) -> None:
    case, (store, events) = CASES[name], filled
    make(store, case.decisions)
    ids = {member: id_ for id_, group in case.groups.items() for member in group.members}
    for hours in HOURS:
        found = answered(listed(store, hours, limit=1_000).patterns)
        right = expected(events, case.groups, hours)
        settled(found, right, events)
        assert found == right, f"{hours} h: {difference(found, right)}"
        overview = store.read(GetOverview(filters=Filters(hours=hours), now=NOW))
        since = isoformat(NOW - dt.timedelta(hours=hours))
        assert {one.pattern_id: (one.pattern, one.first_seen) for one in overview.new_patterns.patterns} == {
            one["pattern_id"]: (one["pattern"], one["ever_first_seen"])
            for one in right
            if one["ever_first_seen"] >= since
        }
        shown = answered(overview.error_patterns)
        categories = counted.overview(events, hours, NOW, ids)["error_patterns"]["categories"]
        assert shown == {"top_patterns": right[:10], "categories": categories}


@pytest.mark.parametrize("name", CASES)
def test_every_id_leads_to_the_whole_pattern(filled: tuple[Assigning, list[ErrorEvent]], name: str) -> None:
    """A fingerprint leads to the pattern that it belongs to now, and so does an id of the past."""
    case, (store, events) = CASES[name], filled
    make(store, case.decisions)
    for hours in HOURS:
        within = counted.within(events, hours, NOW)
        for pattern in answered(listed(store, hours, limit=1_000).patterns):
            id_, group = pattern["pattern_id"], case.groups[pattern["pattern_id"]]
            mine = [one for one in within if one.fingerprint in group.members]
            for way in {id_, group.members[0]}:
                found = store.read(GetPattern(id=way, range=TimeRange(hours=hours), now=NOW))
                plain = answered(found)
                assert {key: plain[key] for key in pattern} == pattern
                assert [one.id for one in found.recent_errors] == [one.id for one in mine[:20]]
                assert plain["worker_stats"] == workers(mine)
                assert plain["members"] == members(mine, group.members, events)
                assert found.aliases == ([OLD] if ENGINE in group.members else [])
                assert [one.template for one in found.families] == ([TEMPLATE] if group.family else [])
    past = store.read(GetPattern(id=FAMILY, range=TimeRange(hours=720), now=NOW))
    assert LOGINS[0 if name != "two members split off" else 2] in [one.fingerprint for one in past.members]


def test_the_newest_patterns_of_a_span_are_named_and_all_are_counted(
    store: Assigning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.store.read_overview.NEW_PATTERNS", 2)
    events = []
    for number, hours in enumerate((30, 5, 3, 2), 1):
        first = NOW - dt.timedelta(hours=hours)
        of = {"fingerprint": f"{number:016}", "pattern": f"text {number}", "scope": f"{number:016}"}
        events += [
            event(timestamp=first, received_at=first, is_new_fingerprint=True, is_new_pattern=True, **of),
            event(timestamp=NOW, received_at=NOW, **of),
        ]
    store.append(events)
    store.catch_up()

    def found(**filters: Any) -> tuple[int, list[str]]:
        new = store.read(GetOverview(filters=Filters(**filters), now=NOW)).new_patterns
        for one in new.patterns:
            assert one.first_seen == isoformat(
                NOW - dt.timedelta(hours={"text 4": 2, "text 3": 3, "text 2": 5}[one.pattern])
            )
        return new.total, [one.pattern for one in new.patterns]

    assert found(hours=24) == (3, ["text 4", "text 3"])
    assert found(hours=4, pattern=f"{3:016}") == (1, ["text 3"])
    assert found(hours=1) == (0, [])


def test_an_error_that_arrives_late_may_be_the_first_one(store: Assigning) -> None:
    def engine(minutes: int, **more: Any) -> ErrorEvent:
        at = NOW - dt.timedelta(minutes=minutes)
        return event(fingerprint=ENGINE, pattern=TEXTS[ENGINE], timestamp=at, received_at=NOW, **more)

    store.append([engine(32, scope=ENGINE, is_new_fingerprint=True, is_new_pattern=True), engine(60), engine(10)])
    store.catch_up()
    (one,) = listed(store, 24).patterns
    assert one.ever_first_seen == one.first_seen == isoformat(NOW - dt.timedelta(minutes=60))
    (member,) = store.read(GetPattern(id=ENGINE, range=TimeRange(hours=24), now=NOW)).members
    assert member.ever_first_seen == one.first_seen


@pytest.mark.parametrize(("id_", "leads_to"), [
    ("x", ("x", ["z"])), ("y", ("y", ["x"])), ("z", ("x", ["z"])), ("old", ("y", ["x"])), ("unknown", None),
])  # fmt: skip
def test_an_id_is_a_current_one_else_a_fingerprint_else_a_past_one(
    store: Assigning, id_: str, leads_to: tuple[str, list[str]] | None
) -> None:
    store.database.db.execute("INSERT INTO assignments VALUES ('x', 'S', 'y', 'y'), ('z', 'S', 'x', 'x')")
    store.database.db.execute("INSERT INTO pattern_ids VALUES ('old', 'x'), ('z', 'x')")
    assert store.database.read(lambda cursor: resolve(cursor, id_)) == leads_to


def workers(mine: list[ErrorEvent]) -> list[dict[str, Any]]:
    counts = Counter(one.worker_id for one in mine)
    last = {one.worker_id: isoformat(one.timestamp) for one in reversed(mine)}
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"worker_id": one, "errors": count, "last_seen": last[one]} for one, count in ranked[:100]]


def members(mine: list[ErrorEvent], fingerprints: Sequence[str], events: list[ErrorEvent]) -> list[dict[str, Any]]:
    found = []
    for fingerprint in fingerprints:
        times = [one.timestamp for one in mine if one.fingerprint == fingerprint]
        first = [one.timestamp for one in events if one.fingerprint == fingerprint and one.is_new_pattern]
        ever = min(*first, *times)
        found.append({
            "fingerprint": fingerprint, "template": TEXTS[fingerprint], "errors": len(times),
            "first_seen": isoformat(min(times)) if times else None,
            "last_seen": isoformat(max(times)) if times else None, "ever_first_seen": isoformat(ever),
        })  # fmt: skip
    return sorted(found, key=lambda one: (-one["errors"], one["fingerprint"]))


def pages(store: Assigning, limit: int, between: Callable[[], object] = lambda: None) -> list[PatternList]:
    """Reads the list page by page. `between` is called after each."""
    found = [listed(store, 168, limit=limit)]
    while found[-1].next_cursor is not None:
        assert len(found) < 100
        assert len(found[-1].patterns) == limit
        between()
        after = parse_rank(found[-1].next_cursor)
        found.append(listed(store, 168, limit=limit, after=after))
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 100])
def test_pages_follow_each_other_without_gap_or_repeat(store: Assigning, limit: int) -> None:
    """Patterns with as many errors and the same time are ordered by their ids."""
    hour = dt.timedelta(hours=1)
    store.append([
        event(fingerprint=f"{number:016x}", timestamp=NOW - hour * (number // 4 % 2), is_new_fingerprint=True)
        for number in range(12) for _ in range(1 + number // 8)
    ])  # fmt: skip
    every = listed(store, 168, limit=1_000)
    assert (len(every.patterns), every.next_cursor) == (12, None)
    found = pages(store, limit)
    assert [one for page in found for one in page.patterns] == every.patterns
    assert len(found) == -(-12 // limit)


def test_a_pattern_that_does_not_change_is_on_one_page_however_the_others_move(store: Assigning) -> None:
    rng = random.Random(5)
    steady = [f"{number:016x}" for number in range(0, 40, 2)]
    moving = [f"{number:016x}" for number in range(1, 40, 2)]

    def some(fingerprints: Sequence[str]) -> None:
        store.append([event(fingerprint=one, timestamp=NOW - dt.timedelta(hours=1)) for one in fingerprints])

    some(steady + moving)
    some([one for one in steady + moving for _ in range(rng.randrange(4))])
    found = pages(store, 3, between=lambda: some(rng.sample(moving, 5)))
    shown = Counter(one.pattern_id for page in found for one in page.patterns)
    assert {one: shown[one] for one in steady} == dict.fromkeys(steady, 1)
    assert max(shown.values()) == 1, "one that gets errors moves up, where it was or was not shown"
