"""schemathesis makes requests from the OpenAPI document, right and wrong ones, and compares the answers with it.

Half a minute in `make test`, with the same requests each time; `make fuzz MINUTES=10` for longer, with others each time.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Served

pytestmark = pytest.mark.dashboard
SECONDS = 60 * float(os.environ.get("FUZZ_MINUTES", "0.5"))
SEED = os.environ.get("FUZZ_SEED", "1")
REPORTS = 9


def test_every_operation_does_what_its_description_says(served: Callable[..., Served], tmp_path: Path) -> None:
    """All checks of schemathesis; what the document cannot say is in schemathesis.toml and spans.py."""
    service = served()
    for number in range(REPORTS):
        service.post({"worker_id": f"w{number}", "type": f"T{number % 3}", "message": f"no memory on device {number}"})
    command = [
        Path(sys.executable).with_name("schemathesis"), "--config-file", Path(__file__).with_name("schemathesis.toml"),
        "run", f"{service.url}/api/openapi.json", "--max-time", f"{SECONDS:.0f}", "--continue-on-failure", "--no-shrink",
        "--seed", SEED,
    ]  # fmt: skip
    environment = os.environ | {"SCHEMATHESIS_HOOKS": str(Path(__file__).with_name("spans.py"))}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS + 120, check=False
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    assert " passed" in done.stdout
    assert not [line for line in service.log if "traceback" in line]
