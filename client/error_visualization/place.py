"""Where the spool of a user and a service lies."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping


def places(environ: Mapping[str, str], spool: str | os.PathLike[str] | None = None) -> list[str]:
    """Returns the folders to try in order: the given one or ERROR_VISUALIZATION_SPOOL alone, else in the user's
    state folder and in the folder for temporary files; [] where there is none, as in a container without any folder
    that can be written to."""
    user = str(os.getuid()) if hasattr(os, "getuid") else "user"
    chosen = spool or environ.get("ERROR_VISUALIZATION_SPOOL")
    if chosen:
        try:
            return [os.path.join(os.path.abspath(os.fspath(chosen)), user)]
        except OSError:  # a relative path, and the working directory was removed
            return []
    home = environ.get("HOME", "")
    state = environ.get("XDG_STATE_HOME") or (os.path.join(home, ".local", "state") if os.path.isabs(home) else "")
    found = [os.path.join(state, "error-visualization", "spool", user)] if os.path.isabs(state) else []
    try:
        return [*found, os.path.join(tempfile.gettempdir(), f"error-visualization-{user}")]
    except OSError:
        return found


def folder_of(place: str, url: str) -> str:
    """Returns the folder for the service at `url` in `place`."""
    return os.path.join(place, hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()[:16])


def make_private(folder: str) -> None:
    """Makes `folder` for this user alone, if it is missing. Raises OSError, also if it or the folder that it is in
    belongs to another user or may be written by others: they could delete reports, or read them."""
    place = os.path.dirname(folder)
    os.makedirs(os.path.dirname(place) or ".", exist_ok=True)
    for one in (place, folder):
        made = False
        try:
            os.mkdir(one, 0o700)
            made = True
        except FileExistsError:
            pass
        if not _is_private(one):
            raise PermissionError(f"{one} is not a folder that only this user may write to")
        if made:
            flush_folder(os.path.dirname(one))


def is_private(folder: str) -> bool:
    """Returns whether `folder` is there and is one that `make_private` accepts."""
    try:
        return _is_private(os.path.dirname(folder)) and _is_private(folder)
    except OSError:
        return False


def _is_private(folder: str) -> bool:
    found = os.lstat(folder)
    own = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    return stat.S_ISDIR(found.st_mode) and own and not found.st_mode & 0o022


def flush_folder(folder: str) -> None:
    """Returns when the names in `folder` are on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
