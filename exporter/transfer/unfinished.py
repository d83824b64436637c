"""The file that an export writes. It gets its name when it is whole and on disk; until then it is called
`NAME.XXXXXXXX.part`, with hex digits of its own, because another export may write the same file at the same time. A
killed command leaves it, and the next export to the same file removes it."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

SUFFIX: Final = ".part"
DIGITS: Final = 8
TRIES: Final = 10


@contextlib.contextmanager
def unfinished(path: Path) -> Iterator[IO[bytes]]:
    """Yields an empty file, and gives it the name `path` when `with` ends without an error. Raises OSError."""
    _remove_left(path)
    file, name = _created(path)
    with file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            name.replace(path)
        except BaseException:
            name.unlink(missing_ok=True)
            raise


def _created(path: Path) -> tuple[IO[bytes], Path]:
    """Returns a new file with a lock on it, and its name."""
    for _ in range(TRIES):
        name = path.with_name(f"{path.name}.{secrets.token_hex(DIGITS // 2)}{SUFFIX}")
        file = open(name, "xb", opener=_private)  # noqa: SIM115  the caller closes it; Path.open has no opener
        with contextlib.suppress(OSError):  # a file system without locks: then nothing is removed either
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file, name
        file.close()  # another export removed it, before it had its lock
    raise FileExistsError(f"too many exports to {path} begin at the same time")


def _remove_left(path: Path) -> None:
    """Removes what killed exports to `path` left. A running one has a lock on its file."""
    with contextlib.suppress(OSError):  # the folder may be written, but not listed
        for left in [one for one in path.parent.iterdir() if _is_part(one.name, path.name)]:
            _remove(left)


def _remove(left: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
        finally:
            os.close(descriptor)


def _is_part(name: str, of: str) -> bool:
    digits = name.removeprefix(f"{of}.").removesuffix(SUFFIX)
    return name == f"{of}.{digits}{SUFFIX}" and len(digits) == DIGITS and set(digits) <= set("0123456789abcdef")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # as the files of the service, which hold the same
