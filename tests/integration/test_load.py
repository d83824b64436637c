"""`benchmarks/load.py` sends what it says, to a real service, and hears of each report."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.dashboard


def test_an_open_loop_load_is_answered_and_measured(tmp_path: Path) -> None:
    results = tmp_path / "load.json"
    options = [
        "--rate",
        "100",
        "--seconds",
        "3",
        "--even",
        "--pages",
        "1",
        "--scrape-every",
        "1",
        "--workers",
        "30",
        "--connections",
        "8",
    ]
    subprocess.run(
        [sys.executable, "benchmarks/load.py", *options, "--json", str(results)],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    found = json.loads(results.read_text())["load"]
    assert (found["answered"], found["failed"], found["unanswered"], found["failed_reads"]) == (299, {}, 0, 0)
    assert found["ack"]["count"] == found["websocket"]["count"] == found["late"]["count"] == 299
    assert found["ack_in_scrape"]["count"] + found["ack_outside"]["count"] == 299
    assert found["overview"]["count"] > 1
    assert found["scrape"]["count"] >= 3
    assert found["series"] > 100
    assert sum(one["ack"]["count"] for one in found["windows"]) == 299
    assert set(found["samples"][0]["pss"]) == {"http", "store"}
    assert {"database", ".log"} <= set(found["samples"][0]["files"])
