"""Checks the systemd units with systemd's own tools."""

import argparse
import configparser
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Final

from error_visualization.agent import command as agent

from exporter import config

UNIT: Final = Path(__file__).parent / "systemd/error-visualization.service"
AGENT: Final = UNIT.with_name("error-visualization-agent.service")
MOST_EXPOSED: Final = 15  # tenths of systemd's measure; the network costs most of it
MOST_EXPOSED_AGENT: Final = 25  # it also needs the kernel's log and the GPUs


def faults(text: str) -> Iterator[str]:
    """Yields what is wrong with the text of the service's unit. Raises FileNotFoundError without systemd-analyze."""
    yield from _faults(text, config.names().keys() | {"config.file"}, MOST_EXPOSED)


def faults_of_agent(text: str) -> Iterator[str]:
    """The same for the agent's unit."""
    parser = argparse.ArgumentParser()
    agent.add_arguments(parser)
    known = {action.dest for action in parser._actions}
    yield from _faults(text.replace("EnvironmentFile=/etc", "EnvironmentFile=-/etc"), known, MOST_EXPOSED_AGENT)


def _faults(text: str, known: Set[str], most_exposed: int) -> Iterator[str]:
    command = _command(text)
    if unknown := sorted(_options(command) - known):
        yield f"ExecStart: there is no option {', '.join(unknown)}"
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder, UNIT.name)
        unit.write_text(text.replace(command.split()[0], sys.executable), "utf-8")  # it has to exist
        for arguments in (
            ("verify", "--recursive-errors=no"),
            ("security", "--offline=true", f"--threshold={most_exposed}"),
        ):
            done = subprocess.run(
                ["systemd-analyze", "--no-pager", *arguments, unit], capture_output=True, text=True, check=False
            )
            if done.returncode or (arguments[0] == "verify" and done.stderr):
                yield f"systemd-analyze {arguments[0]}: {(done.stderr or done.stdout).strip().splitlines()[-1]}"


def _command(text: str) -> str:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names of systemd have capitals
    unit.read_string(text)
    return unit["Service"]["ExecStart"]


def _options(command: str) -> set[str]:
    found = (re.fullmatch(r"--([a-z.-]+)(=.*)?", word) for word in command.split())
    return {match[1].replace("-", "_") for match in found if match}
