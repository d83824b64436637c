"""Which fingerprints are kept when there are more than the bound."""

import pytest

from exporter.ingest import known_fingerprints as module
from exporter.ingest.known_fingerprints import MAX_AGAIN, MAX_ONCE, KnownFingerprints

pytestmark = pytest.mark.dashboard


def test_a_flood_of_fingerprints_that_are_seen_once_evicts_none_that_keeps_coming() -> None:
    known = KnownFingerprints()
    for number in range(1_000):
        known.add(f"steady{number}", "id")
        assert known.see(f"steady{number}") == "id"
    for number in range(3 * (MAX_ONCE + MAX_AGAIN)):
        assert known.see(f"once{number}") is None
        known.add(f"once{number}", "other")
        assert len(known) <= MAX_ONCE + 1_000
    assert [known.see(f"steady{number}") for number in range(1_000)] == ["id"] * 1_000
    assert known.see("once0") is None
    assert known.see(f"once{3 * (MAX_ONCE + MAX_AGAIN) - MAX_ONCE // 2}") == "other"


def test_of_those_that_were_seen_again_the_ones_used_lately_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_AGAIN", 20)
    known = KnownFingerprints()
    for number in range(1_000):
        known.add(str(number), "id", again=True)
        assert known.see("0") == "id"
        assert len(known) <= 20
    kept = {one for one, _ in known.items()}
    assert {str(number) for number in range(991, 1_000)} < kept


def test_a_fingerprint_is_in_one_place_only() -> None:
    known = KnownFingerprints()
    known.add("a", "1")
    known.add("b", "2", again=True)
    assert (known.get("a"), known.get("b"), known.get("c")) == ("1", "2", None)
    assert known.see("a") == "1"
    for one in "abc":
        known.replace(one, one.upper())
    assert dict(known.items()) == {"a": "A", "b": "B"}
    assert len(known) == 2
    known.pop("a")
    known.pop("c")
    assert dict(known.items()) == {"b": "B"}
