"""Runs the commands `backup`, `restore` and `compact`; `exporter/commands/` has their arguments."""

import argparse
import os
import sys
from pathlib import Path
from typing import Final

from exporter.log import LogError
from exporter.log.files import database_path
from exporter.store import StoreError

NICENESS: Final = 19  # the service goes first


def main(given: argparse.Namespace) -> int:
    """Runs a command; returns its exit status: 1 if it failed."""
    import duckdb

    os.umask(0o077)
    os.nice(NICENESS)
    try:
        print(_run(given, database_path(given.db_path)))
    except (StoreError, LogError, OSError, duckdb.Error) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def _run(given: argparse.Namespace, database: Path) -> str:
    """Returns the sentence that says what was done."""
    from exporter.local.backup import backup
    from exporter.local.compact import compact
    from exporter.local.progress import Progress
    from exporter.local.restore import restore

    progress = Progress()
    if given.command == "compact":
        before, after = compact(database, progress)
        if after >= before:
            return f"{database} could not be made smaller and is unchanged"
        return f"{database} had {before} bytes and has {after} now"
    folder = given.folder.absolute()
    if given.command == "backup":
        made = backup(database, folder, progress, parquet=given.parquet)
        return f"{folder} has {made.errors} errors, up to log position {made.position}"
    made, aside = restore(folder, database, progress, force=given.force)
    lines = [f"{file} was put aside" for file in aside]
    return "\n".join([*lines, f"{database} has {made.errors} errors, up to log position {made.position}"])
