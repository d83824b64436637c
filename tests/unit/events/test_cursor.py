"""The cursor of a page comes back as the position that it was made from."""

import datetime as dt

import pytest

from exporter.events.cursor import (
    Place,
    Rank,
    cursor_after,
    parse_cursor,
    parse_place,
    parse_rank,
    place_cursor,
    rank_cursor,
)

pytestmark = pytest.mark.dashboard


@pytest.mark.parametrize("year", [1066, 1969, 1970, 2026, 9999])
@pytest.mark.parametrize("micros", [0, 1, 456_789, 999_999])
def test_a_cursor_comes_back(year: int, micros: int) -> None:
    moment = dt.datetime(year, 10, 14, 1, 2, 3, micros)
    assert parse_cursor(cursor_after(moment, 7)) == (moment, 7)


def test_a_time_with_an_offset_is_meant_as_it_says() -> None:
    moment = dt.datetime(2026, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert parse_cursor(cursor_after(moment, 1)).timestamp == dt.datetime(2025, 12, 31, 23)


@pytest.mark.parametrize("text", ["", "x", "1", "1.", ".1", "1.x", "1.0", "1.-1", f"1.{2**63}", f"{10**30}.1", "1.1.1"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor of this service"):
        parse_cursor(text)


@pytest.mark.parametrize("pattern_id", ["f" * 16, "a.b.c", ".", "1"])
def test_a_cursor_of_patterns_comes_back(pattern_id: str) -> None:
    rank = Rank(7, dt.datetime(1969, 10, 14, 1, 2, 3, 4), pattern_id)
    assert parse_rank(rank_cursor(rank)) == rank


@pytest.mark.parametrize(
    "text", ["", "x", "1", "1.2", "1.2.", "x.1.f", "1.x.f", "0.1.f", f"1.{10**30}.f", f"{2**63}.1.f"]
)
def test_what_is_no_cursor_of_patterns_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor of this service"):
        parse_rank(text)


@pytest.mark.parametrize("worker", ["w1", "a.b", ".", " ", "w/1 <b>&?#\u202e😀", "100%", "\x00"])
@pytest.mark.parametrize("value", [None, 0, -7, 10**17])
def test_a_cursor_of_workers_comes_back(worker: str, value: int | None) -> None:
    cursor = place_cursor(Place(value, worker))
    assert cursor.isascii()
    assert parse_place(cursor) == Place(value, worker)


@pytest.mark.parametrize("text", ["", "x", "1", "1.", ".", "x.w", "1.a b", "1.ä", f"{10**18}.w", "1.w\n"])
def test_what_is_no_cursor_of_workers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor of this service"):
        parse_place(text)
