"""The command `error-visualization` of the client's distribution."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple


class Command(NamedTuple):
    """A subcommand: `module` has `add_arguments(parser)` and `main(given) -> int`, and is imported only when it is
    used."""

    name: str
    module: str
    help: str


COMMANDS: tuple[Command, ...] = (
    Command("run", "error_visualization.run.command", "run a command and report how it failed"),
    Command("pipe", "error_visualization.pipe.command", "report the errors in a log, line by line"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status. Where the service is installed, too, it has its commands as well."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser("error-visualization", description="Reports the errors of test workers.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        added = commands.add_parser(command.name, help=command.help)
        if command.name in arguments[:1]:
            importlib.import_module(command.module).add_arguments(added)
    given = parser.parse_args(arguments)
    module = next(command.module for command in COMMANDS if command.name == given.command)
    status: int = importlib.import_module(module).main(given)
    return status
