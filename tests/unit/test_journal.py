"""The files of the journal: what was appended is read back, once, whatever a crash leaves behind it."""

import os
from pathlib import Path

import pytest

from exporter.store import StoreError
from exporter.store import journal as module
from exporter.store.journal import JournalFile

pytestmark = pytest.mark.dashboard


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.0"


def written(path: Path, *turns: list[bytes]) -> JournalFile:
    """A file with these turns behind it; the last is not cleared."""
    file = JournalFile(path)
    for number, payloads in enumerate(turns):
        if number:
            file.clear()
        for payload in payloads:
            file.append(payload)
    return file


def read(path: Path) -> list[bytes]:
    return list(JournalFile(path).frames())


def test_what_was_appended_is_read_in_its_order(path: Path) -> None:
    written(path, [b"one", b"two" * 50_000, b"three"])
    assert read(path) == [b"one", b"two" * 50_000, b"three"]


@pytest.mark.parametrize("content", [b"", bytes(5), bytes(4_096)])
def test_a_file_that_was_never_written_is_empty(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert read(path) == []


def test_of_earlier_turns_nothing_is_read(path: Path) -> None:
    """Frames of the same lengths: the end of the new turn meets the beginning of an old frame exactly."""
    written(path, [b"old-1", b"old-2", b"old-3"], [b"new-1"])
    assert read(path) == [b"new-1"]
    assert b"old-3" in path.read_bytes()


def test_a_cleared_file_is_empty(path: Path) -> None:
    written(path, [b"old-1", b"old-2"], [])
    assert read(path) == []


def test_the_blocks_are_written_over_and_only_so_many_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(path, [b"x" * 1_000] * 10)
    size = path.stat().st_size
    for _ in range(3):
        file.clear()
        file.append(b"x" * 1_000)
        assert path.stat().st_size == size
    monkeypatch.setattr(module, "MAX_KEPT", size - 1)
    file.clear()
    assert path.stat().st_size < 100
    file.append(b"one")
    assert read(path) == [b"one"]


@pytest.mark.parametrize("cut", range(1, 24))
def test_a_torn_frame_is_dropped(path: Path, cut: int) -> None:
    """Cut off at the end of the file, or the end of it not written over what was there before."""
    written(path, [b"one", b"second"])
    os.truncate(path, path.stat().st_size - cut)
    assert read(path) == ([b"one"] if cut <= len(b"second") + 16 else [])
    path.unlink()
    written(path, [b"o-1", b"older2", b"older3"], [b"one", b"second"])
    content = bytearray(path.read_bytes())
    end = content.index(b"second") + len(b"second")
    content[end - cut : end] = bytes(cut)
    path.write_bytes(content)
    assert read(path) == ([b"one"] if cut <= len(b"second") + 16 else [])


def test_a_torn_frame_is_written_over(path: Path) -> None:
    written(path, [b"one", b"second"])
    os.truncate(path, path.stat().st_size - 2)
    file = JournalFile(path)
    assert list(file.frames()) == [b"one"]
    file.clear()
    file.append(b"three")
    assert read(path) == [b"three"]


@pytest.mark.parametrize("place", [12, 20, 24, 28, 30])
def test_damage_before_whole_frames_is_told(path: Path, place: int) -> None:
    written(path, [b"one", b"two", b"three"])
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged at byte 12; restore it from a backup"):
        read(path)


def test_damage_of_the_beginning_is_told(path: Path) -> None:
    written(path, [b"one"])
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged at byte 0"):
        read(path)


def test_what_could_not_be_cleared_is_cleared_before_the_next_batch(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(path, [b"old"])
    sync = os.fdatasync

    def fails(handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fails)
    with pytest.raises(OSError, match="Input/output"):
        file.clear()
    with pytest.raises(StoreError, match="Input/output"):
        file.append(b"refused")
    monkeypatch.setattr(os, "fdatasync", sync)
    file.append(b"new")
    assert read(path) == [b"new"]
