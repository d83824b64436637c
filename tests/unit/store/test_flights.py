"""Equal reads are computed once, and no answer is older than its request."""

import asyncio
from typing import Any

import pytest
from conftest import eventually

from exporter.store import StoreError
from exporter.store import flights as module
from exporter.store.answers import KEPT_SECONDS, Answer, Version
from exporter.store.flights import Flights

pytestmark = pytest.mark.dashboard


class Asked:
    """A database whose answers the test gives. `asked` are the reads that were sent: (payload, at, future answer)."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, int, asyncio.Future[bytes]]] = []
        self.cancelled = 0

    async def __call__(self, payload: bytes, at: int) -> bytes:
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.asked.append((payload, at, future))
        try:
            return await future
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def sent(self) -> list[tuple[bytes, int]]:
        return [(payload, at) for payload, at, _ in self.asked]

    def answer(self, number: int, result: bytes | Exception) -> None:
        future = self.asked[number][2]
        future.set_exception(result) if isinstance(result, Exception) else future.set_result(result)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def _no_gathering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GATHERING", 0.0)


@pytest.fixture
def database() -> Asked:
    return Asked()


class Requests:
    """Requests for reads. `join(at)` comes when the log ends at `at`, and returns the JSON of its answer."""

    def __init__(self, database: Asked) -> None:
        self.version = Version(0, 0)
        self.flights = Flights(database, lambda: self.version)

    def __call__(
        self, at: int, payload: bytes = b"now", key: bytes = b"k", *, keep: bool = False, max_age: float = 0.0
    ) -> "asyncio.Task[bytes]":
        self.version = Version(self.version.generation, at)

        async def json() -> bytes:
            return (await self.flights.join(key, payload, keep=keep, max_age=max_age)).json

        return asyncio.create_task(json())

    def change(self) -> None:
        """Changes data without a new event."""
        self.version = Version(self.version.generation + 1, self.version.position)


@pytest.fixture
def join(database: Asked) -> Requests:
    return Requests(database)


def empty(join: Any) -> bool:
    return not join.flights._running and not join.flights._next


async def test_equal_reads_are_computed_once(database: Asked, join: Any) -> None:
    requests = [join(5, b"first"), join(5, b"second"), join(5, b"third")]
    await settle()
    assert database.sent() == [(b"third", 5)]
    database.answer(0, b"result")
    assert await asyncio.gather(*requests) == [b"result"] * 3
    assert empty(join)


async def test_other_reads_are_computed_beside(database: Asked, join: Any) -> None:
    requests = [join(5, key=b"a"), join(5, key=b"b")]
    await settle()
    assert len(database.asked) == 2
    database.answer(1, b"of b")
    database.answer(0, b"of a")
    assert await asyncio.gather(*requests) == [b"of a", b"of b"]


async def test_too_many_different_reads_are_refused(database: Asked, join: Any) -> None:
    join.flights = Flights(database, lambda: join.version, most=3)
    requests = [join(5, key=b"%d" % number) for number in range(3)]
    await settle()
    with pytest.raises(StoreError, match="3 other reads wait for the database"):
        await join(5, key=b"another")
    joined = join(5, key=b"0")
    await settle()
    next_one = join(6, key=b"0")
    await settle()
    assert len(database.asked) == 3
    for number in range(3):
        database.answer(number, b"result")
    assert await asyncio.gather(*requests, joined) == [b"result"] * 4
    await settle()
    database.answer(3, b"next")
    assert await next_one == b"next"
    another = join(5, key=b"another")
    await settle()
    database.answer(4, b"another")
    assert await another == b"another"
    assert empty(join)


async def test_only_an_answer_that_is_asked_for_so_is_kept(database: Asked, join: Any) -> None:
    for number in range(2):
        request = join(5)
        await settle()
        database.answer(number, b"%d" % number)
        assert await request == b"%d" % number
    kept = join(5, keep=True)
    await settle()
    database.answer(2, b"kept")
    assert await kept == b"kept"
    again = join(5, keep=True)
    await settle()
    assert len(database.asked) == 3
    assert await again == b"kept"


async def test_a_request_never_gets_an_answer_older_than_its_position(database: Asked, join: Any) -> None:
    early, another_early = join(5, b"a"), join(5, b"b")
    await settle()
    late = []
    for at in (6, 7, 9):
        late.append(join(at, b"at %d" % at))
        await settle()
    assert database.sent() == [(b"b", 5)]  # one is running, and one waits for all who came later
    database.answer(0, b"at 5")
    assert await early == await another_early == b"at 5"
    await settle()
    assert database.sent()[1:] == [(b"at 9", 9)]  # the newest parameters, the highest position
    assert not any(request.done() for request in late)
    later = join(10)
    await settle()
    assert len(database.asked) == 2
    database.answer(1, b"at 9")
    assert await asyncio.gather(*late) == [b"at 9"] * 3
    await settle()
    database.answer(2, b"at 10")
    assert await later == b"at 10"
    assert empty(join)


async def test_a_request_that_takes_an_old_answer_joins_a_read_that_began_before(database: Asked, join: Any) -> None:
    early = join(5, keep=True)
    await settle()
    late, strict = join(6, max_age=60), join(7)
    await settle()
    database.answer(0, b"at 5")
    assert await early == await late == b"at 5"
    await settle()
    database.answer(1, b"at 7")
    assert await strict == b"at 7"
    assert await join(8, max_age=60) == b"at 5"  # only the first one was to be kept
    join.change()
    changed = join(8, max_age=60)
    await settle()
    database.answer(2, b"changed")
    assert await changed == b"changed"
    assert len(database.asked) == 3


async def test_no_request_gets_an_answer_that_is_older_than_answers_are_kept(
    database: Asked, join: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However old an answer it takes. Old answers are only dropped when another one is kept."""
    early = join(5, keep=True)
    await settle()
    database.answer(0, b"at 5")
    assert await early == b"at 5"
    monkeypatch.setattr(Answer, "age", lambda _: KEPT_SECONDS + 0.1)
    late = join(6, max_age=3_600)
    await settle()
    assert len(database.asked) == 2
    database.answer(1, b"at 6")
    assert await late == b"at 6"


