"""`error-visualization restore`."""

import argparse
from pathlib import Path

from exporter.commands.offline import add_path
from exporter.local import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", type=Path, help="the backup")
    parser.add_argument("--force", action="store_true", help="rename the files that are there to FILE.aside-TIME")
    add_path(parser)


main = command.main
