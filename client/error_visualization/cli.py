"""The command `error-visualization` of the client's distribution."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from typing import NamedTuple

from error_visualization import __version__
from error_visualization.arguments import ArgumentParser


class Command(NamedTuple):
    """A subcommand: `module` has `add_arguments(parser)` and `main(given) -> int`, and is imported only when it is
    used. `raw`: it parses its arguments itself, and `main` gets the list of them."""

    name: str
    module: str
    help: str
    raw: bool = False


COMMANDS: tuple[Command, ...] = (
    Command("junit", "error_visualization.junit.command", "send JUnit XML files of any test runner"),
    Command("run", "error_visualization.run.command", "run a command and report how it failed"),
    Command("pipe", "error_visualization.pipe.command", "report the errors in a log, line by line"),
    Command("agent", "error_visualization.agent.command", "watch this machine: kernel log, GPUs and heartbeats"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status. Where the service is installed, too, it has its commands as well."""
    if importlib.util.find_spec("exporter") and importlib.util.find_spec("exporter.cli"):
        status: int = importlib.import_module("exporter.cli").main(argv)
        return status
    return dispatch(COMMANDS, argv, "Reports the errors of test workers.", __version__)


def dispatch(commands: Sequence[Command], argv: Sequence[str] | None, description: str, version: str) -> int:
    """Runs one of `commands` and returns its exit status. Only the module of this command is imported."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = ArgumentParser("error-visualization", description=description)
    parser.add_argument("--version", action="version", version=f"error-visualization {version}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = arguments[0] if arguments else ""
    for command in commands:
        added = subparsers.add_parser(command.name, help=command.help, add_help=not command.raw)
        if command.name == chosen and not command.raw:
            importlib.import_module(command.module).add_arguments(added)
    found = next((command for command in commands if command.name == chosen), None)
    if found is not None and found.raw:
        return int(importlib.import_module(found.module).main(arguments[1:]))
    given = parser.parse_args(arguments)
    module = next(command.module for command in commands if command.name == given.command)
    return int(importlib.import_module(module).main(given))
