"""The table of pattern ids: whatever the order and the transactions in which templates and decisions came, it is what the
pure function gives for all of them."""

import datetime as dt
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from assigned import Template
from assigning import Assigning
from bounded import bounded
from events import event

from exporter.patterns import assignment
from exporter.patterns.families import Family, KnownFamilies
from exporter.store import StoreError, assignments, projection
from exporter.store.assignments import Assignments
from exporter.store.decide import decide
from exporter.store.decisions import Decided, Merge, Split, Undo
from exporter.store.projection import Projection
from exporter.store.queries import FindOutcomes
from exporter.store.read_outcomes import find_outcomes

pytestmark = pytest.mark.dashboard
LONG_SECONDS = projection.LONG_SECONDS
NAMES = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "kim", "leo"]
SHAPES = ["Cannot log in user {} right now", "job={} ended too late", "no route to {} from here"]
NOW = dt.datetime(2026, 11, 20)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Assigning]:
    """Families are computed after each append, however busy the machine is."""
    monkeypatch.setattr(projection, "LONG_SECONDS", float("inf"))
    store = Assigning(tmp_path / "errors.duckdb")
    yield store
    store.close()


def templates(rng: random.Random, count: int) -> list[tuple[str, Template]]:
    pairs = [(scope, shape.format(name)) for scope in "TU" for shape in SHAPES for name in NAMES]
    return [(f"{rng.getrandbits(64):016x}", Template(*pair)) for pair in rng.sample(pairs, count)]


