"""Which templates become one family, and which never do. The samples are made up."""

import pytest
from templates import APART, ONE, UNKNOWN, USERS

from exporter.patterns.families import (
    MAX_VALUES,
    KnownFamilies,
    families,
    representatives,
    why_apart,
)

pytestmark = pytest.mark.dashboard


@pytest.mark.parametrize("kind", ONE)
def test_values_become_a_variable(kind: str) -> None:
    template, values = ONE[kind]
    texts = [template.format(*row) for row in zip(*values, strict=True)]
    found = families(texts)
    assert set(found) == set(texts)
    assert len(set(found.values())) == 1
    assert found[texts[0]].template == template.format(*["<*>"] * len(values))


@pytest.mark.parametrize("kind", APART)
def test_words_with_a_meaning_stay_apart(kind: str) -> None:
    template, words = APART[kind]
    assert families([template.format(word) for word in words.split()]) == {}


@pytest.mark.parametrize("kind", [kind for kind in APART if kind not in UNKNOWN])
def test_words_with_a_meaning_stay_apart_beside_a_family(kind: str) -> None:
    """Also when many names in the same place form a family."""
    template, words = APART[kind]
    meant = [template.format(word) for word in words.split()]
    found = families([*meant, *(template.format(f"name.{user}") for user in USERS)])
    ids = [found[text].template if text in found else text for text in meant]
    assert len(set(ids)) == len(meant)


def test_a_family_explains_itself() -> None:
    texts = [f"Cannot log in user {user} from <*>" for user in USERS]
    family = families(texts)[texts[0]]
    assert family.members == tuple(sorted(texts))
    assert family.values == (tuple(USERS),)
    assert "6" in family.reason
    many = families([f"unknown user name{letter}" + " in the list" for letter in "abcdefghijklmnopqrstuvwxyz"])
    assert len(next(iter(many.values())).values[0]) == MAX_VALUES


def test_words_that_stand_after_the_same_noun_elsewhere_count_twice() -> None:
    few = ["alice", "bob", "carol"]
    opened = [f"session opened for user {user} by <*>" for user in few]
    closed = [f"session closed for user {user}" for user in few]
    assert families(opened) == families(closed) == {}
    assert len(set(families(opened + closed).values())) == 2


def test_words_that_are_values_elsewhere_count_twice() -> None:
    few = [f"no key of {user} was found" for user in USERS[:3]]
    assert families(few) == {}
    assert set(few) <= set(families([*few, *(f"greeting {user} at port <*>" for user in USERS)]))


def test_in_quotes_words_are_names() -> None:
    names = ["staging", "update", "nightly", "billing", "east"]
    assert families([f"no queue {name} on this host" for name in names]) == {}
    assert len(families([f"no queue '{name}' on this host" for name in names])) == 5


def test_of_two_places_both_must_vary() -> None:
    assert (
        families([f"for user {user} the {('cache', 'disk')[at % 2]} is small" for at, user in enumerate(USERS)]) == {}
    )


def test_a_path_and_its_end_are_one() -> None:
    assert len(families(["fault at src/a.cu:<*> in block <*>", "fault at a.cu:<*> in block <*>"])) == 2
    assert families([f"fault at {file} in block <*>" for file in ("api/run.cu", "web/run.cu")]) == {}


def test_a_key_is_a_name() -> None:
    assert families([f"set app.{key}=<*> at start" for key in ("home", "arch", "user", "shell", "path", "lang")]) == {}


def test_a_family_needs_few_members_to_judge_new_templates() -> None:
    texts = [f"login of {user} on <*> by {user}" for user in USERS]
    family = families(texts)[texts[0]]
    small = representatives(family)
    assert len(small.members) < len(family.members)
    for text in ("login of zoe on <*> by zoe", "login of zoe on gw by zoe", "login of lost on <*> by zoe"):
        assert (KnownFamilies([family]).family_of(text) is None) == (KnownFamilies([small]).family_of(text) is None)


def test_a_new_template_fits_a_family_by_its_fixed_words() -> None:
    family = families([f"Cannot log in user {user} from <*>" for user in USERS])["Cannot log in user bob from <*>"]
    assert KnownFamilies([family]).family_of("Cannot log in user zoe from <*>") == family
    for other in ("user failed from <*>", "user zoe from home", "user from <*>", "user zoe kay from <*>"):
        assert KnownFamilies([family]).family_of(f"Cannot log in {other}") is None


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("session opened", "session closed", "“opened”"),
        ("a b of d e", "a b c d e", "“of”"),
        ("a b c d", "a b d", "has “c” where the other has “nothing”"),
        ("lion red tall sits", "tiger blue wide sits", "3 places"),
        ("user lion found here", "user puma found here", "Too few"),
        ("nginx went away", "redis went away", "first word"),
        ("same", "same", "type or frame"),
    ],
)
def test_why_two_are_not_one(one: str, other: str, why: str) -> None:
    assert why in why_apart(one, other)
    assert why_apart(one, other).endswith(".")
