"""The pattern id that an event gets when it is accepted, and whether its pattern is new."""

import pytest

from exporter.ingest.past import KnownFamily, Past, Reassigned
from exporter.ingest.patterns import Admitted, PatternIds
from exporter.patterns import version_1
from exporter.patterns.families import families, representatives
from exporter.patterns.fingerprint import Pattern

pytestmark = pytest.mark.dashboard
TEXTS = [f"Cannot log in user {name} right now" for name in ("alice", "bob", "carol", "dave", "erin")]
FAMILY = KnownFamily(representatives(families(TEXTS)[TEXTS[0]]), "F")
ZOE = Pattern("zoe", "Cannot log in user zoe right now", "S")


def known(*fingerprints: str, **more: object) -> PatternIds:
    return PatternIds(Past({}, [], None, list(fingerprints), **more))  # type: ignore[arg-type]


def test_without_families_a_pattern_is_its_fingerprint() -> None:
    ids = known("a")
    assert ids.ids == {"a": "a"}
    assert ids.admit(ZOE, "T", "m", None) == Admitted("zoe", True, None)
    assert ids.ids["zoe"] == "zoe"
    ids.forget("zoe")
    assert ids.ids == {"a": "a"}


@pytest.mark.parametrize(
    ("pattern", "id_", "is_new"),
    [(ZOE, "F", False), (ZOE._replace(scope="other"), "zoe", True), (ZOE._replace(text="Cannot log in"), "zoe", True)],
)
def test_a_new_fingerprint_joins_a_family_of_its_scope(pattern: Pattern, id_: str, is_new: bool) -> None:
    ids = known("a", assigned=Reassigned([("a", "F")], {"S": [FAMILY]}, True))
    assert ids.ids == {"a": "F"}
    assert ids.admit(pattern, "T", "m", None) == Admitted(id_, is_new, None)


def test_a_family_that_dissolved_takes_no_more_members() -> None:
    ids = known("a", assigned=Reassigned([("a", "F")], {"S": [FAMILY]}, True))
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
    ids = known(assigned=Reassigned(pairs[0], {}, False))  # type: ignore[arg-type]
    assert ids.reassign(Reassigned(pairs[1], {})) == gone  # type: ignore[arg-type]
    assert ids.ids == dict(pairs[0]) | dict(pairs[1])  # type: ignore[arg-type]


def test_after_a_restart_of_the_database_every_other_id_is_the_fingerprint() -> None:
    """Changes that the process could not tell before it died are told as a whole."""
    ids = known("a", "b", "c", assigned=Reassigned([("a", "F"), ("b", "F")], {"S": [FAMILY]}, True))
    assert ids.reassign(Reassigned([("c", "G")], {"T": [FAMILY]}, True)) == {"F": "a", "c": "G"}
    assert ids.ids == {"a": "a", "b": "b", "c": "G"}
    assert ids.admit(ZOE, "T", "m", None).pattern_id == "zoe", "the families are those that were told"


def test_a_pattern_of_version_1_is_not_new_again() -> None:
    old = version_1.fingerprint("T", "m 1", None)
    ids = known(old, old_patterns=[old])
    assert ids.admit(ZOE, "T", "m 2", None) == Admitted("zoe", False, old)
    assert ids.admit(ZOE._replace(fingerprint="y"), "T", "other", None) == Admitted("y", True, None)
