"""Which templates become one family, and which never do."""

import pytest

from exporter.patterns.families import families, family_of, why_apart

pytestmark = pytest.mark.dashboard

USERS = ["alice", "bob", "carol", "dave", "erin", "frank"]


def test_the_names_of_users_become_a_variable() -> None:
    texts = [f"Cannot log in user {user} from <ip>" for user in USERS]
    found = families(texts)
    assert set(found) == set(texts)
    family = found[texts[0]]
    assert family.template == "Cannot log in user <*> from <ip>"
    assert family.members == tuple(sorted(texts))
    assert family.values == (tuple(USERS),)
    assert "6" in family.reason


def test_a_new_template_fits_a_family_by_its_fixed_words() -> None:
    family = families([f"Cannot log in user {user} from <ip>" for user in USERS])["Cannot log in user bob from <ip>"]
    assert family_of("Cannot log in user zoe from <ip>", [family]) == family
    assert family_of("Cannot log in user failed from <ip>", [family]) is None
    assert family_of("Cannot log out user zoe from <ip>", [family]) is None


def test_words_with_a_meaning_are_named() -> None:
    assert "“opened”" in why_apart("session opened", "session closed")
