"""Which machines are silent, and what is kept of them."""

import json
from pathlib import Path

import pytest

from exporter.events.heartbeat import Heartbeat
from exporter.live import machines
from exporter.live.machine_file import load, machine_file, save
from exporter.live.machines import Counts, MachineBook

pytestmark = pytest.mark.dashboard


def receive(book: MachineBook, name: str, now: float, interval: float | None = 15, stopping: bool = False) -> None:
    body = json.dumps({"worker_id": name}).encode()
    book.receive(Heartbeat(name, interval, stopping), body, now)


def statuses(book: MachineBook, now: float) -> dict[str, str]:
    return {machine.worker_id: machine.status for machine in book.listed(now).machines}


def test_a_machine_falls_silent_and_comes_back() -> None:
    book = MachineBook(60)
    receive(book, "a", 0)
    assert statuses(book, 60) == {"a": "heard"}
    assert statuses(book, 60.1) == {"a": "silent"}
    assert book.counts(60.1) == Counts(heard=0, silent=1, stopped=0)
    receive(book, "a", 61)
    assert statuses(book, 61) == {"a": "heard"}


def test_a_longer_interval_of_its_own_counts() -> None:
    book = MachineBook(60)
    receive(book, "slow", 0, interval=100)
    assert statuses(book, 300) == {"slow": "heard"}
    assert statuses(book, 301) == {"slow": "silent"}


def test_a_machine_that_stops_is_not_silent() -> None:
    book = MachineBook(60)
    receive(book, "a", 0, stopping=True)
    assert statuses(book, 3_600) == {"a": "stopped"}
    assert statuses(book, 3_601) == {}
    assert len(book) == 0


def test_a_silent_machine_is_forgotten_after_a_day() -> None:
    book = MachineBook(60)
    receive(book, "a", 0)
    assert book.counts(86_400).silent == 1
    assert book.counts(86_401).silent == 0
    receive(book, "b", 86_402)
    assert len(book) == 1


def test_silent_machines_come_first() -> None:
    book = MachineBook(60)
    for name, now in (("stopped", 0), ("z-silent", 0), ("a-heard", 100)):
        receive(book, name, now, stopping=name == "stopped")
    found = book.listed(100, limit=2)
    assert [machine.worker_id for machine in found.machines] == ["z-silent", "a-heard"]
    assert (found.heard, found.silent, found.stopped) == (1, 1, 1)
    assert [machine.worker_id for machine in book.listed(100, ("a-heard",)).machines] == ["a-heard"]
    assert found.machines[0].age_seconds == 100


def test_the_number_of_machines_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "MAX_MACHINES", 3)
    book = MachineBook(60)
    for number in range(5):
        receive(book, f"m{number}", number)
    receive(book, "m2", 5)
    assert sorted(statuses(book, 5)) == ["m2", "m3", "m4"]
    assert book.forgotten == 2


def test_the_bytes_of_heartbeats_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "MAX_BYTES", 100)
    book = MachineBook(60)
    for number in range(20):
        receive(book, f"m{number:02}", number)
    kept = [machine.worker_id for machine in book.listed(20).machines if machine.heartbeat is not None]
    assert len(book) == 20
    assert "m19" in kept
    assert 2 <= len(kept) <= 4


def test_the_file_brings_back_who_was_heard_when(tmp_path: Path) -> None:
    book, path = MachineBook(60), machine_file(tmp_path / "errors.duckdb")
    receive(book, "a", 1_000)
    receive(book, "b", 1_050)
    save(path, book.saved())
    later = MachineBook(60)
    receive(later, "b", 1_090)
    later.restore(load(path, 1_090))
    assert statuses(later, 1_100) == {"a": "silent", "b": "heard"}
    assert later.listed(1_100).machines[0].heartbeat is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1}', b"[]", b"\xff"])
def test_a_damaged_file_is_no_file(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "x.machines"
    path.write_bytes(content)
    assert load(path, 0) == {}
    assert "cannot be read" in caplog.text
    assert load(tmp_path / "none", 0) == {}