@pytest.mark.parametrize("keep", [False, True])
async def test_a_request_never_gets_an_answer_from_before_a_change(database: Asked, join: Any, keep: bool) -> None:
    """Also if the change happens while the read runs, and the log stays as it is."""
    early = join(5, keep=keep)
    await settle()
    join.change()
    late = join(5, keep=keep)
    await settle()
    database.answer(0, b"before")
    assert await early == b"before"
    await settle()
    database.answer(1, b"after")
    assert await late == b"after"
    join.change()
    last = join(5, keep=keep)
    await settle()
    database.answer(2, b"after the second change")
    assert await last == b"after the second change"


async def test_a_read_sees_what_it_is_sent_with(database: Asked, join: Any) -> None:
    """Not what there was when it was asked for: a request that comes after it was sent joins it."""
    requests = [join(5)]
    await settle()
    requests.append(join(6))
    await settle()
    join.version = Version(0, 8)
    database.answer(0, b"at 5")
    await settle()
    requests.append(join(8))
    await settle()
    assert database.sent() == [(b"now", 5), (b"now", 8)]
    database.answer(1, b"at 8")
    assert await asyncio.gather(*requests) == [b"at 5", b"at 8", b"at 8"]


async def test_readers_of_one_answer_ask_again_together(
    database: Asked, join: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events arrive between their requests. The first read of the next round waits for the other readers."""
    monkeypatch.setattr(module, "GATHERING", 1e9)
    monkeypatch.setattr(module, "MAX_GATHERING_SECONDS", 0.05)
    requests = [join(5, keep=True), join(5, keep=True)]
    await settle()
    database.answer(0, b"first")
    await asyncio.gather(*requests)
    requests = [join(6, b"a", keep=True)]
    await settle()
    requests.append(join(7, b"b", keep=True))
    await settle()
    assert len(database.asked) == 1
    await eventually(lambda: len(database.asked) == 2)
    assert database.sent()[1:] == [(b"b", 7)]
    database.answer(1, b"second")
    assert await asyncio.gather(*requests) == [b"second"] * 2


async def test_a_single_reader_waits_for_nobody(database: Asked, join: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GATHERING", 1e9)
    for number in range(3):
        request = join(number, keep=True)
        await settle()
        database.answer(number, b"answer")
        await request


async def test_a_read_that_gathers_is_cancelled_with_its_last_request(
    database: Asked, join: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GATHERING", 1e9)
    requests = [join(5, keep=True), join(5, keep=True)]
    await settle()
    database.answer(0, b"first")
    await asyncio.gather(*requests)
    request = join(6, keep=True)
    await settle()
    request.cancel()
    await settle()
    assert len(database.asked) == 1
    assert empty(join)


async def test_a_read_that_is_cancelled_before_it_has_begun_is_forgotten(database: Asked, join: Any) -> None:
    """Its only request goes in the very moment in which the read before it ends."""
    early = join(5)
    await settle()
    late = join(6)
    await settle()
    database.answer(0, b"at 5")
    late.cancel()
    assert await early == b"at 5"
    await settle()
    assert late.cancelled()
    assert len(database.asked) == 1
    assert empty(join)


async def test_a_failure_is_raised_for_all_and_the_next_read_is_tried(database: Asked, join: Any) -> None:
    requests = [join(5), join(5)]
    await settle()
    late = join(6)
    await settle()
    database.answer(0, StoreError("the database is gone"))
    for request in requests:
        with pytest.raises(StoreError, match="is gone"):
            await request
    await settle()
    database.answer(1, b"back")
    assert await late == b"back"
    assert empty(join)


async def test_a_read_goes_on_as_long_as_one_request_waits(database: Asked, join: Any) -> None:
    first, second = join(5), join(5)
    await settle()
    first.cancel()
    await settle()
    assert database.cancelled == 0
    database.answer(0, b"result")
    assert await second == b"result"


async def test_a_read_that_nobody_waits_for_is_cancelled(database: Asked, join: Any) -> None:
    requests = [join(5), join(5)]
    await settle()
    for request in requests:
        request.cancel()
    await settle()
    assert database.cancelled == 1
    assert empty(join)


async def test_a_new_request_does_not_join_a_cancelled_read(database: Asked, join: Any) -> None:
    """Also at the very moment of the cancellation, while the read has not ended yet."""
    first = join(5)
    await settle()
    first.cancel()
    await asyncio.sleep(0)  # the request is gone, its read is about to be cancelled
    new = join(5, b"new")
    await settle()
    assert database.sent() == [(b"now", 5), (b"new", 5)]
    database.answer(1, b"result")
    assert await new == b"result"
    assert empty(join)


@pytest.mark.parametrize("turns", range(6))
async def test_a_request_is_answered_whenever_the_other_leaves(database: Asked, join: Any, turns: int) -> None:
    first = join(5)
    for _ in range(turns):
        await asyncio.sleep(0)
    first.cancel()
    second, third = join(5), join(6)
    for _ in range(20):
        await settle()
        for _, _, future in database.asked:
            if not future.done():
                future.set_result(b"result")
    assert await asyncio.wait_for(asyncio.gather(second, third), 1) == [b"result"] * 2
    assert empty(join)


async def test_those_who_wait_for_the_next_read_get_it_when_the_running_one_is_cancelled(
    database: Asked, join: Any
) -> None:
    first = join(5)
    await settle()
    second = join(6, b"second")
    await settle()
    first.cancel()
    await settle()
    assert database.sent() == [(b"now", 5), (b"second", 6)]
    database.answer(1, b"result")
    assert await second == b"result"


async def test_a_next_read_that_nobody_waits_for_is_not_sent(database: Asked, join: Any) -> None:
    first = join(5)
    await settle()
    second = join(6)
    await settle()
    second.cancel()
    await settle()
    database.answer(0, b"result")
    assert await first == b"result"
    await settle()
    assert len(database.asked) == 1
    assert empty(join)