@pytest.mark.parametrize("seed", range(bounded(8)))
def test_the_table_is_what_the_pure_function_says(store: Assigning, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each step: new templates in transactions of any size, a merge, a split, an undo, a restart."""
    rng = random.Random(seed)
    limit = 7 if seed % 2 else 2_000
    monkeypatch.setattr(assignment, "MAX_TEMPLATES", limit)
    monkeypatch.setattr(assignments, "MAX_TEMPLATES", limit)
    waiting = templates(rng, 50)
    told: dict[str, str] = {}
    made = 0
    while waiting or made < 3:
        step = rng.random()
        known = sorted(store.known)
        if waiting and (step < 0.5 or len(known) < 5):
            size = rng.randint(1, 3)
            store.see(*waiting[:size])
            del waiting[:size]
        elif step < 0.65:
            answer = decide(store.database, store.assignments, Merge(*rng.sample(known, 2)), NOW)
            made += isinstance(answer, Decided)
        elif step < 0.8:
            answer = decide(store.database, store.assignments, Split(rng.choice(known)), NOW)
            made += isinstance(answer, Decided)
        elif step < 0.9:
            decide(store.database, store.assignments, Undo(rng.randint(1, made + 1)), NOW)
        else:
            store.assignments.take_changes()
            store.assignments = Assignments(store.database)
            store.projection = Projection(store.database, store.log, store.assignments)
            store.assignments.refresh()
            told = store.ids()
        told |= dict(store.assignments.take_changes().ids)
        assert store.ids() == store.expected()
        assert told == store.ids(), "the HTTP process was told every change"
    assert made > 2
    assert set(store.ids().values()) != set(store.known)


def test_a_crash_before_the_families_were_computed_heals_at_the_next_start(store: Assigning) -> None:
    store.projection = Projection(store.database, store.log)  # which does not compute families
    store.see(*[(f"{number:016x}", Template("T", SHAPES[0].format(name))) for number, name in enumerate(NAMES)])
    assert store.ids() == {}
    again = Assignments(store.database)
    again.refresh()
    assert store.ids() == store.expected()
    assert len(set(store.ids().values())) == 1
    assert [one.family.template for one in again.take_changes().families["T"]] == [SHAPES[0].format("<*>")]


def test_a_failure_is_tried_again_and_reads_go_on(
    store: Assigning, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    some = [(f"{number:016x}", Template("T", SHAPES[0].format(name))) for number, name in enumerate(NAMES)]

    def fails(texts: object) -> dict[str, Family]:
        raise ValueError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(assignments, "grouped", fails)
        store.see(*some[:-1])
        assert "could not be computed" in caplog.text
        assert {one.pattern_id for one in store.patterns().patterns} == {one for one, _ in some[:-1]}
        with pytest.raises(StoreError, match="a bug"):
            store.assignments.refresh()
    store.see(some[-1])
    assert store.ids() == {}, "not at once: a bug would fill the log"
    monkeypatch.setattr(store.projection, "_assign_after", 0.0)
    store.projection.assign()
    assert store.ids() == store.expected()
    assert len(store.patterns().patterns) == 1


def test_families_that_take_long_are_not_computed_for_each_read(
    store: Assigning, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    cpu = iter(range(100))
    monkeypatch.setattr(projection, "LONG_SECONDS", LONG_SECONDS)
    monkeypatch.setattr(projection.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(projection.time, "thread_time", lambda: next(cpu) * 0.2)
    some = [(f"{number:016x}", Template("T", SHAPES[0].format(name))) for number, name in enumerate(NAMES)]
    computed = []
    for one in some[:6]:
        store.see(one)
        computed.append(len(store.ids()))
        clock[0] += 1.0
    assert computed == [1, 1, 3, 3, 5, 5]


def test_another_version_of_the_rules_computes_all_ids_again(store: Assigning, monkeypatch: pytest.MonkeyPatch) -> None:
    store.see(*[(f"{number:016x}", Template("T", SHAPES[0].format(name))) for number, name in enumerate(NAMES)])
    (before,) = set(store.ids().values())
    store.database.db.execute("UPDATE assignments SET pattern_id = 'x', base_id = 'x'")
    Assignments(store.database).refresh()
    assert set(store.ids().values()) == {"x"}, "the same version trusts the table"
    monkeypatch.setattr(assignments, "VERSION", assignment.VERSION + 1)
    Assignments(store.database).refresh()
    assert set(store.ids().values()) == {before}


def test_another_place_that_varies_counts_though_the_text_of_the_family_stays(
    store: Assigning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`<*>` from masking and `<*>` for a variable look the same in the family's text."""
    for module in (assignment, assignments):
        monkeypatch.setattr(module, "MAX_TEMPLATES", 6)
    text = "Cannot log in user {} from {}"
    store.see(*[(f"b{number:015x}", Template("T", text.format(name, "<*>"))) for number, name in enumerate(NAMES[:6])])
    store.see(("f" * 16, Template("T", text.format("zoe", "nowhere"))))
    assert store.ids()["f" * 16] == "f" * 16
    (known,) = store.assignments.take_changes().families["T"]
    store.see(("a" * 16, Template("T", text.format(NAMES[0], "somewhere"))))
    assert store.ids() == store.expected()
    assert store.ids()["f" * 16] == known.pattern_id
    (family,) = [one.family for one in store.assignments.take_changes().families["T"]]
    assert KnownFamilies([family]).family_of(text.format("zoe", "nowhere")), "the HTTP process must know, too"


def test_a_template_in_which_families_are_looked_for_joins_none_that_it_only_fits(
    store: Assigning, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (assignment, assignments):
        monkeypatch.setattr(module, "MAX_TEMPLATES", 7)
    text = "Cannot log in user {} from {}"
    names = ["al,bo", *NAMES[:7]]  # `al,bo` is no single word, but a possible value
    store.see(*[(f"b{number:015x}", Template("T", text.format(name, "<*>"))) for number, name in enumerate(names)])
    store.see(("a" * 16, Template("T", text.format(NAMES[0], "somewhere"))))
    assert store.ids() == store.expected()
    assert store.ids()["b" + "0" * 15] == "b" + "0" * 15


def test_a_repeat_with_a_time_that_is_not_believed_gets_the_pattern_id_of_the_first(store: Assigning) -> None:
    store.append([event(fingerprint="a" * 16, pattern_id="F", event_id="e", worker_id="w", reported_at="0001")])
    store.catch_up()
    query = FindOutcomes(events=[("w", "e", dt.datetime(1, 1, 1, tzinfo=dt.UTC), "0001")])
    (found,) = store.database.read(lambda cursor: find_outcomes(cursor, query))
    assert found is not None
    assert found.pattern_id == "F"


def test_a_scope_with_too_many_templates_is_named_once(
    store: Assigning, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in (assignment, assignments):
        monkeypatch.setattr(module, "MAX_TEMPLATES", 5)
    for number, name in enumerate(NAMES):
        store.see((f"{number:016x}", Template("T", SHAPES[0].format(name))))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert len(set(store.ids().values())) == 1


def test_templates_get_their_ids_in_bounded_rounds(store: Assigning, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each round the table is what it would be if only those templates had come."""
    monkeypatch.setattr(assignments, "AT_ONCE", 7)
    monkeypatch.setattr(assignment, "MAX_TEMPLATES", 5)
    monkeypatch.setattr(assignments, "MAX_TEMPLATES", 5)
    store.projection = Projection(store.database, store.log)  # which does not compute families
    waiting = templates(random.Random(1), 50)
    store.see(*waiting)
    everything = store.known
    for done in range(7, 50, 7):
        assert store.assignments.refresh()
        store.known = {one: everything[one] for one in store.ids()}
        assert len(store.known) == done
        assert store.ids() == store.expected()
    assert not store.assignments.refresh()
    store.known = everything
    assert store.ids() == store.expected()
    assert not store.assignments.refresh()


def test_all_templates_of_a_large_scope_join_a_family_that_forms(
    store: Assigning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that it is not formed from, of which a bounded number is read at a time."""
    monkeypatch.setattr(assignments, "AT_ONCE", 7)
    monkeypatch.setattr(assignment, "MAX_TEMPLATES", 5)
    monkeypatch.setattr(assignments, "MAX_TEMPLATES", 5)
    others = [f"no{number:02d} text like the others {number}" for number in range(5)]
    joining = [SHAPES[0].format(one + other) for one in NAMES[:5] for other in NAMES[6:]]
    for number, text in enumerate([*others, *joining], 100):
        store.see((f"{number:016x}", Template("T", text)))
    assert len(set(store.ids().values())) == 35, "families are formed from the first five"
    for number, name in enumerate(NAMES[:5]):
        store.see((f"{number:016x}", Template("T", SHAPES[0].format(name))))
    assert store.ids() == store.expected()
    assert len(set(store.ids().values())) == 6
    assert dict(store.assignments.take_changes().ids) == store.ids()


def test_the_projection_goes_on_until_all_templates_have_ids(store: Assigning, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignments, "AT_ONCE", 7)
    store.see(*templates(random.Random(1), 20))
    for _ in range(2):
        store.projection.assign()
    assert store.ids() == store.expected()


def test_changes_that_nobody_takes_are_bounded(store: Assigning, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignments, "MAX_CHANGED", 3)
    for number in range(10):
        store.see((f"{number:016x}", Template("T", f"text {number}")))
    assert [one for one, _ in store.assignments.take_changes().ids] == [f"{number:016x}" for number in (7, 8, 9)]


def test_the_id_of_a_fingerprint_that_is_new_again_is_sent(store: Assigning) -> None:
    """The HTTP process evicts what it has not seen for long."""
    store.see(*[(f"{number:016x}", Template("T", SHAPES[0].format(name))) for number, name in enumerate(NAMES)])
    store.assignments.take_changes()
    before = store.ids()
    store.see((f"{3:016x}", Template("T", SHAPES[0].format(NAMES[3]))))
    assert store.assignments.take_changes().ids == [(f"{3:016x}", before[f"{3:016x}"])]
    assert store.ids() == before
