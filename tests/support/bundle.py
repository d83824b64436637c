"""The bundle of the page, for tests of what a reader's browser loads."""

import subprocess
import sys

import pytest
from conftest import ROOT

from exporter.http.bundle import is_current
from exporter.http.pages import PAGE


def build_bundle() -> None:
    """Bundles the page of this checkout, unless it is current: `make test` has done that, an edit since then undone it."""
    if is_current(PAGE):
        return
    modules = ROOT / ".venv/node_modules"
    if not (modules / "esbuild").is_dir():
        pytest.skip("esbuild is not installed: run make test")
    command = [sys.executable, str(ROOT / "charts/build.py"), "page", str(modules)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert is_current(PAGE)
