"""Passwords: compared in a thread, remembered without being kept, and as slow for unknown names."""

import asyncio
import threading
from collections import Counter
from typing import Any

import bcrypt
import pytest

from exporter.access import users as module
from exporter.access.users import MAX_KEPT, MAX_WAITING, BusyError, Users

pytestmark = pytest.mark.dashboard


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()


class Compared:
    """Counts comparisons by hash, and holds them up while `go` is not set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hashes: Counter[str] = Counter()
        self.threads: set[str] = set()
        self.go = threading.Event()
        self.go.set()
        self._real = module._matches
        monkeypatch.setattr(module, "_matches", self._matches)

    def _matches(self, password: bytes, hash_: str) -> bool:
        assert self.go.wait(30)
        self.hashes[hash_] += 1
        self.threads.add(threading.current_thread().name)
        return self._real(password, hash_)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Compared:
    return Compared(monkeypatch)


ALICE, BOB = hashed("wonderland"), hashed("builder")


async def test_the_right_password_of_the_right_user() -> None:
    users = Users({"alice": ALICE, "bob": BOB, "zoë": hashed("pässwörd")})
    assert users
    assert await users.accept("alice", "wonderland")
    assert await users.accept("zoë", "pässwörd")
    for name, password in (("alice", "builder"), ("alice", ""), ("alice", "wonderland\0"), ("Alice", "wonderland"),
                           ("", ""), ("\ud800", "\udcff"), ("carol", "wonderland"), ("carol", "builder")):  # fmt: skip
        assert not await users.accept(name, password), (name, password)
    assert not Users({})
    assert not await Users({}).accept("alice", "wonderland")


async def test_a_hash_of_each_prefix_and_a_password_beyond_what_bcrypt_reads() -> None:
    long = "x" * 100
    for prefix in ("2a", "2b", "2y"):
        users = Users({"alice": f"${prefix}{hashed(long)[3:]}"})
        assert await users.accept("alice", long)
        assert not await users.accept("alice", "x" * 71)


async def test_results_are_kept_and_the_password_is_not(compared: Compared) -> None:
    users = Users({"alice": ALICE})
    for _ in range(3):
        assert await users.accept("alice", "wonderland")
        assert not await users.accept("alice", "wrong")
    assert compared.hashes == {ALICE: 2}
    assert compared.threads == {"passwords_0"}
    kept: list[Any] = [*users._accepted, *users._refused]
    assert all(isinstance(one, bytes) and len(one) == 32 for one in kept)


async def test_another_hash_makes_kept_results_useless(compared: Compared) -> None:
    users = Users({"alice": ALICE})
    assert await users.accept("alice", "wonderland")
    users.replace({"alice": BOB})
    assert not await users.accept("alice", "wonderland")
    assert await users.accept("alice", "builder")
    users.replace({"bob": BOB})
    assert not await users.accept("alice", "builder")
    users.replace({"alice": ALICE})
    assert await users.accept("alice", "wonderland")


async def test_an_unknown_name_costs_a_comparison_too(compared: Compared) -> None:
    users = Users({"alice": ALICE, "bob": BOB})
    for number in range(40):
        assert not await users.accept(f"nobody{number}", "wonderland")
    assert compared.hashes.total() == 40
    assert set(compared.hashes) == {ALICE, BOB}  # some names take as long as each of the users


async def test_equal_requests_share_a_comparison_and_others_wait_or_are_refused(compared: Compared) -> None:
    users = Users({"alice": ALICE})
    compared.go.clear()
    same = [asyncio.create_task(users.accept("alice", "wonderland")) for _ in range(200)]
    await asyncio.sleep(0)
    same[0].cancel()  # the others still get their result
    others = [asyncio.create_task(users.accept("alice", f"wrong{number}")) for number in range(MAX_WAITING - 1)]
    await asyncio.sleep(0)
    refused = asyncio.create_task(users.accept("alice", "one more"))
    await asyncio.sleep(0)
    compared.go.set()
    with pytest.raises(BusyError):
        await refused
    assert await asyncio.gather(*same[1:]) == [True] * 199
    assert await asyncio.gather(*others) == [False] * (MAX_WAITING - 1)
    assert compared.hashes.total() == MAX_WAITING
    assert not await users.accept("alice", "one more")  # there is room again


async def test_a_flood_of_wrong_passwords_displaces_no_right_one(
    compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 10)
    assert MAX_KEPT == 1_000
    users = Users({"alice": ALICE})
    assert await users.accept("alice", "wonderland")
    for number in range(30):
        assert not await users.accept("alice", f"wrong{number}")
    assert (len(users._accepted), len(users._refused)) == (1, 10)
    before = compared.hashes.total()
    assert await users.accept("alice", "wonderland")
    assert compared.hashes.total() == before


async def test_closing_drops_what_waits(compared: Compared) -> None:
    users = Users({"alice": ALICE})
    compared.go.clear()
    tasks = [asyncio.create_task(users.accept("alice", f"wrong{number}")) for number in range(5)]
    await asyncio.sleep(0)
    users.close()
    compared.go.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in done] == [False, True, True, True, True]
