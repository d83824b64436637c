"""A small file system of its own, to fill up and to empty: a tmpfs, which needs root. Elsewhere its tests are skipped."""

import contextlib
import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SIZE = 24 * 2**20
CHUNK = b"x" * 2**16
REASON = "no small file system can be mounted here: that needs root"


class SmallDisk:
    """A mounted file system at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def free(self) -> int:
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self, leave: int = 0) -> None:
        """Writes a file until only `leave` bytes are free."""
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while (free := self.free()) > leave:
                    file.write(CHUNK[: free - leave])
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def empty(self) -> None:
        """Deletes what `fill` wrote."""
        self._ballast.unlink(missing_ok=True)


def can_mount() -> bool:
    """Returns whether this process may mount a small file system."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "small", folder], capture_output=True).returncode:
            return False
        subprocess.run(["umount", folder], check=True)
    return True


needs_small_disk = pytest.mark.skipif(not can_mount(), reason=REASON)


@contextlib.contextmanager
def small_disk(folder: Path, size: int = SIZE) -> Iterator[SmallDisk]:
    """Mounts a file system of `size` bytes at `folder`, and unmounts it at the end, also if files are still open."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "small", str(folder)], check=True)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
