"""`error-visualization backup`."""

import argparse
from pathlib import Path

from exporter.commands.offline import add_path
from exporter.local import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", type=Path, help="the backup; it must not exist yet, or be empty")
    parser.add_argument("--parquet", action="store_true", help="also write the errors as DIR/errors.parquet")
    add_path(parser)


main = command.main
