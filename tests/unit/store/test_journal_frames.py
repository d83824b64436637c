"""The journal files of earlier releases: every whole frame is read once, and damage is never taken for an end."""

import os
import zlib
from pathlib import Path
from struct import pack

import pytest

from exporter.store import StoreError
from exporter.store.journal_upgrade import frames

pytestmark = pytest.mark.dashboard
HEADER = 12
FRAME_HEADER = 16


def journal(mark: bytes, *payloads: bytes) -> bytes:
    """A journal file of one turn, as earlier releases wrote it."""
    content = mark + pack("!I", zlib.crc32(mark))
    for payload in payloads:
        content += mark + pack("!II", len(payload), zlib.crc32(payload)) + payload
    return content


def over(older: bytes, newer: bytes) -> bytes:
    """A file whose older turn was written over by a newer one."""
    return newer + older[len(newer) :]


OLD = b"old-mark"
MARK = b"\x91mark\x00\xff!"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "errors.duckdb.journal.0"


def read(path: Path, content: bytes) -> list[bytes]:
    path.write_bytes(content)
    return list(frames(path))


def test_frames_are_read_in_their_order(path: Path) -> None:
    assert read(path, journal(MARK, b"one", b"two" * 50_000, b"three")) == [b"one", b"two" * 50_000, b"three"]


@pytest.mark.parametrize("content", [b"", bytes(5), bytes(4_096), journal(MARK)])
def test_a_file_without_frames_is_empty(path: Path, content: bytes) -> None:
    assert read(path, content) == []


def test_frames_of_earlier_turns_are_ignored(path: Path) -> None:
    """Frames of the same lengths: the end of the new turn meets the beginning of an old frame exactly."""
    content = over(journal(OLD, b"old-1", b"old-2", b"old-3"), journal(MARK, b"new-1"))
    assert b"old-3" in content
    assert read(path, content) == [b"new-1"]
    assert read(path, over(journal(OLD, b"old-1", b"old-2"), journal(MARK))) == []


def test_zeros_after_the_last_frame_are_its_end(path: Path) -> None:
    assert read(path, journal(MARK, b"one", b"two") + bytes(4_096)) == [b"one", b"two"]


@pytest.mark.parametrize("cut", range(1, FRAME_HEADER + len(b"second") + 2))
def test_a_torn_last_frame_is_left_out(path: Path, cut: int) -> None:
    """Cut off at the end of the file, or the end of it not written over what was there before."""
    expected = [b"one"] if cut <= len(b"second") + FRAME_HEADER else []
    content = journal(MARK, b"one", b"second")
    path.write_bytes(content)
    os.truncate(path, len(content) - cut)
    assert list(frames(path)) == expected
    older = journal(OLD, b"o-1", b"older2", b"older3")
    assert read(path, over(older, content[:-cut] + bytes(cut))) == expected


@pytest.mark.parametrize("place", [12, 20, 24, 28, 30])
def test_damage_before_whole_frames_is_reported(path: Path, place: int) -> None:
    content = bytearray(journal(MARK, b"one", b"two", b"three"))
    content[place] ^= 1
    with pytest.raises(StoreError, match=f"{path} is damaged at byte 12; restore it from a backup"):
        read(path, bytes(content))


@pytest.mark.parametrize("place", [0, 3, 8, 11])
def test_damage_of_the_mark_is_reported(path: Path, place: int) -> None:
    content = bytearray(journal(MARK, b"one"))
    content[place] ^= 1
    with pytest.raises(StoreError, match="is damaged at byte 0"):
        read(path, bytes(content))


@pytest.mark.parametrize("size", range(1, HEADER))
def test_a_file_that_is_cut_within_its_mark_is_damaged(path: Path, size: int) -> None:
    with pytest.raises(StoreError, match="is damaged at byte 0"):
        read(path, journal(MARK, b"one")[:size])
