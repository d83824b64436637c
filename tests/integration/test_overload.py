"""`benchmarks/overload.py` floods a real service. What it acknowledged is stored."""

import subprocess
import sys

import pytest
from conftest import ROOT

pytestmark = pytest.mark.dashboard


def test_nothing_acknowledged_is_lost_in_a_flood() -> None:
    """The bars of the benchmark are those of an idle machine, so its exit status is not looked at."""
    command = [sys.executable, "benchmarks/overload.py", "--seconds", "1", "--connections", "300"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    assert "acknowledged and lost: 0" in done.stdout, done.stdout + done.stderr
    assert "refused without Retry-After" not in done.stdout
    assert "well-behaved worker: " in done.stdout
