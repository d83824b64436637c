"""Runs a command as the same shell would, passes signals on to it, and waits for its end.

The command stays in the process group of `run`, so what a terminal sends (Ctrl-C, Ctrl-Z) reaches it directly and is
not passed on; signals that another process sends to `run` are. All signals are blocked in `run` and taken one by one by
`signal.sigtimedwait`, which says who sent them; the command starts with the mask that `run` was started with.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from error_visualization.oom import OomCounter
from error_visualization.run.streams import STANDARD_ERROR, STANDARD_OUTPUT, Streams

PASSED_ON: Final = tuple(
    number
    for name in ("INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "ALRM", "WINCH", "CONT", "TSTP")
    if (number := getattr(signal, "SIG" + name, None)) is not None
)
ENDING: Final = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
BY_KERNEL: Final = 0x80  # si_code
NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126


class Ending(NamedTuple):
    """How a command ended. `status` is its exit status, or None if `signal` ended it. `oom_kills`: processes that the
    OOM killer ended in its cgroup meanwhile, None if unknown. `received`: signals that reached `run`."""

    status: int | None
    signal: int | None
    seconds: float
    stderr: str = ""
    oom_kills: int | None = None
    dumped_core: bool = False
    pid: int | None = None
    received: tuple[int, ...] = ()
    problem: str = ""

    @property
    def failed(self) -> bool:
        return self.status != 0


def run(command: Sequence[str], environ: Mapping[str, str]) -> Ending:
    """Runs the command to its end. Call it from the main thread, before other threads start."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    taken: set[int] = {number for number in PASSED_ON if signal.getsignal(number) != signal.SIG_IGN} | {signal.SIGCHLD}
    before: set[int] = set(signal.pthread_sigmask(signal.SIG_BLOCK, taken))
    started = time.monotonic()
    streams = Streams()
    try:
        pid = _spawn(command, environ, streams, before)
    except OSError as error:
        not_found = error.errno in (errno.ENOENT, errno.ENOTDIR)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return Ending(
            NOT_FOUND if not_found else NOT_EXECUTABLE,
            None,
            time.monotonic() - started,
            problem=error.strerror or str(error),
        )
    oom = OomCounter(pid)
    earlier = oom.kills()
    streams.start()
    _let_go_of_standard_streams()
    waited, received = _wait(pid, taken, streams)
    seconds = time.monotonic() - started
    streams.finish()
    kills = _difference(earlier, oom.kills())
    for late in ENDING & taken:  # from here on, nothing changes how `run` ends; it needs about two seconds at most
        signal.signal(late, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    number = os.WTERMSIG(waited) if os.WIFSIGNALED(waited) else None
    status = None if number is not None else os.WEXITSTATUS(waited)
    core = number is not None and os.WCOREDUMP(waited)
    return Ending(status, number, seconds, streams.tail.text(), kills, core, pid, tuple(received))


def die_as(number: int) -> int:
    """Ends this process by the signal that ended the command, so that its parent sees the same. Returns the status that
    a shell would show, for signals that cannot end it (as process 1 of a container)."""
    import resource

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # no second core
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    return 128 + number


def _spawn(command: Sequence[str], environ: Mapping[str, str], streams: Streams, mask: set[int]) -> int:
    copies = [(os.POSIX_SPAWN_DUP2, streams.child, STANDARD_ERROR)]
    if streams.both:
        copies.append((os.POSIX_SPAWN_DUP2, streams.child, STANDARD_OUTPUT))
    python_ignores = [signal.SIGPIPE, signal.SIGXFSZ]

    def spawn(words: list[str]) -> int:
        return os.posix_spawnp(words[0], words, environ, file_actions=copies, setsigmask=mask, setsigdef=python_ignores)

    try:
        return spawn(list(command))
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        import shutil

        return spawn(["/bin/sh", shutil.which(command[0]) or command[0], *command[1:]])  # as execvp(3) does


def _wait(pid: int, taken: set[int], streams: Streams) -> tuple[int, list[int]]:
    """Passes signals on until the command has ended. Returns the status of waitpid(2) and the signals."""
    received: list[int] = []
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status, received
        if os.getpid() == 1:
            _reap_others(pid)
        got = signal.sigtimedwait(taken, 10)
        if got is None or got.si_signo == signal.SIGCHLD:
            continue
        if len(received) < 100 and got.si_signo not in (signal.SIGWINCH, signal.SIGCONT):
            received.append(got.si_signo)
        if got.si_signo == signal.SIGWINCH:
            streams.resize()
        if got.si_code != BY_KERNEL:
            with contextlib.suppress(OSError):
                os.kill(pid, got.si_signo)
        if got.si_signo == signal.SIGTSTP:
            _stop()


def _stop() -> None:
    """Stops this process as the signal would, until SIGCONT."""
    signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})


def _reap_others(pid: int) -> None:
    """As process 1 of a container: takes the status of processes that lost their parent, but not of the command."""
    with contextlib.suppress(ChildProcessError):
        for _ in range(1_000):
            other = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if other is None or other.si_pid == pid:
                return
            os.waitpid(other.si_pid, os.WNOHANG)


def _let_go_of_standard_streams() -> None:
    """Leaves standard input and output to the command, so that its closing them means what it did."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, STANDARD_OUTPUT)
    os.close(null)


def _difference(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else max(0, after - before)
