"""The command `agent`."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

from error_visualization import __version__
from error_visualization.agent.cursor import CursorFile
from error_visualization.agent.gpus import GpuWatch, Probe
from error_visualization.agent.heartbeat import body_of
from error_visualization.agent.host import Host
from error_visualization.agent.open_log import KINDS, open_log
from error_visualization.agent.watch import Watch
from error_visualization.authorization import authorization
from error_visualization.delivery import sender
from error_visualization.options import OptionError, add_service_arguments, reporter_of
from error_visualization.pipe.command import boot_id
from error_visualization.reporter import Reporter

PATH: Final = "/api/heartbeat"
INTERVAL: Final = 15.0
JOIN_SECONDS: Final = 6.0  # for a heartbeat that is being made when the agent ends
DISK_SECONDS: Final = 10.0  # for which a line waits for the disk before it is tried again
RETRY_SECONDS: Final = 30.0  # after which a log that could not be read is tried again
_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Reports the faults in the kernel's log of this machine, and sends heartbeats with its state, so that the "
        "service knows when the machine falls silent."
    )
    add_service_arguments(parser)
    parser.add_argument(
        "--interval", type=_seconds, default=INTERVAL, metavar="S", help="seconds between heartbeats (%(default)g)"
    )
    parser.add_argument("--state", metavar="FOLDER", help="where it remembers how far the log was reported")
    parser.add_argument(
        "--kernel-log", default="auto", metavar="LOG", help=f"{', '.join(KINDS)}, or a file as /dev/kmsg (%(default)s)"
    )
    parser.add_argument("--disk", default="/", metavar="FOLDER", help="a folder on the disk to watch (%(default)s)")
    parser.add_argument("--no-gpus", action="store_true", help="do not ask NVML")
    parser.add_argument("--once", action="store_true", help="report what there is, send one heartbeat, and end")


def main(given: argparse.Namespace) -> int:
    """Runs until SIGTERM or SIGINT. Returns 0; 1 with `--once` if something could not be done; 2 for wrong options."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        reporter = reporter_of(given, DISK_SECONDS)
        state = _state_folder(given.state)
    except (OptionError, OSError) as error:
        print(f"error-visualization agent: {error}", file=sys.stderr)
        return 2
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    agent = Agent(given, reporter, state, stopping)
    try:
        return agent.once() if given.once else agent.run()
    finally:
        reporter.close()


class Agent:
    """The kernel's log is read by the main thread, heartbeats are sent by another, so that none waits for the other."""

    def __init__(self, given: argparse.Namespace, reporter: Reporter, state: Path, stopping: threading.Event) -> None:
        self._given, self._reporter, self._stopping = given, reporter, stopping
        self._boot = boot_id() or "unknown"
        self._cursor = CursorFile(state / "kernel-log.json")
        self._host, self._probe, self._gpus = Host(disk=given.disk), Probe(), GpuWatch()
        self._watch: Watch | None = None
        self._log_problem = ""
        self._send = sender(reporter.url, lambda: authorization(given.token_file))
        self._said = ""

    def run(self) -> int:
        beats = threading.Thread(target=self._beat, name="heartbeats", daemon=True)
        beats.start()
        while not self._stopping.is_set():
            if self._given.kernel_log == "none":
                self._stopping.wait()
                break
            self._follow()
            self._stopping.wait(0 if self._stopping.is_set() else RETRY_SECONDS)
        beats.join(JOIN_SECONDS)
        self._heartbeat(stopping=True)
        return 0

    def once(self) -> int:
        """Reads the log up to its end, and sends one heartbeat. Returns the exit status."""
        if self._given.kernel_log != "none":
            try:
                with contextlib.closing(self._open()) as watch:
                    while True:
                        before = watch.lines
                        if watch.step(0.2) and watch.lines == before:
                            break
                    watch.save()
            except OSError as error:
                self._log_problem = str(error)
                _log.warning("the kernel's log cannot be read: %s", error)
        sent = self._heartbeat()
        return 0 if sent and not self._log_problem else 1

    def _open(self) -> Watch:
        source = open_log(self._given.kernel_log, self._boot, self._cursor.load())
        self._log_problem = ""
        self._watch = Watch(source, self._cursor, self._boot, self._reporter.report, self._gpus.identity)
        return self._watch

    def _follow(self) -> None:
        """Follows the kernel's log until it cannot be read or the agent ends."""
        try:
            with contextlib.closing(self._open()) as watch:
                while not self._stopping.is_set():
                    if not watch.step(1.0):
                        self._stopping.wait(1.0)  # the spool takes nothing: the same line again
                watch.save()
        except OSError as error:
            if self._log_problem != str(error):
                _log.warning("the kernel's log cannot be read: %s", error)
            self._log_problem = str(error)

    def _beat(self) -> None:
        while not self._stopping.is_set():
            try:
                self._heartbeat()
            except Exception:
                _log.exception("a heartbeat could not be made")
            self._stopping.wait(self._given.interval)

    def _heartbeat(self, stopping: bool = False) -> bool:
        """Sends one heartbeat, and reports GPUs that were lost since the last one. Returns whether it was received."""
        gpus = None if self._given.no_gpus or stopping else self._probe.ask()
        for report in self._gpus.changes(gpus) if gpus else []:
            self._reporter.report(report)
        counts: dict[str, Any] = {"problem": self._log_problem or None}
        if self._watch:
            counts |= {"lines": self._watch.lines, "faults": self._watch.faults, "lost": self._watch.lost}
        body = body_of(
            self._reporter.worker_id, self._given.interval, self._boot, self._host.metrics(), gpus, counts, __version__
        )
        if stopping:
            body["stopping"] = True  # the machine is not silent from now on
        try:
            answer = self._send(PATH, json.dumps(body).encode())
            said = "" if answer.status == 200 else f"{answer.status} {answer.text[:200]}"
        except Exception as error:  # no connection, or no token
            said = str(error) or type(error).__name__
        if said != self._said:
            (_log.warning if said else _log.info)("heartbeats: %s", said or "the service answers again")
            self._said = said
        return not said


def _state_folder(given: str | None) -> Path:
    """Returns the folder, which is made if it is not there. Raises OSError."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    path = Path(given or os.environ.get("STATE_DIRECTORY", "").split(":")[0] or f"{home}/error-visualization")
    path.mkdir(parents=True, exist_ok=True)
    if not os.access(path, os.W_OK):
        raise PermissionError(f"--state {path}: cannot be written")
    for left in path.glob("kernel-log.json.*.tmp"):  # of a crash
        with contextlib.suppress(OSError):
            left.unlink()
    return path


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 3_600:
        raise argparse.ArgumentTypeError("expected seconds from 0.1 to 3600")
    return seconds
