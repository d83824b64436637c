"""`error-visualization check`."""

import argparse

from exporter.commands import offline

add_arguments = offline.add_path


def main(given: argparse.Namespace) -> int:
    """Returns the exit status: 1 if something is wrong."""
    return offline.check(given.db_path, repairing=False)
