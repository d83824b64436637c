"""`error-visualization run`: terminals and signals."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from reported import Reported, tool

pytestmark = pytest.mark.dashboard
IGNORED = (signal.SIGINT, signal.SIGQUIT)  # by what a shell without job control runs in the background


def in_terminal(command: list[str], keys: Sequence[tuple[bytes, bytes]] = ()) -> tuple[int, bytes]:
    """Runs the command in a terminal of its own; each of `keys` is what it has to show first, and what is typed then."""
    left = list(keys)
    pid, master = pty.fork()
    if pid == 0:
        for number in IGNORED:
            signal.signal(number, signal.SIG_DFL)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        os.execv(command[0], command)
    shown = b""
    while select.select([master], [], [], 30)[0]:
        try:
            chunk = os.read(master, 65_536)
        except OSError:
            break
        shown += chunk
        if left and left[0][0] in shown:
            time.sleep(0.1)
            os.write(master, left.pop(0)[1])
    os.close(master)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


def test_a_terminal_stays_a_terminal(reported: Reported) -> None:
    check = "test -t 0 && test -t 1 && test -t 2 && printf 'a\\r\\nb\\033[1mc' >&2; stty size <&2; exit 4"
    status, shown = in_terminal([*reported.options("run"), "--", "sh", "-c", check])
    assert status == 4
    assert b"40 100" in shown
    assert b"a\r\r\nb\x1b[1mc" in shown  # the terminal itself makes \r\n of \n
    assert reported.report()["command"]["exit_code"] == 4


def test_ctrl_c_reaches_the_command_once_and_is_no_failure(reported: Reported) -> None:
    code = (  # it takes each signal at once, so that two are seldom merged
        "import signal, time, sys\ncount = 0\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\n"
        "print('got 0', flush=True)\nend = time.monotonic() + 2\n"
        "while time.monotonic() < end:\n if signal.sigtimedwait({signal.SIGINT}, 0):\n"
        "  count += 1\n  print('got', count, flush=True)\n"
        "print('all', count)\nsys.exit(130)"
    )
    command = [*reported.options("run"), "--", sys.executable, "-c", code]
    status, shown = in_terminal(command, [(f"got {number}".encode(), b"\x03") for number in range(5)])
    assert status == 130
    assert b"all 5" in shown
    reported.reports(0, seconds=0)


@contextlib.contextmanager
def started(reported: Reported, script: str) -> Iterator["subprocess.Popen[str]"]:
    """Runs a script in a process group of its own: SIGTSTP stops no process of an orphaned group, which that of the
    tests may be."""
    handlers = {number: signal.signal(number, signal.default_int_handler) for number in IGNORED}
    with subprocess.Popen(
        [*reported.options("run"), "--", "sh", "-c", script],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0,
    ) as process:  # fmt: skip
        for number, handler in handlers.items():
            signal.signal(number, handler)
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            if process.poll() is None:  # a failed test, which must not wait for its command
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("name", ["TERM", "HUP", "USR1", "USR2", "INT", "QUIT"])
def test_signals_are_passed_on(reported: Reported, name: str) -> None:
    with started(reported, f"trap 'echo got; exit 9' {name}; echo ready; while :; do sleep 0.05; done") as process:
        process.send_signal(getattr(signal, "SIG" + name))
        out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (9, "got\n")
    assert reported.report()["command"]["signals_received"] == ["SIG" + name]


def test_a_death_by_term_is_seen_by_the_parent(reported: Reported) -> None:
    with started(reported, "echo ready; exec sleep 60") as process:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == -signal.SIGTERM
    assert reported.report()["type"] == "SIGTERM"


def test_stop_and_continue(reported: Reported) -> None:
    with started(reported, "echo ready; while :; do sleep 0.05; done") as process:
        child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])

        def state(pid: int) -> str:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

        def wait_for(states: str) -> None:
            deadline = time.monotonic() + 10
            while (state(child) in "Tt", state(process.pid) in "Tt") != (states == "T", states == "T"):
                assert time.monotonic() < deadline
                time.sleep(0.02)

        process.send_signal(signal.SIGTSTP)
        wait_for("T")
        process.send_signal(signal.SIGCONT)
        wait_for("S")
        process.terminate()
        process.communicate(timeout=20)


def test_signals_after_the_end_of_the_command_do_not_change_the_status(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = tool("run", "--error-dashboard", url, "--spool", tmp_path / "spool", "--", "sh", "-c")
        with subprocess.Popen([*command, f"touch {ended}; exit 3"], stderr=subprocess.PIPE) as process:
            connection, _ = silent.accept()
            assert ended.exists()
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=20)
            connection.close()
    assert (process.returncode, said) == (3, b"")
    assert list((tmp_path / "spool").rglob("*.spool"))
