"""The options that all commands of the client share. (Scaffold.)"""

from __future__ import annotations

import argparse
import os

from error_visualization.reporter import Reporter


class OptionError(Exception):
    """An option is missing or wrong; its text says which."""


def add_service_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--error-dashboard", metavar="URL", help="the service (ERROR_VISUALIZATION_URL)")
    parser.add_argument("--worker-id", metavar="NAME", help="name of this worker")
    parser.add_argument("--token-file", metavar="FILE", help="file with the token")
    parser.add_argument("--spool", metavar="FOLDER", help="folder of the spool")


def reporter_of(given: argparse.Namespace) -> Reporter:
    url = given.error_dashboard or os.environ.get("ERROR_VISUALIZATION_URL")
    if not url:
        raise OptionError("no service is given: use --error-dashboard URL, or set ERROR_VISUALIZATION_URL")
    return Reporter(url, worker_id=given.worker_id, spool=given.spool)
