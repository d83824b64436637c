"""The templates of patterns after deletions on request: deleted with the last error, stored again with the next one, and
no pattern id changes."""

import datetime as dt
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from assigned import Template
from assigning import Assigning
from bounded import bounded
from events import event
from failing import fail_at_each_call

from exporter.patterns import assignment
from exporter.store import assignments, projection
from exporter.store.decide import decide
from exporter.store.decisions import Merge, Split
from exporter.store.deleting import Chosen, delete_span

pytestmark = pytest.mark.dashboard
DAY = dt.datetime(2026, 11, 25)
NAMES = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "kim", "leo"]
SHAPES = ["Cannot log in user {} right now", "job={} ended too late", "no route to {} from here"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Assigning]:
    monkeypatch.setattr(projection, "LONG_SECONDS", float("inf"))
    store = Assigning(tmp_path / "errors.duckdb")
    yield store
    store.close()


def see(store: Assigning, *templates: tuple[str, Template]) -> None:
    """Projects one error of each of these new fingerprints."""
    store.see(*templates)
    come(store, *(one for one, _ in templates))
    with store.database.writing:  # those of `see` have another time
        store.database.db.execute("DELETE FROM errors WHERE timestamp != $1", [DAY])


def come(store: Assigning, *fingerprints: str) -> None:
    """Projects one more error of each of these known fingerprints."""
    then = DAY.replace(tzinfo=dt.UTC)
    store.append([event(fingerprint=one, pattern=store.known[one].text, timestamp=then) for one in fingerprints])
    store.catch_up()
    store.roll_up()


def delete(store: Assigning, *fingerprints: str, on_request: bool = True) -> None:
    """Deletes all errors of these fingerprints."""
    condition = "fingerprint IN (SELECT id FROM fingerprints WHERE name IN (SELECT unnest($names::VARCHAR[])))"
    chosen = Chosen(DAY, DAY + dt.timedelta(days=1), condition, {"names": list(fingerprints)})
    with store.database.writing:
        delete_span(store.database, chosen, add_history=not on_request, deletion=1 if on_request else None)
        store.projection.inserter.templates_were_deleted()


def texts(store: Assigning) -> dict[str, str]:
    return dict(store.values("SELECT fingerprint, pattern FROM patterns"))


class Ids(NamedTuple):
    pattern_id: str
    base_id: str


def groups(store: Assigning) -> dict[str, Ids]:
    rows = store.values("SELECT fingerprint, pattern_id, base_id FROM assignments")
    return {one: Ids(pattern_id, base_id) for one, pattern_id, base_id in rows}


def alive(store: Assigning) -> set[str]:
    return set(store.values("SELECT DISTINCT name FROM errors JOIN fingerprints f ON f.id = fingerprint"))


@pytest.mark.parametrize("seed", range(bounded(8)))
def test_templates_go_and_come_back_and_ids_stay(store: Assigning, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A random history of errors that come, decisions by hand, and deletions. Every second one has large scopes."""
    rng = random.Random(seed)
    limit = 12 if seed % 2 else 2_000
    monkeypatch.setattr(assignment, "MAX_TEMPLATES", limit)
    monkeypatch.setattr(assignments, "MAX_TEMPLATES", limit)
    pairs = [Template(scope, shape.format(name)) for scope in "TU" for shape in SHAPES for name in NAMES]
    waiting = [(f"{rng.getrandbits(64):016x}", one) for one in rng.sample(pairs, 40)]
    gone: set[str] = set()
    most = 0
    for _ in range(60):
        step = rng.random()
        known = sorted(store.known)
        if len(known) < 5 or (waiting and step < 0.3):
            new = waiting[:4]
            del waiting[:4]
            before = {one: groups(store)[one].base_id for one in gone}
            see(store, *new)
            assert {one: groups(store)[one].base_id for one in gone} == before
        elif step < 0.4:
            decide(store.database, store.assignments, Merge(*rng.sample(known, 2)), DAY)
        elif step < 0.5:
            decide(store.database, store.assignments, Split(rng.choice(known)), DAY)
        elif step < 0.6:
            back = rng.sample(known, 3)
            come(store, *back)
            gone -= set(back)
        else:
            before = store.ids()
            chosen = rng.sample(known, rng.randint(1, len(known)))
            touched = {one for fingerprint in set(chosen) & alive(store) for one in groups(store)[fingerprint]}
            delete(store, *chosen)
            assert store.ids() == before
            left = {one for fingerprint in alive(store) for one in groups(store)[fingerprint]}
            gone |= {one for one, ids in groups(store).items() if touched & set(ids) and not left & set(ids)}
        most = max(most, len(gone))
        assert {one for one, text in texts(store).items() if not text} == gone
        kept = store.values("SELECT scope, family FROM families")
        lost = [store.known[one] for one in gone]
        assert not [one for one in lost for scope, family in kept if scope == one.scope and one.text in family]
    assert most > 5
    come(store, *store.known)
    assert texts(store) == {one: text for one, (_, text) in store.known.items()}
    store.see(*((f"{scope:0>16}", Template(scope, "the last one")) for scope in "TU"))
    assert store.ids() == store.expected(), "as if nothing had been deleted"


def test_only_a_deletion_on_request_deletes_templates(store: Assigning) -> None:
    """After retention, the history still names the pattern."""
    see(store, ("f1", Template("T", "of retention")), ("f2", Template("T", "of a request")))
    delete(store, "f1", on_request=False)
    delete(store, "f2")
    assert texts(store) == {"f1": "of retention", "f2": ""}


def test_a_template_goes_with_the_errors_or_not_at_all(store: Assigning) -> None:
    see(store, ("f1", Template("T", "a secret")))

    def check() -> None:
        assert (texts(store), alive(store)) == ({"f1": "a secret"}, {"f1"})

    fail_at_each_call(store.database, lambda: delete(store, "f1"), check)
    assert (texts(store), alive(store)) == ({"f1": ""}, set())
    fail_at_each_call(store.database, lambda: come(store, "f1"), lambda: None)
    assert texts(store) == {"f1": "a secret"}


def test_deleted_templates_of_a_large_scope_keep_their_ids(store: Assigning, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignment, "MAX_TEMPLATES", 6)
    monkeypatch.setattr(assignments, "MAX_TEMPLATES", 6)
    first, second = (
        [(f"{place}{number:x}", Template("T", shape.format(name))) for number, name in enumerate(NAMES)]
        for place, shape in enumerate(SHAPES[:2])
    )
    see(store, *first)
    before = store.ids()
    assert len(set(before.values())) == 1, "a family"
    delete(store, *before)
    see(store, *second)
    assert {one: id_ for one, id_ in store.ids().items() if one in before} == before
    assert len(set(store.ids().values())) == 2
