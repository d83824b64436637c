"""Where the spool cannot be: a disk that is full, hangs or is not there hurts no caller, and the next place is used."""

import errno
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import error_visualization
import pytest
from error_visualization import api, segment
from error_visualization.reporter import Reporter
from recording import Recording, recording
from small_disk import needs_small_disk, small_disk

pytestmark = pytest.mark.dashboard


@pytest.fixture
def two_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, Path]:
    """The user's state folder and the folder for temporary files, without a chosen spool."""
    state, temporary = tmp_path / "state", tmp_path / "temporary"
    state.mkdir()
    temporary.mkdir()
    monkeypatch.delenv("ERROR_VISUALIZATION_SPOOL", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return state, temporary


def files(folder: Path) -> int:
    return len(list(folder.rglob("*.spool")))


def left_by_a_dead_process(url: str, message: str) -> None:
    code = f"import os; from error_visualization import Reporter; r = Reporter({url!r}, block=20); "
    code += f"os._exit(not r.report({{'message': {message!r}}}))"
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)


@needs_small_disk
def test_a_full_disk_is_left_for_the_next_place(two_places: tuple[Path, Path]) -> None:
    state, temporary = two_places
    with recording(started=False) as service, small_disk(state, 2**20) as disk:
        reporter = Reporter(service.url, block=20)
        assert reporter.report({"message": "before"})
        assert (files(state), files(temporary)) == (1, 0)
        disk.fill()
        assert reporter.report({"message": "x" * 100_000})
        assert (files(state), files(temporary)) == (1, 1)
        assert reporter.report({"message": "after"})
        service.start()
        assert reporter.flush(10)
        assert [str(message)[:6] for message in service.messages] == ["before", "xxxxxx", "after"]
        reporter.close(0)


def test_a_file_system_without_locks_is_left_for_the_next_place(
    two_places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    state, temporary = two_places
    lock = segment.fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        if state in Path(f"/proc/self/fd/{descriptor}").resolve().parents:
            raise OSError(errno.ENOLCK, "No locks available")
        lock(descriptor, operation)

    monkeypatch.setattr(segment.fcntl, "flock", flock)
    with recording() as service:
        reporter = Reporter(service.url, block=20)
        assert reporter.report({"message": "one"})
        assert (files(state), files(temporary)) == (0, 1)
        assert not list(state.rglob("*.new"))
        reporter.close(1)


def test_what_was_left_in_the_second_place_is_adopted_when_the_first_can_be_used_again(
    two_places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with recording(started=False) as service:
        with monkeypatch.context() as patch:
            patch.setenv("XDG_STATE_HOME", "/proc/none")
            left_by_a_dead_process(service.url, "in the second place")
        left_by_a_dead_process(service.url, "in the first place")
        assert [files(folder) for folder in two_places] == [1, 1]
        service.start()
        reporter = Reporter(service.url, block=20)
        assert reporter.flush(10)
        assert service.messages == ["in the second place", "in the first place"]
        reporter.close(0)


def test_files_in_a_folder_that_others_may_write_to_are_not_sent(two_places: tuple[Path, Path]) -> None:
    with recording(started=False) as service:
        left_by_a_dead_process(service.url, "planted")
        (planted,) = two_places[0].rglob("*.spool")
        planted.parent.chmod(0o777)
        service.start()
        reporter = Reporter(service.url, block=20)
        assert reporter.report({"message": "own"})
        assert reporter.flush(10)
        assert service.messages == ["own"]
        reporter.close(0)


def test_without_any_folder_nothing_is_raised_and_reports_are_delivered(
    service: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_folder() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.delenv("ERROR_VISUALIZATION_SPOOL", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/none")
    monkeypatch.setattr(tempfile, "gettempdir", no_folder)
    monkeypatch.setattr(api, "_current", None)
    reporter = error_visualization.init(service.url, block=10, hooks=False)
    assert reporter.report({"message": "from memory"})  # stored
    reporter.close(1)
    assert service.messages == ["from memory"]


@pytest.mark.parametrize("how", ["close", "flush"])
def test_a_disk_that_hangs_keeps_nobody_longer_than_the_timeout(
    service: Recording, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush, disk = segment._flush, threading.Event()
    reporter = Reporter(service.url, block=20)
    assert reporter.report({"message": "one"})
    reporter.block = 0.05
    monkeypatch.setattr(segment, "_flush", lambda descriptor: (disk.wait(10), flush(descriptor)))
    assert not reporter.report({"message": "two"})
    began = time.monotonic()
    getattr(reporter, how)(0.3)
    assert time.monotonic() - began < 2
    disk.set()
    assert reporter.flush(10)
    assert service.messages == ["one", "two"]
    reporter.close(1)


@pytest.fixture
def service() -> Any:
    with recording() as service:
        yield service
