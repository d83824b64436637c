"""Which pattern id a fingerprint has: families, and decisions by hand."""

import random
from collections.abc import Mapping, Sequence

import pytest
from assigned import Template, assign

from exporter.patterns import assignment
from exporter.patterns.assignment import Decision, decided, family_id, grouped, newcomer
from exporter.patterns.families import families

pytestmark = pytest.mark.dashboard
NAMES = ["alice", "bob", "carol", "dave", "erin", "frank"]
TEXT = "Cannot log in user {} from <ip>"
LATE = newcomer("F")


def merge(number: int, sources: str, targets: str, into: str) -> Decision:
    return Decision(number, "merge", tuple(sources.split()), tuple(targets.split()), into)


def split(number: int, fingerprints: str, *, whole: bool = False) -> Decision:
    return Decision(number, "split", tuple(fingerprints.split()), whole=whole)


# The groups without decisions: a, b and c are a family with the id F; d and e are alone.
GROUPS = {"a": "F", "b": "F", "c": "F", LATE: "F", "d": "d", "e": "e"}
DECIDED = {
    "nothing": ([], "F F F F d e"),
    "one pattern into another": ([merge(1, "d", "e", "e")], "F F F F e e"),
    "a pattern into a family": ([merge(1, "d", "a b c", "F")], "F F F F F e"),
    "a family into a pattern, with its later members": ([merge(1, "a b c", "d", "d")], "d d d d d e"),
    "into a family that had another id then": ([merge(1, "d", "a", "G")], "G G G G G e"),
    "a chain of merges": ([merge(1, "d", "e", "e"), merge(2, "d e", "a b c", "F")], "F F F F F F"),
    "a merge of what is gone": ([merge(1, "x", "y", "y")], "F F F F d e"),
    "a merge whose target is gone": ([merge(1, "d", "y", "y")], "F F F F y e"),
    "one member apart": ([split(1, "b")], "F b F F d e"),
    "all members apart, and later ones": ([split(1, "a b c", whole=True)], "a b c - d e"),
    "a member that came since then leaves, too": ([split(1, "a b", whole=True)], "a b c - d e"),
    "apart, then merged": ([split(1, "b"), merge(2, "b", "d", "d")], "F d F F d e"),
    "apart, then back": ([split(1, "b"), merge(2, "b", "a c", "F")], "F F F F d e"),
    "merged, then apart": ([merge(1, "d", "e", "e"), split(2, "d e", whole=True)], "F F F F d e"),
    "the pattern that gave the id leaves, one stays": ([merge(1, "d", "e", "e"), split(2, "e")], "F F F F d e"),
    "the split of what is gone": ([split(1, "x", whole=True)], "F F F F d e"),
    "a split after the merge was undone": ([split(2, "d e", whole=True)], "F F F F d e"),
    "a family without its only member left": ([split(1, "a b c")], "a b c F d e"),
}


@pytest.mark.parametrize(("decisions", "expected"), DECIDED.values(), ids=DECIDED)
def test_decisions(decisions: Sequence[Decision], expected: str) -> None:
    ids = decided(GROUPS, decisions)
    assert " ".join(ids.get(key, "-") for key in GROUPS) == expected


def test_the_rest_of_a_pattern_gets_an_id_of_its_own() -> None:
    """The pattern that gave its id to the merged pattern keeps this id when it leaves."""
    ids = decided(GROUPS, [merge(1, "a b c", "d", "d"), split(2, "d")])
    assert ids["d"] == "d"
    assert ids["a"] == ids["b"] == ids["c"] == ids[LATE]
    assert ids["a"] not in {*"abcde", "F", LATE}
    ids = decided({"a": "a", "d": "d", newcomer("d"): "d"}, [split(1, "d")])
    assert len(ids[newcomer("d")]) == 16, "an id, not a key"


def test_decisions_do_not_touch_other_patterns() -> None:
    others = {f"o{number}": f"o{number}" for number in range(50)}
    decisions = [merge(1, "d", "e", "e"), split(2, "a"), split(3, "d", whole=True)]
    assert decided(GROUPS | others, decisions) == decided(GROUPS, decisions) | others


def fingerprints(texts: Sequence[str], scope: str = "T") -> dict[str, Template]:
    return {f"{scope}{number:015x}": Template(scope, text) for number, text in enumerate(texts)}


