"""What the report of a failed command says. Pure functions."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Sequence
from typing import Any, Final

from error_visualization.run.child import NOT_EXECUTABLE, NOT_FOUND, Ending
from error_visualization.stacks import Stack, find_all
from error_visualization.stacks.joiner import plain

MAX_TAIL: Final = 16_384  # characters of standard error that are reported beside the stack trace
MAX_LINE: Final = 8_192  # characters of the command line
CRASHES: Final = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGSYS", "SIGTRAP")
WANTED: Final = ("SIGINT", "SIGPIPE")  # Ctrl-C, and a reader such as `head` that has enough


def worth_reporting(ending: Ending) -> bool:
    """Whether the command failed, other than because its user or the reader of its output ended it."""
    if not ending.failed:
        return False
    interrupted = signal.SIGINT in ending.received and ending.status == 128 + signal.SIGINT
    return not interrupted and _name(ending.signal) not in WANTED


def report_of(command: Sequence[str], ending: Ending, *, folder: str | None = None) -> dict[str, Any]:
    """Returns the fields of the report, without worker, time and machine."""
    fatal = _name(ending.signal) or _by_shell(ending.status)
    oom = bool(ending.oom_kills) and fatal == "SIGKILL"
    stacks = find_all(ending.stderr)
    type_, message, stack = _named(command, ending, fatal, oom, stacks[-1] if stacks else None)
    fields: dict[str, Any] = {
        "type": type_,
        "message": message,
        "error_category": "RESOURCE_EXHAUSTED" if oom else "WORKER_CRASHED" if fatal in (*CRASHES, "SIGKILL") else None,
        "traceback": stack.text if stack else None,
        "command": {
            "line": shlex.join(command)[:MAX_LINE],
            "folder": folder,
            "pid": ending.pid,
            "exit_code": ending.status,
            "signal": _name(ending.signal),
            "oom_killed": oom,
            "oom_kills": ending.oom_kills,
            "dumped_core": ending.dumped_core,
            "duration_seconds": round(ending.seconds, 3),
            "signals_received": [_name(number) for number in ending.received],
            "language": stack.language if stack else None,
            "stderr": ending.stderr[-MAX_TAIL:],
        },
    }
    return {name: value for name, value in fields.items() if value is not None}


def _named(
    command: Sequence[str], ending: Ending, fatal: str | None, oom: bool, stack: Stack | None
) -> tuple[str, str, Stack | None]:
    """Returns type and message, and the stack trace that explains the end. One that was printed before another process
    killed the command does not."""
    name = command[0].rpartition("/")[2]
    if ending.problem:
        types = {NOT_FOUND: "CommandNotFound", NOT_EXECUTABLE: "CommandNotExecutable"}
        return types.get(ending.status or 0, "CommandFailed"), f"{command[0]}: {ending.problem}", None
    if oom:
        return "OutOfMemoryKill", f"{name} was killed by the kernel: its cgroup was out of memory", None
    if stack and (fatal is None or fatal in CRASHES):
        return stack.type, stack.message or stack.type, stack
    if fatal:
        how = "was ended by" if ending.status is None else "ended as by"
        return fatal, f"{name} {how} {fatal}", None
    last = _last_line(ending.stderr)
    return "ExitStatus", f"{name} exited with {ending.status}" + (f": {last}" if last else ""), None


def _last_line(text: str) -> str:
    return next((line.strip() for line in map(plain, reversed(text[-MAX_TAIL:].split("\n"))) if line.strip()), "")[:500]


def _name(number: int | None) -> str | None:
    if number is None:
        return None
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _by_shell(status: int | None) -> str | None:
    """Returns the signal that a shell's exit status stands for, if it is one of those that mean a crash."""
    name = _name(status - 128) if status is not None and 128 < status < 160 else None
    return name if name in (*CRASHES, "SIGKILL") else None
