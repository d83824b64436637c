"""The command `error-visualization`: the service's commands and, of the client's distribution, those for workers.

A command's module is imported only when the command is used, so that `--help` and health checks are quick.
"""

import os
import sys
from collections.abc import Sequence
from typing import Final

from error_visualization import cli as client
from error_visualization.cli import Command

from exporter import __version__

_SERVICE: Final = (
    Command("serve", "exporter.commands.serve", "take reports, serve the page, the API and the metrics"),
    Command("health", "exporter.local.health", "ask the service on this machine whether it is ready"),
    Command("demo", "exporter.demo.command", "send the reports of an imagined fleet to a service"),
    Command("export", "exporter.transfer.export_command", "write the errors of a service to a file"),
    Command("import", "exporter.transfer.import_command", "send the errors of files to a service"),
    Command("digest", "exporter.alerting.digest_command",
            "send what is new, gone, worst and still open to Alertmanager"),
    Command("check", "exporter.commands.check",
            "read the database and its log, and say what is wrong; no service may be running on them"),
    Command("repair", "exporter.commands.repair",
            "keep what can be read of a damaged database or log, and put the damaged file aside"),
    Command("backup", "exporter.commands.backup", "copy the database into a new folder, also while the service runs"),
    Command("restore", "exporter.commands.restore",
            "put the database of a backup in place; no service may be running on it"),
    Command("compact", "exporter.commands.compact",
            "write the database anew, smaller; no service may be running on it"),
    Command("token", "exporter.local.token_command", "make, list and revoke the tokens by which programs get access"),
    Command("settings", "exporter.commands.settings",
            "print a YAML file with every setting, its meaning and its default"),
    Command("sounds", "exporter.commands.sounds", "make the sound files", raw=True),
)  # fmt: skip
COMMANDS: Final = (*_SERVICE, *client.COMMANDS)
_PRIVATE: Final = frozenset(command.name for command in _SERVICE if not command.raw)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in _PRIVATE:
        os.umask(0o077)  # what the commands write holds errors, or the hashes of tokens
    return client.dispatch(COMMANDS, arguments, "Stores and shows the errors of test workers.", __version__)
