"""Another commit of this repository, to compare with."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from serving import ROOT


@contextlib.contextmanager
def checkout(commit: str | None) -> Iterator[Path | None]:
    """Checks a commit out into a temporary folder while it is a context. A folder is taken as it is; None stays None.
    Raises `ValueError` for what is neither."""
    if commit is None or Path(commit, "exporter").is_dir():
        yield None if commit is None else Path(commit).resolve()
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "checkout")
        try:
            _git("worktree", "add", "--detach", str(folder), commit)
        except subprocess.CalledProcessError as error:
            raise ValueError(f"{commit} is no commit: {error.stderr.strip()}") from None
        try:
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder))


def latest_release() -> str | None:
    """Returns the newest tag before this commit, None if there is none."""
    try:
        return _git("describe", "--tags", "--abbrev=0", "HEAD^")
    except (OSError, subprocess.CalledProcessError):
        return None


def this_commit() -> str:
    """Returns the short name of this commit, with `+` if files were changed; "" outside of a repository."""
    try:
        return _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain", "--", "exporter") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()
