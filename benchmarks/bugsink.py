"""The rate at which Bugsink takes the same reports: accepted by its envelope endpoint and digested into its database.

    python benchmarks/bugsink.py [--seconds 20] [--environment FOLDER]

Installs Bugsink from PyPI into a virtual environment of its own, in a temporary folder unless `--environment` names
one, and runs it as its documentation says for one server: gunicorn and snappea on SQLite, with its limits of events
raised. The rate counts from the first request until the last event is in the database. It listens and sends on this
machine only.
"""

import argparse
import contextlib
import http.client
import itertools
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bodies import sample
from msgspec import Struct

VERSION: Final = "2.6.1"
SENDERS: Final = 8
WORKERS: Final = 4  # of gunicorn
DIGEST_SECONDS: Final = 120.0  # to wait for the last event
START_SECONDS: Final = 30.0
_FRAME: Final = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')
_SETTINGS: Final = """
SECURE_PROXY_SSL_HEADER = None
ALLOWED_HOSTS = ["127.0.0.1"]
BUGSINK["PHONEHOME"] = False
for _name in ("PER_PROJECT_PER_5_MINUTES", "PER_PROJECT_PER_HOUR", "PER_PROJECT_PER_MONTH", "PER_5_MINUTES", "PER_HOUR",
              "PER_MONTH"):
    BUGSINK["MAX_EVENTS_" + _name] = 10**9
"""
_PROJECT: Final = (
    "from projects.models import Project; "
    "one = Project.objects.create(name='bench', retention_max_event_count=10**9); "
    "print('key', one.id, one.sentry_key.hex)"
)


class Digested(Struct, frozen=True):
    """Events a second that were accepted, and that were accepted and digested."""

    accepted: float
    digested: float
    events: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--environment", type=Path, help="a virtual environment with Bugsink, made if it is missing")
    given = parser.parse_args()
    found = measured(given.seconds, given.environment)
    print(f"Bugsink {VERSION}: {found.events} events, {found.accepted:.0f}/s accepted, {found.digested:.0f}/s digested")
    return 0


def measured(seconds: float, environment: Path | None = None) -> Digested:
    """Raises `CalledProcessError` if Bugsink cannot be installed or started."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = (environment or folder / "environment").resolve() / "bin"
        if not (programs / "bugsink-manage").exists():
            _run([sys.executable, "-m", "venv", str(programs.parent)], folder)
            _run(
                [str(programs / "pip"), "install", "--quiet", "--disable-pip-version-check", f"bugsink=={VERSION}"],
                folder,
            )
        _configure(programs, folder)
        with _serving(programs, folder) as (port, path):
            return _measured(port, path, folder / "db.sqlite3", seconds)


def _configure(programs: Path, folder: Path) -> None:
    make = ["--template=singleserver", "--host", "127.0.0.1", "--base-dir", str(folder)]
    _run([str(programs / "bugsink-create-conf"), *make], folder)
    with (folder / "bugsink_conf.py").open("a") as settings:
        settings.write(_SETTINGS)
    _run([str(programs / "bugsink-manage"), "migrate", "--no-input"], folder)
    _run([str(programs / "bugsink-manage"), "migrate", "snappea", "--database=snappea", "--no-input"], folder)


@contextlib.contextmanager
def _serving(programs: Path, folder: Path) -> Iterator[tuple[int, str]]:
    """Yields the port and the path that takes envelopes."""
    said = _run([str(programs / "bugsink-manage"), "shell", "-c", _PROJECT], folder)
    project, key = re.findall(r"key (\S+) (\S+)", said)[0]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    commands = (
        [str(programs / "gunicorn"), f"--bind=127.0.0.1:{port}", f"--workers={WORKERS}", "--access-logfile=/dev/null",
         "bugsink.wsgi"],
        [str(programs / "bugsink-runsnappea")],
    )  # fmt: skip
    quiet = {"cwd": folder, "env": _environment(folder), "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen(command, **quiet) for command in commands]  # type: ignore[call-overload]
    try:
        end = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if time.monotonic() > end:
                raise TimeoutError("Bugsink does not start")
            time.sleep(0.2)
        yield port, f"/api/{project}/envelope/?sentry_key={key}"
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


def _measured(port: int, path: str, database: Path, seconds: float) -> Digested:
    accepted = [0] * SENDERS
    envelopes = map(_envelope, itertools.cycle(sample(20_000)))
    taking = threading.Lock()
    began = time.monotonic()

    def send(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while time.monotonic() < began + seconds:
            with taking:
                body = next(envelopes)
            connection.request("POST", path, body, {"Content-Type": "application/x-sentry-envelope"})
            response = connection.getresponse()
            words = response.read()
            if response.status != 200:
                raise ConnectionError(f"{response.status} {words[:300]!r}")
            accepted[number] += 1

    threads = [threading.Thread(target=send, args=(number,)) for number in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, digested = time.monotonic() - began, 0
    while digested < sum(accepted) and time.monotonic() < began + seconds + DIGEST_SECONDS:
        time.sleep(0.1)
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
            ((digested,),) = db.execute("SELECT count(*) FROM events_event").fetchall()
    return Digested(sum(accepted) / took, digested / (time.monotonic() - began), digested)


def _envelope(report: dict[str, Any]) -> bytes:
    id_ = uuid.uuid4().hex
    frames = [
        {"filename": file, "lineno": int(line), "function": function, "in_app": True}
        for file, line, function in _FRAME.findall(report.get("traceback") or "")
    ]
    error = {"type": report["type"], "value": report["message"], "stacktrace": {"frames": frames} if frames else None}
    event = json.dumps({
        "event_id": id_, "timestamp": time.time(), "platform": "python", "level": "error",
        "server_name": report["worker_id"], "exception": {"values": [error]},
        "contexts": {name: report[name] for name in ("system_context", "hardware_context") if report.get(name)},
    }).encode()  # fmt: skip
    return b'{"event_id":"%s"}\n{"type":"event","length":%d}\n%s\n' % (id_.encode(), len(event), event)


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, env=_environment(folder), capture_output=True, text=True, timeout=300)
    if done.returncode:
        print(done.stdout, done.stderr, file=sys.stderr)
        done.check_returncode()
    return done.stdout


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(folder), "DJANGO_SETTINGS_MODULE": "bugsink_conf"}


if __name__ == "__main__":
    sys.exit(main())
