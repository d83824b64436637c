"""The folder of a user's own sounds (`sounds_dir`), looked at when the service starts."""

import os
from pathlib import Path
from typing import Final

NAMES: Final = tuple(
    f"error-{name}.mp3" for name in ("system-critical", "critical", "warning", "info", "recovered", "notification")
)
HEAD: Final = 65_536  # bytes of a file that are looked at
MOST_FILES: Final = 1_000  # entries of the folder that are looked at
MOST_NAMED: Final = 10  # files of other names that are mentioned
CONTAINERS: Final = (b"RIFF", b"OggS", b"fLaC", b"ID3")  # browsers go by the content, not by the name
INSTEAD: Final = "the page plays error-notification.mp3 instead"


class SoundsFolderError(Exception):
    """The folder of the sounds does not exist."""


def check(folder: str) -> list[str]:
    """Returns what is wrong with the files in the folder, one sentence each, and none without a folder. Raises
    `SoundsFolderError`."""
    path = Path(folder)
    if not folder:
        return []
    if not path.is_dir():
        what = "is not a folder" if path.exists() else "does not exist"
        raise SoundsFolderError(f"sounds_dir: {folder} {what}; create it, or leave the setting out")
    try:
        with os.scandir(path) as entries:
            there = sorted(entry.name for entry, _ in zip(entries, range(MOST_FILES), strict=False))
    except OSError as error:
        return [f"sounds_dir: {folder} cannot be read ({error.strerror}); the page plays the sounds of the service"]
    known = [name for name in NAMES if os.path.lexists(path / name)]  # `there` may lack them: it is bounded
    found = [f"sounds_dir: {path / name} {what}; {INSTEAD}" for name in known if (what := _fault(path / name))]
    others = [name for name in there if name.lower().endswith(".mp3") and name not in NAMES]
    if others:
        named = ", ".join(others[:MOST_NAMED]) + (", …" if len(others) > MOST_NAMED else "")
        found.append(f"sounds_dir: the page does not play {named}; its sounds are {', '.join(NAMES)}")
    if not known:
        found.append(f"sounds_dir: {folder} has none of the sounds of the page; it plays those of the service")
    return found


def _fault(file: Path) -> str:
    """Returns why a file is no sound; "" if it is one."""
    try:
        if file.exists() and not file.is_file():
            return "is not a file"  # a pipe would not open before somebody writes to it
        with file.open("rb") as opened:
            head = opened.read(HEAD)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if not head:
        return "is empty"
    return "" if is_audio(head) else "is not an audio file"


def is_audio(head: bytes) -> bool:
    """Returns whether a file begins as audio does: with the mark of a container, or with a frame of MPEG audio."""
    if head.startswith(CONTAINERS) or head[4:8] == b"ftyp":
        return True
    if len(head) < 3 or head[0] != 0xFF:
        return False
    is_aac = head[1] & 0xF6 == 0xF0
    is_mpeg = head[1] & 0xE0 == 0xE0 and head[1] & 0x18 != 0x08 and head[1] & 0x06 in (0x02, 0x04)  # layers III and II
    return is_aac or (is_mpeg and head[2] & 0xF0 != 0xF0)
