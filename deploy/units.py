"""Checks the systemd unit with systemd's own tools."""

import configparser
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from exporter import config

UNIT: Final = Path(__file__).parent / "systemd/error-visualization.service"
MOST_EXPOSED: Final = 15  # tenths of systemd's measure; the network costs most of it


def faults(text: str) -> Iterator[str]:
    """Yields what is wrong with the text of the unit. Raises FileNotFoundError without systemd-analyze."""
    command = _command(text)
    if unknown := sorted(_options(command) - config.names().keys() - {"config.file"}):
        yield f"ExecStart: there is no option {', '.join(unknown)}"
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder, UNIT.name)
        unit.write_text(text.replace(command.split()[0], sys.executable), "utf-8")  # it has to exist
        for arguments in (
            ("verify", "--recursive-errors=no"),
            ("security", "--offline=true", f"--threshold={MOST_EXPOSED}"),
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
