"""The pattern id that an event gets when it is accepted, and whether its pattern is new."""

from collections.abc import Sequence

import pytest

from exporter.ingest import patterns
from exporter.ingest.known_fingerprints import MAX_ONCE
from exporter.ingest.past import KnownFamily, Past, Reassigned
from exporter.ingest.patterns import Admitted, PatternIds
from exporter.patterns import version_1
from exporter.patterns.families import families, representatives
from exporter.patterns.fingerprint import Pattern

pytestmark = pytest.mark.dashboard
TEXTS = [f"Cannot log in user {name} right now" for name in ("alice", "bob", "carol", "dave", "erin")]
FAMILY = KnownFamily(representatives(families(TEXTS)[TEXTS[0]]), "F")
Families = dict[str, list[KnownFamily]]
ZOE = Pattern("zoe", "Cannot log in user zoe right now", "S")


def known(*fingerprints: str, ids: Sequence[tuple[str, str]] = (), families: Families | None = None,
          old: Sequence[str] = (), once: int = 0) -> PatternIds:  # fmt: skip
    assigned = Reassigned(list(ids), families or {}, True, list(fingerprints))
    return PatternIds(Past(seen_once=once, old_patterns=list(old), assigned=assigned))


def test_without_families_a_pattern_is_its_fingerprint() -> None:
    ids = known("a")
    assert dict(ids.ids.items()) == {"a": "a"}
    assert ids.admit(ZOE, "T", "m", None) == Admitted("zoe", True, None)
    assert ids.ids.get("zoe") == "zoe"
    ids.forget("zoe")
    assert dict(ids.ids.items()) == {"a": "a"}


@pytest.mark.parametrize(
    ("pattern", "id_", "is_new"),
    [(ZOE, "F", False), (ZOE._replace(scope="other"), "zoe", True), (ZOE._replace(text="Cannot log in"), "zoe", True)],
)
def test_a_new_fingerprint_joins_a_family_of_its_scope(pattern: Pattern, id_: str, is_new: bool) -> None:
    ids = known("a", ids=[("a", "F")], families={"S": [FAMILY]})
    assert dict(ids.ids.items()) == {"a": "F"}
    assert ids.admit(pattern, "T", "m", None) == Admitted(id_, is_new, None)


def test_a_family_that_dissolved_takes_no_more_members() -> None:
    ids = known("a", ids=[("a", "F")], families={"S": [FAMILY]})
    assert ids.reassign(Reassigned([("a", "a")], {"S": []})) == {"F": "a"}
    assert ids.admit(ZOE, "T", "m", None) == Admitted("zoe", True, None)


REASSIGNED = {
    "a family forms": ("a:a b:b", "a:F b:F", {"a": "F", "b": "F"}),
    "a family gets another template": ("a:F b:F", "a:G b:G", {"F": "G"}),
    "a member leaves": ("a:F b:F", "a:a", {}),
    "all members leave": ("a:F b:F c:F", "a:G b:G c:c", {"F": "G"}),
    "nothing changes": ("a:F", "a:F", {}),
    "a fingerprint that was not seen here": ("a:a", "b:F", {"b": "F"}),
}


@pytest.mark.parametrize(("before", "changed", "gone"), REASSIGNED.values(), ids=REASSIGNED)
def test_ids_that_are_gone_are_named(before: str, changed: str, gone: dict[str, str]) -> None:
    pairs = [[tuple(pair.split(":")) for pair in text.split()] for text in (before, changed)]
    ids = known(*[fingerprint for fingerprint, _ in pairs[0]], ids=pairs[0])  # type: ignore[arg-type]
    assert ids.reassign(Reassigned(pairs[1], {})) == gone  # type: ignore[arg-type]
    later = dict(pairs[1])  # type: ignore[arg-type]
    assert dict(ids.ids.items()) == {one: later.get(one, id_) for one, id_ in pairs[0]}


def test_after_a_restart_of_the_database_every_other_id_is_the_fingerprint() -> None:
    """Changes that the process could not tell before it died are told as a whole."""
    ids = known("a", "b", "c", ids=[("a", "F"), ("b", "F")], families={"S": [FAMILY]})
    assert ids.reassign(Reassigned([("c", "G")], {"T": [FAMILY]}, True, ["a", "b", "c"])) == {"F": "a", "c": "G"}
    assert dict(ids.ids.items()) == {"a": "a", "b": "b", "c": "G"}
    assert ids.admit(ZOE, "T", "m", None).pattern_id == "zoe", "the families are those that were told"


def test_a_pattern_of_version_1_is_not_new_again() -> None:
    old = version_1.fingerprint("T", "m 1", None)
    ids = known(old, old=[old])
    assert ids.admit(ZOE, "T", "m 2", None) == Admitted("zoe", False, old)
    assert ids.admit(ZOE._replace(fingerprint="y"), "T", "other", None) == Admitted("y", True, None)


def test_of_the_families_those_of_the_scopes_in_use_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "MAX_FAMILIES", 10)
    ids = known()
    for number in range(100):
        ids.reassign(Reassigned([], {f"S{number}": [FAMILY._replace(pattern_id=f"F{number}")]}))
        assert ids.admit(ZOE._replace(scope="S0"), "T", "m", None).pattern_id == "F0"
    found = [ids.admit(ZOE._replace(scope=f"S{number}"), "T", "m", None).pattern_id for number in range(100)]
    assert [id_ for id_ in found if id_ != "zoe"] == ["F0", *(f"F{number}" for number in range(91, 100))]
    ids.reassign(Reassigned([], {f"S{number}": [] for number in range(100)}))
    ids.reassign(Reassigned([], {"S": [FAMILY]}))
    assert ids.admit(ZOE, "T", "m", None).pattern_id == "F"


def test_an_evicted_fingerprint_gets_its_id_from_the_database_when_it_comes_again() -> None:
    ids = known("a", ids=[("a", "F"), ("evicted", "F")])
    assert ids.ids.see("evicted") is None
    assert ids.reassign(Reassigned([("evicted", "G")], {})) == {"evicted": "G"}
    assert ids.ids.see("evicted") is None, "what is not in use is not kept"
    assert ids.admit(ZOE._replace(fingerprint="evicted"), "T", "m", None).pattern_id == "evicted"
    assert ids.reassign(Reassigned([("evicted", "F")], {})) == {"evicted": "F"}
    assert ids.ids.see("evicted") == "F"


def test_a_restart_of_the_database_changes_no_id_that_it_does_not_tell() -> None:
    """It tells the newest; this process may know others."""
    ids = known("a", "b", ids=[("a", "F"), ("b", "F")])
    assert ids.reassign(Reassigned([], {}, True, ["b"])) == {}
    assert dict(ids.ids.items()) == {"a": "F", "b": "b"}


def test_at_start_those_that_were_seen_once_are_told_from_the_others() -> None:
    ids = known(*[str(number) for number in range(10)], once=7)
    flood = [f"f{number}" for number in range(MAX_ONCE)]
    for one in flood:
        ids.ids.add(one, one)
    assert sorted({one for one, _ in ids.ids.items()} - set(flood)) == ["7", "8", "9"]
