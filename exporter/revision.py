"""The commit that this package was built from."""

import os
import subprocess
from functools import cache
from pathlib import Path


def revision() -> str:
    """Returns the commit of this package: the variable SOURCE_REVISION, else the commit of the git checkout that tracks
    this file. Returns "unknown" for an installed package, even if its folder is inside another project's checkout."""
    return os.environ.get("SOURCE_REVISION") or _commit()


@cache
def _commit() -> str:
    # A git hook sets GIT_DIR and others of git's variables: they name the hook's repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        for command in (["ls-files", "--error-unmatch", Path(__file__).name], ["rev-parse", "--short", "HEAD"]):
            asked = subprocess.run(
                ["git", *command], cwd=Path(__file__).parent, env=environment,
                capture_output=True, text=True, timeout=2, check=True,
            )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return asked.stdout.strip()
