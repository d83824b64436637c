"""The options that every command of the client has: which service, which worker, which token, which spool."""

from __future__ import annotations

import argparse
import os

from error_visualization.reporter import Reporter, why_no_service


class OptionError(Exception):
    """An option is missing or wrong; the message is a sentence for the user."""


def add_service_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options; `reporter_of` reads them."""
    parser.add_argument(
        "--error-dashboard", metavar="URL", help="address of the service (default: variable ERROR_VISUALIZATION_URL)"
    )
    parser.add_argument("--worker-id", metavar="NAME", help="name of this worker (default: the host's name)")
    parser.add_argument(
        "--token-file", metavar="FILE", help="file with a token (default: variable ERROR_VISUALIZATION_TOKEN[_FILE])"
    )
    parser.add_argument(
        "--spool", metavar="FOLDER", help="where reports wait for delivery (default: in the user's state folder)"
    )


def reporter_of(given: argparse.Namespace, block: float = 0.05) -> Reporter:
    """Returns a reporter for the options, which waits for the disk at most `block` seconds. Raises `OptionError`."""
    url = given.error_dashboard or os.environ.get("ERROR_VISUALIZATION_URL", "")
    if not url:
        raise OptionError("which service? Give --error-dashboard URL, or set the variable ERROR_VISUALIZATION_URL")
    problem = why_no_service(url)
    if problem:
        raise OptionError(f"--error-dashboard {url}: {problem}")
    token_file = given.token_file
    if token_file and not os.access(token_file, os.R_OK):
        raise OptionError(f"--token-file {token_file}: the file cannot be read")
    return Reporter(url, worker_id=given.worker_id, token_file=token_file, spool=given.spool, block=block)