def test_a_family_has_one_id_and_scopes_are_apart() -> None:
    texts = [TEXT.format(name) for name in NAMES]
    assigned = assign(fingerprints(texts) | fingerprints(texts, "U") | fingerprints(["disk <num> is full"], "V"))
    family = families(texts)[texts[0]]
    assert {one.pattern_id for key, one in assigned.items() if key[0] == "T"} == {family_id("T", family.template)}
    assert {one.pattern_id for key, one in assigned.items() if key[0] == "U"} == {family_id("U", family.template)}
    assert assigned["V" + "0" * 15] == ("V" + "0" * 15, None)
    assert assigned["T" + "0" * 15].family == family


def world(rng: random.Random, scopes: str = "TUV") -> tuple[dict[str, Template], list[Decision]]:
    """Returns random templates with families among them, and random decisions about them."""
    shapes = [
        TEXT,
        "user {} is not in group <num>",
        "job={} ended",
        "mount {} on <path> failed",
        "no route to {} from <host>",
    ]
    names = [f"{word}-{kind}" for word in ("blue", "stone", "river") for kind in ("ash", "elm", "fir", "yew")]
    templates = {}
    for scope in scopes:
        for shape in rng.sample(shapes, 3):
            for name in rng.sample(names, rng.randint(1, 9)):
                templates[f"{rng.getrandbits(64):016x}"] = Template(scope, shape.format(name))
    keys = sorted(templates)
    decisions = []
    for number in range(1, rng.randint(1, 6)):
        some = tuple(rng.sample(keys, rng.randint(1, 3)))
        if rng.random() < 0.5:
            decisions.append(Decision(number, "merge", some, (other := rng.choice(keys),), other))
        else:
            decisions.append(Decision(number, "split", some, whole=rng.random() < 0.5))
    return templates, decisions


def shuffled(templates: Mapping[str, Template], rng: random.Random) -> dict[str, Template]:
    keys = list(templates)
    rng.shuffle(keys)
    return {key: templates[key] for key in keys}


@pytest.mark.parametrize("seed", range(25))
def test_the_order_does_not_matter(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    if seed % 2:
        monkeypatch.setattr(assignment, "MAX_TEMPLATES", 5)
    templates, decisions = world(rng)
    first = assign(templates, decisions)
    assert seed % 2 or any(one.family for one in first.values()), "there are families"
    for _ in range(5):
        assert assign(shuffled(templates, rng), decisions) == first
    for scope in "TUV":  # alone, as the database computes it
        own = {key: one for key, one in templates.items() if one.scope == scope}
        assert assign(own) == {key: one for key, one in assign(templates).items() if key in own}


@pytest.mark.parametrize("seed", range(25))
def test_what_was_set_apart_never_comes_back(seed: int) -> None:
    """Until the decision is undone, whatever templates come."""
    rng = random.Random(seed)
    templates, _ = world(rng, "TU")  # all are assigned again after each one that comes
    more, _ = world(rng, "TU")
    apart = rng.sample(sorted(templates), 3)
    known: dict[str, Template] = {}
    for key, template in shuffled(templates | more, rng).items():
        known[key] = template
        ids = {
            one: assigned.pattern_id for one, assigned in assign(known, [Decision(1, "split", tuple(apart))]).items()
        }
        for one in apart:
            assert [other for other, id_ in ids.items() if id_ == one] == [one] * (one in known)
    assert assign(known) != assign(known, [Decision(1, "split", tuple(apart))]) or all(
        assign(known)[one].pattern_id == one for one in apart
    )


def test_beyond_the_limit_templates_join_the_families_that_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignment, "MAX_TEMPLATES", 6)
    texts = {f"{number:016x}": TEXT.format(name) for number, name in enumerate(NAMES)}
    more = {f"f{number:015x}": TEXT.format("z" + "oi"[number % 2] * number) for number in range(20)}
    found = grouped(texts | more | {"f" * 16: "something else"})
    assert {family.template for family in found.values()} == {families(texts.values())[TEXT.format(NAMES[0])].template}
    assert set(found) == {*texts, *more}


class Hashed(str):
    """A fingerprint that counts how often any was looked up or put into a set."""

    count = 0

    def __hash__(self) -> int:
        Hashed.count += 1
        return super().__hash__()


def test_the_work_for_templates_beyond_the_limit_is_linear() -> None:
    """A scope may have 100,000 templates; for each, a set of 2,000 would be built."""
    texts = {Hashed(f"{number:016x}"): f"{'ab'[number % 2] * (number % 50 + 1)} {number}" for number in range(5_000)}
    Hashed.count = 0
    grouped(texts)
    assert len(texts) <= Hashed.count <= 10 * len(texts)
