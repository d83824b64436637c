"""Starts a service for the demo, in a process of its own, and stops it again."""

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Final

from exporter import config

DATABASE: Final = "./demo.duckdb"
REPORTS: Final = "reports "  # begins the line in which the service says where it takes reports


def serve(options: Sequence[str], send: Callable[[str], None]) -> int:
    """Runs `serve` with these options, on a database of the demo unless they name another one, and calls `send` with
    the address of the service in a thread. Returns the exit status of the service, which SIGTERM or Ctrl-C ends."""
    command = [sys.executable, "-m", "exporter", "serve", *options, *_database(options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    stopped = _stop_with(process)
    assert process.stdout
    for line in process.stdout:
        print(line, end="", flush=True)
        if line.startswith(REPORTS) and not stopped.is_set():
            url = line.split()[1].removesuffix("/api/report-error")
            threading.Thread(target=_send, args=(send, url), daemon=True).start()
    return process.wait()


def _send(send: Callable[[str], None], url: str) -> None:
    try:
        send(url)
    except Exception as error:  # the service goes on without the errors of the demo
        print(error, file=sys.stderr, flush=True)


def _stop_with(process: "subprocess.Popen[str]") -> threading.Event:
    """Lets SIGTERM and SIGINT end the service instead of this process, which then ends with it. A terminal sends SIGINT
    to both; the service takes the second one for the first."""
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()
        process.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return stopped


def _database(options: Sequence[str]) -> list[str]:
    """Returns the option that names the database of the demo; none if the options, a variable or a settings file name
    one. Options that are wrong are left to the service, which says what is wrong."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    config.add_arguments(parser)
    try:
        given, _ = parser.parse_known_args(list(options))
        settings = config.load(vars(given), os.environ)
    except (argparse.ArgumentError, config.ConfigError):
        return []
    return ["--db-path", DATABASE] if "db_path" not in settings.model_fields_set else []
