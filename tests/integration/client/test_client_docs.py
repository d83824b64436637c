"""The examples of docs/client.md, run unchanged but for the address."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from conftest import ROOT
from error_visualization import body, delivery, gpus, plain, reporter, spool, variables
from recording import Recording, recording

pytestmark = pytest.mark.dashboard
TEXT = (ROOT / "docs" / "client.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
EXPECTED = [
    [("RuntimeError", "nothing catches it")],
    [("KeyError", "'missing'"), ("ValueError", "loss is NaN")],
    [("trainer", "checkpoint step-7.pt is damaged")],
    [("ZeroDivisionError", "division by zero")],
]


@pytest.fixture(scope="module")
def service() -> Iterator[Recording]:
    with recording() as service:
        yield service


@pytest.mark.parametrize("number", range(len(EXPECTED)))
def test_an_example(service: Recording, number: int) -> None:
    service.reports.clear()
    code = EXAMPLES[number].replace("http://127.0.0.1:8080", service.url)
    if not number:
        code += "\nraise RuntimeError('nothing catches it')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, "RuntimeError: nothing" in done.stderr) == ((1, True) if not number else (0, False)), (
        done.stderr
    )
    assert [(report["type"], report["message"]) for report in service.reports] == EXPECTED[number]
    assert {report["worker_id"] for report in service.reports} == {"worker-1"}


def test_every_example_is_run() -> None:
    assert len(EXAMPLES) == len(EXPECTED)


def test_its_numbers() -> None:
    for words in (
        "at most `block` (50 ms)",
        f"at most {body.MAX_BODY // 10**6} MB",
        f"more than {plain.MAX_NODES:,} values",
        f"at most {spool.MAX_BYTES // 2**20} MiB",
        f"at most {reporter.AT_EXIT:.0f} s",
        f"at most every {gpus.sampled._fresh:.0f} s",
    ):
        assert words in TEXT.replace("\n  ", " "), words
    assert delivery.SCAN_SECONDS <= 10
    for name in variables.VARIABLES:
        assert name in TEXT or "_" + name.removeprefix("RUN_") in TEXT or name.startswith("TOKEN"), name
