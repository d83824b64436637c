"""Gets what a command writes to standard error, and passes it on unchanged.

                  standard error of `run` is          the command gets
a terminal        a pseudo terminal, without translation; its size follows that of the terminal
anything else     a pipe; standard output gets the same pipe if both are the same file, as with `2>&1`, because only
                  then the order of what is written to both stays
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import termios
import threading
import tty
from typing import Final

from error_visualization.run.tail import Tail

CHUNK: Final = 65_536
STANDARD_OUTPUT: Final = 1
STANDARD_ERROR: Final = 2


class Streams:
    """`child` is the descriptor that the command gets as standard error, and as standard output if `both`."""

    def __init__(self) -> None:
        self.tail = Tail()
        self.both = False
        self._terminal = os.isatty(STANDARD_ERROR)
        if self._terminal:
            self._read, self.child = os.openpty()
            tty.setraw(self.child)
            self.resize()
        else:
            self._read, self.child = os.pipe()
            self.both = _same(STANDARD_OUTPUT, STANDARD_ERROR)
        self._wake_read, self._wake = os.pipe()
        self._open = True
        self._thread = threading.Thread(target=self._copy, name="standard error", daemon=True)

    def start(self) -> None:
        """Begins to copy; call it once the command has its descriptors."""
        os.close(self.child)
        self._thread.start()

    def resize(self) -> None:
        """Gives the pseudo terminal the size of the terminal."""
        if self._terminal:
            with contextlib.suppress(OSError):
                size = fcntl.ioctl(STANDARD_ERROR, termios.TIOCGWINSZ, bytes(8))
                fcntl.ioctl(self._read, termios.TIOCSWINSZ, size)

    def finish(self) -> None:
        """Copies what the command has written before it ended. If another process still has its standard error, a
        process of its own goes on copying for it."""
        os.write(self._wake, b"x")
        self._thread.join()
        if self._open and os.fork() == 0:
            _leave_to_background()
            while self._copy_some():
                pass
            os._exit(0)

    def _copy(self) -> None:
        ended = False
        while self._open:
            ready, _, _ = select.select([self._read, self._wake_read], [], [], None if not ended else 0)
            if self._read in ready:
                self._copy_some()
            elif ended:
                return
            ended = ended or self._wake_read in ready
            if ended:
                with contextlib.suppress(OSError):
                    os.set_blocking(self._wake_read, False)
                    os.read(self._wake_read, 1)

    def _copy_some(self) -> bool:
        try:
            chunk = os.read(self._read, CHUNK)
        except OSError:  # a pseudo terminal whose other side was closed
            chunk = b""
        if chunk:
            self.tail.write(chunk)
            self._open = _write_all(chunk)
        else:
            self._open = False
        if not self._open:
            os.close(self._read)  # a command that goes on writing gets SIGPIPE, as it would without us
        return self._open


def _write_all(chunk: bytes) -> bool:
    """Returns whether there is still someone to write for."""
    while chunk:
        try:
            chunk = chunk[os.write(STANDARD_ERROR, chunk) :]
        except BlockingIOError:
            select.select([], [STANDARD_ERROR], [], 1)
        except OSError:
            return False
    return True


def _same(one: int, other: int) -> bool:
    try:
        return os.path.sameopenfile(one, other)
    except OSError:
        return False


def _leave_to_background() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, STANDARD_OUTPUT):
        os.dup2(null, descriptor)
