"""When the service ran: what its file says after stops, crashes and damage."""

import asyncio
import datetime as dt
import os
from pathlib import Path

import msgspec
import pytest
from conftest import eventually

from exporter.live import presence as module
from exporter.live.presence import MAX_PERIODS, Period, Presence, load, presence_file

pytestmark = pytest.mark.dashboard


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return presence_file(tmp_path / "errors.duckdb")


def write(path: Path, periods: list[Period], touched: float) -> None:
    path.write_bytes(msgspec.json.encode(periods))
    os.utime(path, (touched, touched))


def test_a_period_ends_when_the_file_was_touched_last(path: Path) -> None:
    write(path, [Period(100, 200), Period(300, 300)], 450)
    assert load(path, 1_000) == [Period(100, 200), Period(300, 450)]


def test_a_file_that_was_copied_later_says_no_more_than_it_can(path: Path) -> None:
    """A restored copy has the time of the copy, which may be ahead of a clock that was set back."""
    write(path, [Period(100, 200), Period(300, 300)], 2_000)
    assert load(path, 1_000) == [Period(100, 200)]


@pytest.mark.parametrize("content", [b"", b"[", b"{}", b'[["a", 1]]', b"[[1]]", b"\xff"])
def test_a_damaged_file_is_no_failure(path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(content)
    assert load(path, 1_000) == []
    assert "not known when the service ran" in caplog.text


def test_no_file_is_the_first_run(path: Path) -> None:
    assert load(path, 1_000) == []


def touched(path: Path) -> int:
    return path.stat().st_mtime_ns


async def test_the_time_between_two_runs_is_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOUCH_SECONDS", 0.01)
    write(path, [Period(100, 200)], 250)
    presence = Presence(path)
    assert presence.away is None
    await presence.start()
    assert presence.away
    assert presence.away == (dt.datetime.fromtimestamp(250, dt.UTC), presence.periods[-1].began)
    before = touched(path)
    await eventually(lambda: touched(path) > before)
    await asyncio.to_thread(path.unlink)  # somebody cleans up
    await presence.stop()
    assert load(path, presence.periods[-1].start + 60)[-1].start == presence.periods[-1].start


async def test_a_start_on_a_full_disk_is_saved_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOUCH_SECONDS", 0.01)
    write(path, [Period(100, 200)], 250)
    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        presence = Presence(path)
        await presence.start()
        await asyncio.sleep(0.05)
        assert load(path, 2e10) == [Period(100, 250)], "the period before is not prolonged"
    began = presence.periods[-1].start
    await eventually(lambda: load(path, 2e10)[-1].start == began)
    await presence.stop()
    assert [one.start for one in load(path, 2e10)] == [100, began]


async def test_the_number_of_periods_is_bounded(path: Path) -> None:
    write(path, [Period(n, n + 0.5) for n in range(500)], 500)
    presence = Presence(path)
    await presence.start()
    await presence.stop()
    assert len(load(path, 2e10)) == MAX_PERIODS
