"""The command `junit`: sends JUnit XML files to a service."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from error_visualization import context
from error_visualization.authorization import authorization
from error_visualization.junit.files import STDIN, named
from error_visualization.junit.send import Service
from error_visualization.reporter import why_no_service

RUN = ("job", "suite", "commit", "branch", "user", "url")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    files = 'a file, a pattern such as "**/TEST-*.xml", a folder, or - for the standard input'
    wait = "how long to wait for a service that is away (default: 60)"
    status = "exit status of the tests: if it is not 0, this command ends with it, too"
    parser.description = "Sends JUnit XML files to a service; it reports their failures and errors."
    parser.add_argument("files", nargs="+", metavar="FILE", help=files)
    parser.add_argument("--error-dashboard", metavar="URL", help="URL of the service (ERROR_VISUALIZATION_URL)")
    parser.add_argument("--worker-id", metavar="NAME", help="name of this worker (default: from the environment)")
    parser.add_argument("--token-file", metavar="FILE", help="file with the token of the service")
    parser.add_argument("--wait", type=float, default=60.0, metavar="SECONDS", help=wait)
    parser.add_argument("--status", type=int, default=0, metavar="N", help=status)


def main(given: argparse.Namespace) -> int:
    """Returns `--status` if that is not 0, else 0 if all files were accepted, 1 if not, 2 if no service is named."""
    environ = os.environ
    url = (given.error_dashboard or environ.get("ERROR_VISUALIZATION_URL") or "").strip()
    if not url:
        return given.status or _fail("which service? Give --error-dashboard URL, or set ERROR_VISUALIZATION_URL", 2)
    problem = why_no_service(url)
    if problem:
        return given.status or _fail(f"--error-dashboard {url}: {problem}", 2)
    try:
        headers = authorization(given.token_file)
    except (OSError, ValueError) as error:
        return given.status or _fail(f"the token cannot be read: {error}", 2)
    run = context.run(environ) or {}
    parameters = {"worker": given.worker_id or context.worker_id(environ), "run": str(run.get("id") or "")}
    parameters.update((name, str(run.get(name) or "")) for name in RUN)
    service = Service(url, headers, parameters, given.wait)
    files, empty = named(given.files)
    for argument in empty:
        _say(f"{argument}: no JUnit XML file")
    refused = len(empty)
    for file in files:
        refused += not _sent(service, file)
    return given.status or min(refused, 1)


def _sent(service: Service, file: str) -> bool:
    try:
        body = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    except OSError as error:
        _say(f"{file}: cannot be read: {error.strerror}")
        return False
    answer = service.send(body)
    _say(f"{'standard input' if file == STDIN else file}: {answer.said}")
    return answer.accepted


def _fail(text: str, status: int) -> int:
    _say(text)
    return status


def _say(text: str) -> None:
    print(f"error-visualization junit: {text}", file=sys.stderr)
