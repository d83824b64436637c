"""The commands `check` and `repair`, on the files of a service that does not run."""

import argparse
import sys
from pathlib import Path

from exporter.log import LogError
from exporter.log.files import database_path
from exporter.store import StoreError


def add_path(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--db-path", default="./errors.duckdb", help="the database (default: %(default)s)")


def check(given: str, *, repairing: bool) -> int:
    """Checks the files, after repairing them if `repairing`. Returns 1 if something is wrong, or still is."""
    from exporter.store import offline
    from exporter.store.repair import repair

    path = Path(given)
    try:
        path = database_path(given)
        if repairing:
            for sentence in repair(path):
                print(sentence)
        problems = offline.check(path)
    except (LogError, StoreError, OSError) as error:
        problems = [str(error)]
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{path} and its log are whole and belong together")
    return 1 if problems else 0
