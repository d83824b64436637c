"""The folder of a user's own sounds is checked when the service starts."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from exporter.http import sounds_folder
from exporter.http.pages import sounds_folder as own_sounds
from exporter.http.sounds_folder import NAMES, SoundsFolderError, check, is_audio

pytestmark = pytest.mark.sound
MP3 = (own_sounds() / "error-critical.mp3").read_bytes()


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (MP3, True), (b"ID3\x04", True), (b"RIFF____WAVE", True), (b"OggS", True), (b"fLaC", True), (b"\0\0\0\x20ftypM4A ", True),
        (b"\xff\xfb\x90\x00", True), (b"<!doctype html>", False), (b"my own", False), (b"\xff", False), (b"\0", False),
        (b"\xff\xd8\xff\xe0 a JPEG", False), (b"\xff\xfe\x00a UTF-16 text", False), (b"\xff\xff\xff\xff", False),
        (b"\x89PNG", False), (b"PK\3\4", False), (b"version https://git-lfs.github.com/spec/v1", False),
    ],
)  # fmt: skip
def test_what_is_audio(head: bytes, expected: bool) -> None:
    assert is_audio(head) is expected


def test_the_sounds_of_the_service_are_sounds() -> None:
    assert check(str(own_sounds())) == []
    assert {file.name for file in own_sounds().glob("*.mp3")} == set(NAMES)
    assert check("") == []


@pytest.mark.parametrize(("name", "what"), [("missing", "does not exist"), ("file", "is not a folder")])
def test_a_folder_that_is_not_there(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SoundsFolderError) as raised:
        check(str(tmp_path / name))
    assert str(raised.value) == f"sounds_dir: {tmp_path / name} {what}; create it, or leave the setting out"


def test_each_file_that_is_no_sound_is_named(tmp_path: Path) -> None:
    (tmp_path / "error-critical.mp3").write_bytes(b"")
    (tmp_path / "error-warning.mp3").write_bytes(b"<html>404</html>")
    (tmp_path / "error-info.mp3").mkdir()
    os.mkfifo(tmp_path / "error-system-critical.mp3")
    (tmp_path / "error-recovered.mp3").write_bytes(MP3)
    (tmp_path / "eror-critical.MP3").write_bytes(MP3)
    instead = "the page plays error-notification.mp3 instead"
    assert check(str(tmp_path)) == [
        f"sounds_dir: {tmp_path}/error-system-critical.mp3 is not a file; {instead}",
        f"sounds_dir: {tmp_path}/error-critical.mp3 is empty; {instead}",
        f"sounds_dir: {tmp_path}/error-warning.mp3 is not an audio file; {instead}",
        f"sounds_dir: {tmp_path}/error-info.mp3 is not a file; {instead}",
        f"sounds_dir: the page does not play eror-critical.MP3; its sounds are {', '.join(NAMES)}",
    ]


def test_sounds_are_found_among_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds_folder, "MOST_FILES", 2)
    for name in ("a", "b", "c", "error-info.mp3"):
        (tmp_path / name).write_bytes(MP3)
    monkeypatch.setattr(
        sounds_folder.os, "scandir", lambda _: contextlib.nullcontext(iter([Path("a"), Path("b"), Path("c")]))
    )
    assert check(str(tmp_path)) == []


def test_a_folder_without_sounds_and_one_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(str(tmp_path)) == [
        f"sounds_dir: {tmp_path} has none of the sounds of the page; it plays those of the service"
    ]

    def denied(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sounds_folder.os, "scandir", denied)
    assert check(str(tmp_path)) == [
        f"sounds_dir: {tmp_path} cannot be read (Permission denied); the page plays the sounds of the service"
    ]


@pytest.mark.parametrize(("name", "status", "said"), [("missing", 2, "does not exist"), ("", 0, "is empty")])
def test_only_a_missing_folder_ends_the_start(tmp_path: Path, name: str, status: int, said: str) -> None:
    (tmp_path / "error-info.mp3").write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "serve", "--check-config", "--sounds-dir", str(tmp_path / name)],
        capture_output=True, text=True, check=False, cwd=ROOT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
