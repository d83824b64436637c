"""Chooses where the kernel's log is read."""

from __future__ import annotations

import shutil
from pathlib import Path

from error_visualization.agent.cursor import Cursor
from error_visualization.agent.lines import KMSG, Dmesg, Journal, Kmsg, Source

KINDS = ("auto", "none", "journal", "dmesg")


def open_log(kind: str, boot: str, cursor: Cursor | None) -> Source:
    """Returns the log after the cursor. `kind` is one of `KINDS`, except "none", or the path of a file as /dev/kmsg.
    "auto": /dev/kmsg where it can be read, else the journal, else dmesg. Raises OSError if nothing can be read."""
    if kind not in KINDS:
        return _kmsg(kind, boot, cursor)
    problems = []
    if kind == "auto":
        try:
            return _kmsg(KMSG, boot, cursor)
        except OSError as error:
            problems.append(f"{KMSG}: {error.strerror}")
    if kind in ("auto", "journal") and shutil.which("journalctl") and Path("/run/systemd/system").is_dir():
        return Journal(cursor.place if cursor and cursor.source == Journal.name else None)
    if kind in ("auto", "dmesg") and shutil.which("dmesg"):
        same = cursor and cursor.source == Dmesg.name and cursor.boot == boot
        return Dmesg(boot, cursor.place if cursor and same else None)
    raise OSError("; ".join([*problems, "neither journalctl nor dmesg is there"]))


def _kmsg(path: str, boot: str, cursor: Cursor | None) -> Kmsg:
    same = cursor and cursor.source == Kmsg.name and cursor.boot == boot
    return Kmsg(path, boot, int(cursor.place) if cursor and same and cursor.place.isdigit() else None)
