"""How many processes of a control group the kernel's out-of-memory killer ended.

Version 2 of the control groups has the count in the line `oom_kill N` of `memory.events`, version 1 in that of
`memory.oom_control`. A process that was killed is told from one that got SIGKILL otherwise by this count: it is higher
after its end than before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Union

Place = Union[str, "os.PathLike[str]"]
_FILES = ("memory.events", "memory.oom_control")  # of version 2, of version 1


class OomCounter:
    """Reads the out-of-memory kills of one control group: that of the process `pid_or_paths` at this moment, or the
    folders or files given. A later move of the process to another group is not noticed. Raises nothing."""

    def __init__(self, pid_or_paths: int | Place | Iterable[Place] | None = None, *, proc: Place = "/proc") -> None:
        """Without an argument, it is the group of this process. `proc` is where procfs is mounted."""
        if pid_or_paths is None or isinstance(pid_or_paths, int):
            found = _of_process("self" if pid_or_paths is None else str(pid_or_paths), Path(proc))
        elif isinstance(pid_or_paths, (str, os.PathLike)):
            found = [Path(pid_or_paths)]
        else:
            found = [Path(path) for path in pid_or_paths]
        self.paths: tuple[Path, ...] = tuple(file for path in found for file in _files(path))

    def kills(self) -> int | None:
        """Returns the count, None if it cannot be read (no memory controller, no permission, the group is gone)."""
        for path in self.paths:
            count = _count(_text(path))
            if count is not None:
                return count
        return None


def groups(cgroup: str, mountinfo: str) -> Iterator[str]:
    """Yields the folders of a process's control groups that may have memory counts, from the texts of its `cgroup` file
    and of `mountinfo`."""
    mounts = [_Mount(line) for line in mountinfo.splitlines() if " - cgroup" in line]
    for line in cgroup.splitlines():
        _, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if not colon or (controllers and "memory" not in controllers.split(",")):
            continue
        for mount in mounts:
            if mount.has(controllers):
                yield mount.folder(path)


class _Mount:
    """A line of `mountinfo`: "32 31 0:29 ROOT POINT options - cgroup2 source super-options"."""

    def __init__(self, line: str) -> None:
        first, _, last = line.partition(" - ")
        fields, kind = first.split(), last.split()
        self.root, self.point = _plain(fields[3]), _plain(fields[4])
        self.unified = kind[0] == "cgroup2"
        self.memory = not self.unified and "memory" in kind[-1].split(",")

    def has(self, controllers: str) -> bool:
        return self.memory if controllers else self.unified

    def folder(self, path: str) -> str:
        """Returns where the group `path` is. In a container only the part below `root` is mounted."""
        if self.root != "/" and (path + "/").startswith(self.root + "/"):
            path = path[len(self.root) :]
        return self.point if self.root != "/" and ".." in path else self.point + path.rstrip("/")


def _plain(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), text)


def _of_process(pid: str, proc: Path) -> list[Path]:
    return [Path(path) for path in groups(_text(proc / pid / "cgroup"), _text(proc / "self" / "mountinfo"))]


def _files(path: Path) -> list[Path]:
    return [path] if path.name in _FILES else [path / name for name in _FILES]


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _count(text: str) -> int | None:
    found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else None
