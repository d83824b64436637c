"""Who tries passwords has to wait longer and longer, and nobody else has."""

import time

import pytest

from exporter.access import attempts
from exporter.access.attempts import FREE, LONGEST_SECONDS, Attempts

pytestmark = pytest.mark.dashboard


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


def fail(table: Attempts, address: str, name: str, times: int = FREE) -> None:
    for _ in range(times):
        table.failed(address, name)


def test_the_wait_doubles_up_to_a_limit(clock: Clock) -> None:
    table = Attempts()
    fail(table, "1.2.3.4", "ada", FREE - 1)
    assert table.wait("1.2.3.4", "ada") == 0
    waits = []
    for _ in range(10):
        table.failed("1.2.3.4", "ada")
        waits.append(table.wait("1.2.3.4", "ada"))
        clock.now += waits[-1]
        assert table.wait("1.2.3.4", "ada") == 0
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert waits[-1] == LONGEST_SECONDS


def test_one_address_waits_for_all_names_and_one_name_from_all_addresses(clock: Clock) -> None:
    table = Attempts()
    fail(table, "1.2.3.4", "ada")
    assert table.wait("1.2.3.4", "bob") == 1
    assert table.wait("5.6.7.8", "ada") == 1
    assert table.wait("5.6.7.8", "bob") == 0


def test_who_logged_in_from_an_address_is_not_locked_out_by_others(clock: Clock) -> None:
    table = Attempts()
    table.succeeded("9.9.9.9", "ada")
    fail(table, "1.2.3.4", "ada", 50)
    fail(table, "9.9.9.9", "bob", 50)
    assert table.wait("9.9.9.9", "ada") == 0
    fail(table, "9.9.9.9", "ada")
    assert table.wait("9.9.9.9", "ada") == 1
    assert table.wait("1.2.3.4", "ada") == 60


def test_a_login_does_not_help_who_guesses_another_name(clock: Clock) -> None:
    table = Attempts()
    fail(table, "1.2.3.4", "ada", 50)
    table.succeeded("1.2.3.4", "eve")
    assert table.wait("1.2.3.4", "ada") == 60


def test_after_a_quarter_of_an_hour_it_is_forgotten(clock: Clock) -> None:
    table = Attempts()
    fail(table, "1.2.3.4", "ada", 50)
    clock.now += attempts.FORGET_SECONDS + 1
    table.failed("1.2.3.4", "ada")
    assert table.wait("1.2.3.4", "ada") == 0


def test_the_tables_are_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MAX_KEYS", 100)
    table = Attempts()
    for number in range(1_000):
        table.failed(f"address-{number}", f"name-{number}")
        table.succeeded(f"address-{number}", f"name-{number}")
    assert len(table._wrong) <= 100
    assert len(table._wrong_addresses) <= 100
    assert len(table._succeeded) <= 100


def test_addresses_without_a_name_push_out_no_name(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MAX_KEYS", 100)
    table = Attempts()
    fail(table, "1.2.3.4", "ada")
    for number in range(1_000):
        table.failed(f"address-{number}", None)
    assert table.wait("5.6.7.8", "ada") == 1
    fail(table, "5.6.7.8", None)
    assert table.wait("5.6.7.8", "bob") == 1
